"""The page's script: modules of JavaScript, joined into the one script that a page holds.

A browser and the TypeScript compiler read the files as they are. The page needs them as one text, because its policy
allows one script by its hash and a page opened from a disk cannot load modules. So a module keeps to three rules, which
make joining a matter of lines: `import { name } from "./file.js";` on one line and under the same name, `export` only
in front of a declaration, and no name declared by two modules.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from importlib import resources
from typing import Final

_IMPORT: Final = re.compile(r'^import \{ [\w$, ]+ \} from "\./(\w+)\.js";\n', re.M)
_DECLARATION: Final = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (?P<name>[\w$]+)", re.M)


@functools.cache
def read_script() -> str:
    """All modules that `main.js` needs, in one scope, each behind those that it imports."""
    modules = dict(_modules("main", []))
    declared: dict[str, str] = {}
    for name, text in modules.items():
        for match in _DECLARATION.finditer(text):
            if declared.setdefault(match["name"], name) != name:
                raise AssertionError(f"{match['name']} is declared in {declared[match['name']]}.js and {name}.js")
    joined = "\n".join(re.sub(r"^export ", "", _IMPORT.sub("", text), flags=re.M) for text in modules.values())
    return f'"use strict";\n(() => {{\n{joined}}})();\n'


def _modules(name: str, above: list[str]) -> Iterator[tuple[str, str]]:
    """The modules that a module imports, then itself; a module may come twice, always behind what it needs."""
    if name in above:
        raise AssertionError(f"modules import each other: {' → '.join([*above, name])}")
    text = resources.files(__package__).joinpath(f"{name}.js").read_text(encoding="utf-8")
    for imported in _IMPORT.findall(text):
        yield from _modules(imported, [*above, name])
    yield name, text
