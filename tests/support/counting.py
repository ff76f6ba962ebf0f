"""A sync that counts what it does, and prints the counts as JSON.

    python -m support.counting BASE_URL KEY DATA_DIR PAGE_SIZE HAS_MODELS

It is a process of its own, because the counters replace functions before any module imports them by name.
"""

from __future__ import annotations

import functools
import importlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from puretalk.demo import DemoApi

#: What is counted → the function whose calls are counted; a module comes before those that import the function by name.
COUNTED: Final = {
    "JSON texts parsed": "puretalk.json_values:parse_json",
    "JSON texts written": "puretalk.json_values:canonical_json",
    "records flattened": "puretalk.endpoints.assistants.flatten:flatten_assistant",
    "records spooled": "puretalk.sync.spool:Spool.add",
    "rows written": "puretalk.sync.spool:encode_row",
    "requests": "puretalk.api.transport:Transport._send",
    "DuckDB files opened": "duckdb:connect",
    "inputs of models hashed": "puretalk.models.fingerprints:Fingerprints._hash_rows",
    "contracts compared": "puretalk.models.contract:compare_with_contract",
    "models built": "puretalk.models.build:_make",
    "checks run": "puretalk.models.checks:_run_check",
}
#: Libraries that take long to import.
HEAVY: Final = ("dlt", "pyarrow", "numpy", "pandas", "requests")


def count_sync(api: DemoApi, data_dir: Path, *, page_size: int = 100, has_models: bool = True) -> dict[str, int]:
    """What one `puretalk sync` does: the counts of COUNTED, dlt's packages, and imports of HEAVY libraries."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "support.counting",
            api.base_url,
            api.key,
            str(data_dir),
            str(page_size),
            str(has_models),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _count(what: str, place: str, counts: Counter[str]) -> None:
    module_name, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = functools.reduce(getattr, owners, importlib.import_module(module_name))
    original: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(original)
    def counted(*arguments: Any, **options: Any) -> Any:
        counts[what] += 1
        return original(*arguments, **options)

    setattr(owner, name, counted)


def main() -> None:
    base_url, key, data_dir, page_size, has_models = sys.argv[1:]
    counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    for what, place in COUNTED.items():
        _count(what, place, counts)
    from puretalk.cli.lean_imports import lean_dlt, lean_pyarrow
    from puretalk.settings import ApiSettings, Settings
    from puretalk.sync.run import run_sync

    if has_models == "False":
        builder: Any = importlib.import_module("puretalk.models.build")
        builder.build_models = lambda *_, **__: None
    _count_packages(counts)
    with lean_pyarrow(), lean_dlt():  # as `puretalk sync` does
        outcome = run_sync(
            Settings(Path(data_dir), data_dir=Path(data_dir), api=ApiSettings(key, base_url, page_size=int(page_size)))
        )
    assert outcome.exit_code == 0, outcome.verdict
    told = {
        **counts,
        "heavy libraries imported": sum(name in sys.modules for name in HEAVY),
    }
    sys.stdout.write(json.dumps(told))


def _count_packages(counts: Counter[str]) -> None:
    """dlt lists its packages in a table that the seal drops."""
    work_file: Any = importlib.import_module("puretalk.warehouse.work_file")
    original = work_file.seal

    def seal(connection: Any, *arguments: Any) -> None:
        listed = "SELECT count(*) FROM duckdb_tables() WHERE table_name = '_dlt_loads' AND schema_name = 'main'"
        is_there = connection.execute(listed).fetchall() == [(1,)]
        counts["dlt packages"] = (
            connection.execute("SELECT count(*) FROM main._dlt_loads").fetchall()[0][0] if is_there else 0
        )
        original(connection, *arguments)

    work_file.seal = seal


if __name__ == "__main__":
    main()
