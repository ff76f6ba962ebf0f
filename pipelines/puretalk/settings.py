"""Settings: from flags, the environment, .dlt/secrets.toml and .dlt/config.toml, in this order, then the default.

    PURETALK_API_KEY=…  PURETALK_PAGE_SIZE=50  puretalk sync --data-dir /srv/puretalk

Every setting has three names: the flag (where there is one), PURETALK_<NAME>, and dlt's own (SOURCES__PURETALK__<NAME>,
or the key in [sources.puretalk] or [puretalk] of the two files). Names, defaults and meanings are written here only:
the dlt source takes its defaults from here, and tests hold .dlt/config.toml and docs/operations.md to them.
"""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from puretalk.errors import ConfigurationError
from puretalk.key_sources import read_key_file, run_key_command
from puretalk.scrubbing import PART, Scrubber

SOURCE_SECTION = "sources.puretalk"
#: Where the key may be given, for whoever has given none.
KEY_PLACES = "PURETALK_API_KEY, PURETALK_API_KEY_FILE, or api_key in .dlt/secrets.toml (see .dlt/secrets.example.toml)"
OWN_SECTION = "puretalk"


def _setting(
    default: Any,
    meaning: str,
    section: str = OWN_SECTION,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    is_guarded: bool = False,
    **options: Any,
) -> Any:
    """A field. A number has a minimum and a maximum. `is_guarded`: it decides where the key or data go, or what is run
    or overwritten; so it does not come from a folder in which a command merely happens to be started."""
    known = {
        "section": section,
        "meaning": meaning,
        "minimum": minimum,
        "maximum": maximum,
        "is_guarded": is_guarded,
    }
    return field(default=default, metadata=known, **options)


@dataclass(frozen=True)
class ApiSettings:
    """How to reach the API, and how patiently. `repr` does not show the key."""

    api_key: str = _setting("", "API key, made in the PureTalk dashboard", SOURCE_SECTION, repr=False)
    base_url: str = _setting(
        "https://api.puretalk.ai/api", "URL of the API; https only, http for loopback", SOURCE_SECTION, is_guarded=True
    )
    page_size: int = _setting(
        100, "records asked for per page; the API may give fewer", SOURCE_SECTION, minimum=1, maximum=10_000
    )
    window: int = _setting(8, "most requests in flight at once", SOURCE_SECTION, minimum=1, maximum=64)
    timeout: float = _setting(30.0, "seconds that one request may take", SOURCE_SECTION, minimum=0.001, maximum=3600)
    retry_budget: float = _setting(
        300.0, "seconds that all retries of one request may take together", SOURCE_SECTION, minimum=0, maximum=86_400
    )
    max_attempts: int = _setting(8, "most attempts at one request", SOURCE_SECTION, minimum=1, maximum=1000)
    max_body: int = _setting(
        33554432,
        "most bytes of one answer, unpacked (32 MiB); more end the run",
        SOURCE_SECTION,
        minimum=65536,
        maximum=2**32,
    )
    ca_bundle: str = _setting(
        "",
        "PEM file of a private certificate authority, trusted besides the public ones",
        SOURCE_SECTION,
        is_guarded=True,
    )


@dataclass(frozen=True)
class KeySettings:
    """Where else the API key may come from: key_sources.py."""

    api_key_file: str = _setting(
        "", "file that holds the API key and nothing else, as Docker and systemd give it", is_guarded=True
    )
    api_key_command: str = _setting(
        "", "command that prints the API key, such as `pass show puretalk`; no shell runs it", is_guarded=True
    )
    api_key_seconds: float = _setting(30.0, "seconds that api_key_command may take", minimum=0.1, maximum=600)


@dataclass(frozen=True)
class DecisionSettings:
    """The bounds within which a sync decides by itself: docs/how-a-sync-decides.md."""

    max_walks: int = _setting(
        4,
        "most walks in one sync, until the API's `count` agrees with what was seen",
        SOURCE_SECTION,
        minimum=1,
        maximum=100,
    )
    max_pages: int = _setting(
        100000, "most pages in one sync, all walks together", SOURCE_SECTION, minimum=1, maximum=10**9
    )
    max_records: int = _setting(
        1000000, "most records in one sync, all walks together", SOURCE_SECTION, minimum=1, maximum=10**12
    )
    deletion_cap_share: float = _setting(
        0.5,
        "deletions are held back when a larger share of the account vanishes at once …",
        SOURCE_SECTION,
        minimum=0,
        maximum=1,
    )
    deletion_cap_minimum: int = _setting(
        10, "… and when at least this many assistants vanish", SOURCE_SECTION, minimum=0, maximum=1_000_000
    )


