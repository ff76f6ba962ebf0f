"""Settings: from flags, the environment, .dlt/secrets.toml and .dlt/config.toml, in this order, then the default.

    PURETALK_API_KEY=…  PURETALK_PAGE_SIZE=50  puretalk sync --data-dir /srv/puretalk

Every setting has three names: the flag (where there is one), PURETALK_<NAME>, and dlt's own (SOURCES__PURETALK__<NAME>,
or the key in [sources.puretalk] or [puretalk] of the two files). What each means, and its unit: .dlt/config.toml.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from puretalk.errors import ConfigurationError

SOURCE_SECTION = "sources.puretalk"
OWN_SECTION = "puretalk"


def _setting(default: Any, section: str = OWN_SECTION, *, minimum: float | None = None, **options: Any) -> Any:
    return field(default=default, metadata={"section": section, "minimum": minimum}, **options)


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. Folders and files are absolute. `repr` does not show the key."""

    project_dir: Path
    data_dir: Path = _setting(Path("data"))
    api_key: str = _setting("", SOURCE_SECTION, repr=False)
    base_url: str = _setting("https://api.puretalk.ai/api", SOURCE_SECTION)
    page_size: int = _setting(100, SOURCE_SECTION, minimum=1)
    window: int = _setting(8, SOURCE_SECTION, minimum=1)
    timeout: float = _setting(30.0, SOURCE_SECTION, minimum=0.001)
    retry_budget: float = _setting(300.0, SOURCE_SECTION, minimum=0)
    max_walks: int = _setting(4, SOURCE_SECTION, minimum=1)
    deletion_cap_share: float = _setting(0.5, SOURCE_SECTION, minimum=0)
    deletion_cap_minimum: int = _setting(10, SOURCE_SECTION, minimum=0)
    storage_version: str = _setting("v1.4.0")
    file_mode: str = _setting("0440")
    keep_last: int = _setting(5, minimum=1)
    keep_hourly: int = _setting(24, minimum=0)
    keep_daily: int = _setting(14, minimum=0)
    disk_budget: int = _setting(0, minimum=0)
    log_days: int = _setting(30, minimum=0)
    ping_url: str = _setting("", repr=False)
    metrics_file: str = _setting("")
    models_dir: str = _setting("")

    @property
    def file_mode_bits(self) -> int:
        """`file_mode` as a number; never writable."""
        try:
            bits = int(self.file_mode, 8)
        except ValueError:
            raise ConfigurationError(f"file_mode is {self.file_mode!r}, not an octal mode such as 0440") from None
        if bits & 0o222 or not bits & 0o400 or bits > 0o777:
            raise ConfigurationError(f"file_mode {self.file_mode} must be readable for the owner, writable for nobody")
        return bits

    def path(self, name: str) -> Path | None:
        """A setting that names a file or folder, absolute; None when it is not set."""
        value = getattr(self, name)
        return self.project_dir / Path(value).expanduser() if value else None


def find_project_dir(environment: Mapping[str, str] | None = None) -> Path:
    """The folder that holds .dlt/: DLT_PROJECT_DIR, else the checkout that this package runs from, else this one.

    A scheduler starts in its own folder, so the current one decides only where nothing else is known.
    """
    environment = os.environ if environment is None else environment
    if environment.get("DLT_PROJECT_DIR"):
        return Path(environment["DLT_PROJECT_DIR"]).expanduser().resolve()
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / ".dlt").is_dir() and (checkout / "pyproject.toml").is_file() else Path.cwd()


def load_settings(flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings as they apply now. Raises ConfigurationError that names the setting and where its value stands."""
    environment = os.environ if environment is None else environment
    project_dir = find_project_dir(environment)
    files = [_read_toml(project_dir / ".dlt" / name) for name in ("secrets.toml", "config.toml")]
    values: dict[str, Any] = {}
    for each in fields(Settings):
        if each.name == "project_dir":
            continue
        for origin, raw in _candidates(each.name, each.metadata["section"], flags or {}, environment, files):
            values[each.name] = _convert(each.name, raw, type(each.default), each.metadata["minimum"], origin)
            break
    values["data_dir"] = (project_dir / Path(values.get("data_dir", "data")).expanduser()).absolute()
    if any(character in str(values["data_dir"]) for character in "%'?=\\") or not str(values["data_dir"]).isprintable():
        raise ConfigurationError(
            f"data_dir {str(values['data_dir'])!r} holds a character that dlt cannot write SQL with"
        )
    settings = Settings(project_dir=project_dir, **values)
    _ = settings.file_mode_bits
    return settings


def _candidates(
    name: str,
    section: str,
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    files: list[tuple[Path, dict[str, Any]]],
) -> Iterator[tuple[str, Any]]:
    """Where the setting may stand, the strongest first: (the place in words, the value)."""
    if flags.get(name) is not None:
        yield f"--{name.replace('_', '-')}", flags[name]
    for variable in (f"PURETALK_{name.upper()}", f"{section.upper().replace('.', '__')}__{name.upper()}"):
        if environment.get(variable):
            yield variable, environment[variable]
    for path, content in files:
        value: Any = content
        for part in section.split("."):
            value = value.get(part, {}) if isinstance(value, dict) else {}
        if isinstance(value, dict) and name in value:
            yield f"{name} in {path.parent.name}/{path.name}", value[name]


def _read_toml(path: Path) -> tuple[Path, dict[str, Any]]:
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return path, {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}") from error
    except tomllib.TOMLDecodeError as error:
        # The parser's message names line and column, never the text: the file may hold the key.
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from None


def _convert(name: str, raw: Any, kind: type, minimum: float | None, origin: str) -> Any:
    wanted = {int: "a whole number", float: "a number"}.get(kind, "text")
    if isinstance(raw, bool) or (kind not in (int, float) and not isinstance(raw, str | Path)):
        raise ConfigurationError(f"{origin} must be {wanted}")
    try:
        value = kind(raw)
    except (TypeError, ValueError):
        shown = "" if name == "api_key" else f", not {str(raw)[:40]!r}"
        raise ConfigurationError(f"{origin} must be {wanted}{shown}") from None
    if kind is str:
        value = value.strip()
    if minimum is not None and not (value >= minimum):
        raise ConfigurationError(f"{origin} must be at least {minimum:g}, not {value:g}")
    return value
