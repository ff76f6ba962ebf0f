"""The models as a dbt project that runs as it is, with dbt-duckdb, on a published snapshot.

    DIR/dbt_project.yml, profiles.yml     the project; its profile attaches the snapshot, read-only, as `puretalk`
    DIR/models/<schema>/<name>.sql        each model: what it reads is written as ref() or source()
    DIR/models/<schema>/*.yml             descriptions and tests, byte for byte
    DIR/tests/<name>.sql                  the checks
    DIR/macros/…                          schema names without a prefix
    DIR/dbt_packages/dbt_utils/…          the one test of dbt_utils that the YAML uses, in place of the package

dbt builds every model as a whole: what our runner builds for changed assistants only is a table there.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import duckdb

from puretalk.catalogue import TABLES
from puretalk.errors import ConfigurationError
from puretalk.models.audit import Audit
from puretalk.models.model import Model, sql_folder
from puretalk.models.project import Project, read_project
from puretalk.schema import CATALOG, STORAGE_SCHEMA

_WRITTEN_BY: Final = (
    "# Written by `puretalk export dbt`, which replaces this file; keep your own models in other folders.\n"
)
#: Where the project looks for the snapshot, if this variable of the environment is set.
SNAPSHOT_VARIABLE: Final = "PURETALK_SNAPSHOT"
#: A relation as SQL names it, in bytes: parts with or without quotes, joined by dots.
_WRITTEN_NAME: Final = re.compile(rb'(?:"(?:[^"]|"")+"|\w+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|\w+))*')
_MATERIALIZED: Final[Mapping[str, str]] = {"view": "view", "table": "table", "temporary": "table"}

_PROJECT = """\
name: puretalk
version: "1.0"
profile: puretalk
flags:
  send_anonymous_usage_stats: false
models:
  puretalk:
    +persist_docs: {relation: true, columns: true}
"""
_PROFILES = """\
puretalk:
  target: local
  outputs:
    local:
      type: duckdb
      path: puretalk_dbt.duckdb
      settings: {{TimeZone: UTC}}
      attach:
        - path: {path}
          alias: {catalog}
          read_only: true
"""
_SCHEMA_NAMES = """\
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
"""
_DBT_UTILS_PROJECT = """\
name: dbt_utils
version: "1.0"
"""
_DBT_UTILS_TEST = """\
{% test unique_combination_of_columns(model, combination_of_columns) %}
select {{ combination_of_columns | join(", ") }}
from {{ model }}
group by all
having count(*) > 1
{% endtest %}
"""


def export_dbt(folder: Path, published: Path, *, user_dir: Path | None = None, audit: Audit = Audit()) -> list[Path]:
    """Write the models, those of `user_dir` included, as a dbt project; gives the files, relative to the folder.
    What the settings tell the audit is written as they say today.

    The folder must be new, empty, or an earlier export: then its files are replaced, and files that the export does not
    know stay. Raises ConfigurationError for any other folder, and for two models of one name, which dbt refuses.
    """
    _check_folder(folder)
    with duckdb.connect() as connection:
        project = read_project(connection, user_dir=user_dir, audit=audit)
    files = {
        Path("dbt_project.yml"): _WRITTEN_BY + _PROJECT,
        Path("profiles.yml"): _WRITTEN_BY + _PROFILES.format(path=_quote_path(published.absolute()), catalog=CATALOG),
        Path("macros/puretalk/generate_schema_name.sql"): _SCHEMA_NAMES,
        Path("dbt_packages/dbt_utils/dbt_project.yml"): _DBT_UTILS_PROJECT,
        Path("dbt_packages/dbt_utils/macros/unique_combination_of_columns.sql"): _DBT_UTILS_TEST,
        **_render_models(project),
        **_copy_properties([sql_folder(), *([user_dir] if user_dir else [])]),
    }
    for owned in ("models/puretalk", "tests/puretalk", "macros/puretalk"):
        shutil.rmtree(folder / owned, ignore_errors=True)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return sorted(files)


def _quote_path(default: Path) -> str:
    """The path of the snapshot for YAML, in which dbt reads a text of Jinja. JSON's strings are strings in both."""
    inner = json.dumps(str(default), ensure_ascii=False)
    return json.dumps(f"{{{{ env_var('{SNAPSHOT_VARIABLE}', {inner}) }}}}", ensure_ascii=False)


def _check_folder(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        project = folder / "dbt_project.yml"
        if not project.is_file() or not project.read_text(encoding="utf-8", errors="replace").startswith(_WRITTEN_BY):
            raise ConfigurationError(
                f"{folder} is not empty, and is not an earlier export.", action="Choose a new or an empty folder."
            )
    elif folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is not a folder.", action="Choose a new or an empty folder.")


def _render_models(project: Project) -> dict[Path, str]:
    models = [*project.models, *project.checks]
    by_name: dict[str, Model] = {}
    for model in models:
        other = by_name.setdefault(model.name, model)
        if other is not model:
            raise ConfigurationError(f"dbt needs names that differ: {other.path} and {model.path}.")
    built = {model.relation for model in project.models}
    files = {}
    for model in models:
        if model.kind == "check":
            files[Path("tests/puretalk", f"{model.name}.sql")] = _render(model, built) + "\n"
        else:
            config = f"{{{{ config(materialized={_MATERIALIZED[model.kind]!r}, schema={model.schema!r}) }}}}\n\n"
            files[Path("models/puretalk", model.schema, f"{model.name}.sql")] = config + _render(model, built) + "\n"
    return files


def _render(model: Model, built: set[str]) -> str:
    """The SQL with ref() and source() for what it reads; a model that reads itself reads the published rows. What dbt
    would take for its own syntax is written as raw."""
    sql, parts, place = model.sql.encode(), [], 0
    for reference in sorted((*model.references, *model.itself), key=lambda one: one.position):
        if reference in model.itself:  # dbt's own table is not there in its first build
            read = f"{CATALOG}.{reference.relation}"
        elif reference.relation in built:
            read = f"{{{{ ref({reference.name!r}) }}}}"
        elif reference.name in TABLES and reference.schema in {"", STORAGE_SCHEMA, CATALOG}:
            read = f"{{{{ source({CATALOG!r}, {reference.name!r}) }}}}"
        else:
            continue
        written = _WRITTEN_NAME.match(sql, reference.position)
        assert written is not None, f"{model.path}: {reference}"
        parts += [_escape(sql[place : reference.position].decode()), read]
        place = written.end()
    return "".join([*parts, _escape(sql[place:].decode())])


def _escape(sql: str) -> str:
    is_plain = not any(mark in sql for mark in ("{{", "{%", "{#"))
    return sql if is_plain else "{% raw %}" + sql + "{% endraw %}"


def _copy_properties(folders: Iterable[Path]) -> dict[Path, str]:
    return {
        Path("models/puretalk") / path.relative_to(folder): path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted(folder.rglob("*.y*ml"))
    }