@dataclass(frozen=True)
class PrivacySettings:
    """What a sync may not store readable: docs/privacy.md. `repr` does not show the secret."""

    privacy_emails: str = _setting("keep", "e-mail addresses: keep, hash, mask or drop", SOURCE_SECTION)
    privacy_names: str = _setting("keep", "names of users: keep, hash, mask or drop", SOURCE_SECTION)
    privacy_phone_numbers: str = _setting("keep", "phone numbers: keep, hash, mask or drop", SOURCE_SECTION)
    privacy_prompts: str = _setting("keep", "prompts: keep, hash, mask or drop", SOURCE_SECTION)
    privacy_begin_messages: str = _setting("keep", "begin messages: keep, hash, mask or drop", SOURCE_SECTION)
    privacy_user: str = _setting("keep", "the whole user: keep, hash, mask or drop", SOURCE_SECTION)
    privacy_secret: str = _setting(
        "", "secret that hashes are keyed with; empty: one that puretalk makes in data_dir", SOURCE_SECTION, repr=False
    )

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is hidden."""
        return all(each == "keep" for each in self.treatments.values())

    @property
    def treatments(self) -> dict[str, str]:
        """What happens to each group. Raises ConfigurationError for what is no treatment."""
        found = {}
        for each in fields(self):
            if each.name != "privacy_secret":
                found[each.name.removeprefix("privacy_")] = value = getattr(self, each.name).lower()
                if value not in ("keep", "hash", "mask", "drop"):
                    raise ConfigurationError(f"{each.name} is {value[:40]!r}, not keep, hash, mask or drop")
        return found


@dataclass(frozen=True)
class StorageSettings:
    """What the files of the warehouse are like."""

    storage_version: str = _setting(
        "v1.4.0", "DuckDB storage version of the snapshots: the oldest client that can read them"
    )
    file_mode: str = _setting("0440", "permissions of a snapshot (octal), never writable", is_guarded=True)
    memory_limit: str = _setting(
        "512MB", "memory that DuckDB may use in a run (such as 512MB or 2GB); beyond it, DuckDB uses the disk"
    )
    threads: int = _setting(1, "threads that DuckDB may use in a run; 0: one for each core", minimum=0, maximum=256)

    @property
    def file_mode_bits(self) -> int:
        """`file_mode` as a number. Raises ConfigurationError when the file would be writable, or not readable."""
        try:
            bits = int(self.file_mode, 8)
        except ValueError:
            raise ConfigurationError(f"file_mode is {self.file_mode!r}, not an octal mode such as 0440") from None
        if bits & 0o222 or not bits & 0o400 or bits > 0o777:
            raise ConfigurationError(f"file_mode {self.file_mode} must be readable for the owner and not writable")
        return bits


@dataclass(frozen=True)
class RetentionSettings:
    """Which snapshots are kept. The current one and the one before it are kept in any case."""

    keep_last: int = _setting(5, "newest snapshots, kept at any age", minimum=1, maximum=10_000)
    keep_hourly: int = _setting(24, "then one per hour, for this many hours", minimum=0, maximum=87_600)
    keep_daily: int = _setting(14, "then one per day, for this many days", minimum=0, maximum=36_500)
    disk_budget: int = _setting(0, "bytes that all snapshots together may take; 0: no limit", minimum=0, maximum=10**15)


@dataclass(frozen=True)
class OperationsSettings:
    """What a run tells those who watch over it. `repr` does not show the address of the health check."""

    run_deadline: float = _setting(
        21600.0, "seconds that a run may take before it is stopped; 0: no limit", minimum=0, maximum=604_800
    )
    log_days: int = _setting(30, "days that log files are kept", minimum=0, maximum=36_500)
    ping_url: str = _setting(
        "", "health-check service: GET on start (/start), success and failure (/fail)", is_guarded=True, repr=False
    )
    metrics_file: str = _setting("", "Prometheus text file for node_exporter's textfile collector", is_guarded=True)


@dataclass(frozen=True)
class NoticeSettings:
    """Whom a run tells what changed: docs/notices.md. `repr` shows neither the address nor the secret."""

    notify_url: str = _setting(
        "", "webhook that gets the news after a publish; https only, or loopback", is_guarded=True, repr=False
    )
    notify_format: str = _setting("json", "what the webhook understands: json, slack or teams")
    notify_secret: str = _setting("", "secret that notices are signed with (HMAC-SHA256)", repr=False)
    notify_texts: int = _setting(
        0, "1: notices also quote what changed, prompts too", minimum=0, maximum=1, is_guarded=True
    )


@dataclass(frozen=True)
class AuditSettings:
    """What the audit takes for right."""

    known_variables: str = _setting(
        "", "variables that the platform fills in itself, with commas between the names: they need no declaration"
    )
    accepted_findings: str = _setting("", "YAML file of the findings that you accept, with a reason for each")

    @property
    def known_variable_names(self) -> tuple[str, ...]:
        """The names of `known_variables`, each once, in alphabetical order; {{name}} counts as name."""
        names = {name.strip().removeprefix("{{").removesuffix("}}").strip() for name in self.known_variables.split(",")}
        return tuple(sorted(names - {""}))


@dataclass(frozen=True)
class ReplicationSettings:
    """Which other engines get what was published."""

    replicate_to: str = _setting(
        "",
        "dlt destinations that each sync replicates to, with commas between the names: docs/engines.md",
        is_guarded=True,
    )

    @property
    def destinations(self) -> tuple[str, ...]:
        """The names of `replicate_to`, each once, in their order."""
        return tuple(dict.fromkeys(name.strip() for name in self.replicate_to.split(",") if name.strip()))


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, in groups. Folders are absolute. `origins`: the name of each setting that was set →
    where, in words; `is_trusted`: the project was named, and is not merely the current folder."""

    project_dir: Path
    data_dir: Path = _setting(
        Path("data"), "folder of the warehouse; relative to the project (the folder that holds .dlt/)"
    )
    api: ApiSettings = ApiSettings()
    key: KeySettings = KeySettings()
    decision: DecisionSettings = DecisionSettings()
    privacy: PrivacySettings = PrivacySettings()
    storage: StorageSettings = StorageSettings()
    retention: RetentionSettings = RetentionSettings()
    operations: OperationsSettings = OperationsSettings()
    notice: NoticeSettings = NoticeSettings()
    audit: AuditSettings = AuditSettings()
    git_dir: str = _setting(
        "", "folder of the git repository of the prompts, which each sync continues", is_guarded=True
    )
    replication: ReplicationSettings = ReplicationSettings()
    models_dir: str = _setting("", "folder of your own SQL models, built after the built-in ones", is_guarded=True)
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    is_trusted: bool = True

    def locate(self, name: str) -> Path | None:
        """A file or folder that a setting names, absolute; None where the setting is empty."""
        return self.project_dir / Path(name).expanduser() if name else None


@dataclass(frozen=True)
class Setting:
    """One setting: `group` is the field of Settings that holds it ("" for Settings itself)."""

    name: str
    group: str
    section: str
    meaning: str
    default: Any
    minimum: float | None
    maximum: float | None
    is_guarded: bool
    is_secret: bool

    @property
    def bounds(self) -> str:
        """The bounds of a number, in words."""
        return f"from {self.minimum:,.16g} to {self.maximum:,.16g}"

    def is_within(self, value: float) -> bool:
        """Whether a number is within the bounds; NaN is not."""
        assert self.minimum is not None
        assert self.maximum is not None
        return self.minimum <= value <= self.maximum


def _fields_of(owner: type[Any], group: str = "") -> Iterator[Setting]:
    for each in fields(owner):
        if each.metadata:
            meta = each.metadata
            yield Setting(name=each.name, group=group, default=each.default, is_secret=not each.repr, **meta)
        elif is_dataclass(each.default):
            yield from _fields_of(type(each.default), each.name)


#: All settings, in the order of their groups.
SETTINGS: tuple[Setting, ...] = tuple(_fields_of(Settings))


def setting_value(settings: Settings, setting: Setting) -> Any:
    """The value of one setting."""
    return getattr(getattr(settings, setting.group) if setting.group else settings, setting.name)


def find_project_dir(environment: Mapping[str, str] | None = None) -> Path:
    """The folder that holds .dlt/: DLT_PROJECT_DIR, else the checkout that this package runs from, else this one.

    A scheduler starts in its own folder, so the current one decides only where nothing else is known.
    """
    return _find_project(os.environ if environment is None else environment)[0]


def _find_project(environment: Mapping[str, str]) -> tuple[Path, bool]:
    """The same, and whether somebody named the folder: who installed the code, or DLT_PROJECT_DIR."""
    if environment.get("DLT_PROJECT_DIR"):
        return Path(environment["DLT_PROJECT_DIR"]).expanduser().resolve(), True
    checkout = Path(__file__).resolve().parents[2]
    is_checkout = (checkout / ".dlt").is_dir() and (checkout / "pyproject.toml").is_file()
    return (checkout, True) if is_checkout else (Path.cwd(), False)


def load_settings(
    flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None, *, with_key: bool = True
) -> Settings:
    """The settings as they apply now. Raises ConfigurationError, which names the setting and its origin.

    `with_key`: read the key's file, or run its command, where that is how the key is given. A command that only reads
    the warehouse does not need it.
    """
    environment = os.environ if environment is None else environment
    project_dir, is_trusted = _find_project(environment)
    files = [_read_toml(project_dir / ".dlt" / name) for name in ("secrets.toml", "config.toml")]
    given: dict[str, _Given] = {}
    for setting in SETTINGS:
        found = next(_candidates(setting, flags or {}, environment, files), None)
        if found is not None:
            given[setting.name] = found
    key = str(given["api_key"].raw).strip() if "api_key" in given else ""
    _refuse_key_elsewhere(key, given)
    try:
        settings = _apply(given, project_dir, is_trusted, with_key=with_key)
    except ConfigurationError as error:
        # A part of the key, in the place of another setting, must not be quoted.
        raise ConfigurationError(Scrubber(key).hide(error.message), action=error.action) from None
    _refuse_key_elsewhere(settings.api.api_key, given)
    return settings


def _refuse_key_elsewhere(key: str, given: Mapping[str, _Given]) -> None:
    """Raise ConfigurationError where the key is also (a part of) another setting, which may be shown or sent."""
    scrubber = Scrubber(key)
    for name, each in given.items():
        if len(key) >= PART and name != "api_key" and scrubber.holds_key(str(each.raw).encode(errors="replace")):
            raise ConfigurationError(
                f"{each.origin} holds the API key",
                action="Give the key as PURETALK_API_KEY, api_key, api_key_file or api_key_command, and nowhere else.",
            )


def _apply(given: dict[str, _Given], project_dir: Path, is_trusted: bool, *, with_key: bool) -> Settings:
    groups: dict[str, dict[str, Any]] = {"": {}}
    keys = [given[name] for name in ("api_key", "api_key_file", "api_key_command") if name in given]
    chosen_key = min(keys, key=lambda each: each.rank, default=None)  # the first one of the strongest place
    for setting in SETTINGS:
        values = groups.setdefault(setting.group, {})
        found = given.get(setting.name)
        if found is not None:
            value = _convert(setting, found.raw, found.origin)
            is_unused_key = found in keys and found is not chosen_key
            if not is_trusted and found.path is not None and setting.is_guarded and not is_unused_key:
                _refuse_foreign(setting, value, found.path, project_dir)
            values[setting.name] = value
    own = groups.pop("")
    own["data_dir"] = (project_dir / Path(own.get("data_dir", "data")).expanduser()).absolute()
    if groups["api"].get("ca_bundle"):
        groups["api"]["ca_bundle"] = str(project_dir / Path(groups["api"]["ca_bundle"]).expanduser())
    if any(character in str(own["data_dir"]) for character in "%'?=\\") or not str(own["data_dir"]).isprintable():
        raise ConfigurationError(f"data_dir {str(own['data_dir'])!r} holds a character that dlt cannot write SQL with")
    empty = Settings(project_dir)
    settings = Settings(
        project_dir,
        **own,
        **{group: replace(getattr(empty, group), **values) for group, values in groups.items()},
        origins={name: found.origin for name, found in given.items()},
        is_trusted=is_trusted,
    )
    _ = settings.storage.file_mode_bits, settings.privacy.treatments
    return _with_key(settings, chosen_key, is_read=with_key)


def _with_key(settings: Settings, chosen: _Given | None, *, is_read: bool) -> Settings:
    """The settings with the key of the place that counts."""
    if chosen is None or chosen.name == "api_key":
        return settings
    key = ""
    if is_read and chosen.name == "api_key_file":
        path = settings.locate(settings.key.api_key_file)
        key = read_key_file(path, chosen.origin) if path else ""
    elif is_read:
        key = run_key_command(settings.key.api_key_command, settings.key.api_key_seconds, chosen.origin)
    origins = {**settings.origins, "api_key": chosen.origin}
    return replace(settings, api=replace(settings.api, api_key=key), origins=origins)


def _refuse_foreign(setting: Setting, value: Any, path: Path, project_dir: Path) -> None:
    """Raise ConfigurationError where a file that was found only through the current folder decides where the key or
    data go, or what is run. The documented values are no decision."""
    if value == setting.default or not value:
        return
    shown = ""
    if setting.name == "base_url":
        url = urlsplit(value)
        if (url.scheme, url.netloc) == urlsplit(setting.default)[:2]:
            return
        shown = f" (the host {url.hostname})"
    raise ConfigurationError(
        f"{path} sets {setting.name}{shown}, and puretalk found that file only because it was started in that folder; "
        "the key and the data went nowhere",
        action=f"If you trust that folder: export DLT_PROJECT_DIR={shlex.quote(str(project_dir))}. Otherwise give "
        f"{setting.name} as PURETALK_{setting.name.upper()}, or start puretalk elsewhere.",
    )


@dataclass(frozen=True)
class _Given:
    """A setting as it was given. `origin`: where, in words; `rank`: 0 for the strongest place; `path`: the file."""

    name: str
    raw: Any
    origin: str
    rank: int
    path: Path | None = None


def _candidates(
    setting: Setting,
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    files: list[tuple[Path, dict[str, Any]]],
) -> Iterator[_Given]:
    """Where the setting may be given, the strongest place first."""
    name, section = setting.name, setting.section
    if flags.get(name) is not None:
        yield _Given(name, flags[name], f"--{name.replace('_', '-')}", 0)
    for variable in (f"PURETALK_{name.upper()}", f"{section.upper().replace('.', '__')}__{name.upper()}"):
        if environment.get(variable):
            yield _Given(name, environment[variable], variable, 1)
    for rank, (path, content) in enumerate(files, start=2):
        value: Any = content
        for part in section.split("."):
            value = value.get(part, {}) if isinstance(value, dict) else {}
        if isinstance(value, dict) and name in value:
            yield _Given(name, value[name], f"{name} in {path}", rank, path)


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


def _convert(setting: Setting, raw: Any, origin: str) -> Any:
    kind = type(setting.default)
    wanted = {int: "a whole number", float: "a number"}.get(kind, "text")
    if isinstance(raw, bool) or (kind not in (int, float) and not isinstance(raw, str | Path)):
        raise ConfigurationError(f"{origin} must be {wanted}")
    shown = "" if setting.is_secret else f", not {str(raw)[:40]!r}"
    try:
        value = kind(raw)
        if kind is int and value != (int(raw) if isinstance(raw, str) else raw):  # 1.5 in a file
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ConfigurationError(f"{origin} must be {wanted}{shown}") from None
    if kind is str:
        return value.strip()
    if setting.minimum is not None and not setting.is_within(value):
        raise ConfigurationError(f"{origin} must be {setting.bounds}{shown}")
    return value


def check_bounds(group: Any) -> None:
    """Raise ConfigurationError where a number of a group of settings, made by hand, is out of its bounds."""
    for setting in _fields_of(type(group)):
        if setting.minimum is not None and not setting.is_within(getattr(group, setting.name)):
            raise ConfigurationError(
                f"{setting.name} must be {setting.bounds}, not {str(getattr(group, setting.name))[:40]}"
            )


def scrubber_of(settings: Settings) -> Scrubber:
    """What hides the key and every other setting that is a secret."""
    others = [str(setting_value(settings, each)) for each in SETTINGS if each.is_secret and each.name != "api_key"]
    return Scrubber(settings.api.api_key, *others)
