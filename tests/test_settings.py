"""Settings: where they come from, which wins, what a wrong one says."""

from __future__ import annotations

import base64
import inspect
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner

from puretalk.api.client import ApiClient
from puretalk.cli.commands import main
from puretalk.errors import ConfigurationError
from puretalk.privacy.policy import GROUPS, Policy, read_treatments
from puretalk.scrubbing import Scrubber
from puretalk.settings import SETTINGS, ApiSettings, DecisionSettings, Settings, find_project_dir, load_settings
from puretalk.sync import source
from puretalk.sync.account import AccountReader
from puretalk.sync.options import SyncOptions
from puretalk.sync.source import PuretalkSourceConfiguration, puretalk_source

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".dlt").mkdir()
    return tmp_path


def load(project: Path, flags: dict[str, Any] | None = None, **environment: str) -> Settings:
    return load_settings(flags, {"DLT_PROJECT_DIR": str(project), **environment})


def test_without_anything_the_defaults_apply(project: Path) -> None:
    assert load(project) == Settings(project_dir=project, data_dir=project / "data")


def test_a_flag_wins_over_the_environment_over_secrets_over_config(project: Path) -> None:
    (project / ".dlt" / "config.toml").write_text("[sources.puretalk]\npage_size = 1\n")
    assert load(project).api.page_size == 1
    (project / ".dlt" / "secrets.toml").write_text("[sources.puretalk]\npage_size = 2\n")
    assert load(project).api.page_size == 2
    assert load(project, SOURCES__PURETALK__PAGE_SIZE="3").api.page_size == 3
    assert load(project, SOURCES__PURETALK__PAGE_SIZE="3", PURETALK_PAGE_SIZE="4").api.page_size == 4
    assert load(project, {"page_size": 5}, PURETALK_PAGE_SIZE="4").api.page_size == 5


def test_the_key_comes_from_dlts_own_places(project: Path) -> None:
    assert load(project, SOURCES__PURETALK__API_KEY="from dlt's variable").api.api_key == "from dlt's variable"
    (project / ".dlt" / "secrets.toml").write_text('[sources.puretalk]\napi_key = " from the file\\n"\n')
    assert load(project).api.api_key == "from the file"


def test_the_data_directory_is_relative_to_the_project_not_to_the_current_folder(project: Path) -> None:
    assert load(project, PURETALK_DATA_DIR="warehouse").data_dir == project / "warehouse"
    assert load(project, PURETALK_DATA_DIR="/srv/warehouse").data_dir == Path("/srv/warehouse")


def test_in_a_checkout_the_project_is_the_checkout() -> None:
    assert find_project_dir({}) == REPOSITORY


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PURETALK_PAGE_SIZE", "many", "PURETALK_PAGE_SIZE must be a whole number, not 'many'"),
        ("PURETALK_PAGE_SIZE", "0", "PURETALK_PAGE_SIZE must be from 1 to 10,000, not '0'"),
        ("PURETALK_TIMEOUT", "-1", "PURETALK_TIMEOUT must be from 0.001 to 3,600, not '-1'"),
        ("PURETALK_TIMEOUT", "nan", "PURETALK_TIMEOUT must be from 0.001 to 3,600, not 'nan'"),
        ("PURETALK_TIMEOUT", "inf", "PURETALK_TIMEOUT must be from 0.001 to 3,600, not 'inf'"),
        ("PURETALK_WINDOW", "100000", "PURETALK_WINDOW must be from 1 to 64, not '100000'"),
        ("PURETALK_WINDOW", "1.5", "PURETALK_WINDOW must be a whole number, not '1.5'"),
        ("PURETALK_WINDOW", "9" * 5000, f"PURETALK_WINDOW must be a whole number, not '{'9' * 40}'"),
        ("PURETALK_LOG_DAYS", "9" * 400, f"PURETALK_LOG_DAYS must be from 0 to 36,500, not '{'9' * 40}'"),
        ("PURETALK_FILE_MODE", "0640", "file_mode 0640 must be readable for the owner and not writable"),
        ("PURETALK_FILE_MODE", "rw", "file_mode is 'rw', not an octal mode such as 0440"),
    ],
)
def test_a_wrong_value_names_its_place(project: Path, name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(project, None, **{name: value})
    assert raised.value.message == message


@pytest.mark.parametrize("name", ["100%", "o'neill", "env=prod", "what?", "a\\b", "a\nb"])
def test_a_folder_that_dlt_cannot_write_sql_with_is_said_at_once(project: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="holds a character"):
        load(project, PURETALK_DATA_DIR=name)


def test_known_variables_are_names_with_commas_between_them(project: Path) -> None:
    assert load(project).audit.known_variable_names == ()
    settings = load(project, PURETALK_KNOWN_VARIABLES=" now, {{ caller }},,now ,Now")
    assert settings.audit.known_variable_names == ("Now", "caller", "now")


def test_a_wrong_type_in_a_file_names_the_file(project: Path) -> None:
    (project / ".dlt" / "config.toml").write_text("[sources.puretalk]\nwindow = true\n")
    with pytest.raises(ConfigurationError) as raised:
        load(project)
    assert raised.value.message == f"window in {project}/.dlt/config.toml must be a whole number"


@pytest.mark.parametrize("value", ["inf", "nan", "1.5", "-inf", "99999999999999999999999"])
def test_a_number_in_a_file_has_the_same_bounds(project: Path, value: str) -> None:
    (project / ".dlt" / "config.toml").write_text(f"[sources.puretalk]\nwindow = {value}\n")
    with pytest.raises(ConfigurationError, match=r"window in .*/config\.toml must be (a whole number|from 1 to 64)"):
        load(project)


def test_every_number_has_bounds_around_its_default_and_the_docs_state_them() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    for setting in SETTINGS:
        if isinstance(setting.default, int | float):
            assert setting.minimum is not None
            assert setting.maximum is not None
            assert setting.is_within(setting.default), setting.name
            assert f"| `{setting.name}` | {setting.minimum:,.16g} | {setting.maximum:,.16g} |" in text
        else:
            assert setting.minimum is setting.maximum is None, setting.name


def test_the_docs_name_every_setting_that_a_folder_nobody_named_may_not_decide() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    paragraph = text.partition("So these settings do not count")[2].partition("They decide where")[0]
    listed = paragraph.partition("host):")[2]
    assert set(re.findall(r"`(\w+)`", listed)) == {each.name for each in SETTINGS if each.is_guarded}


@pytest.mark.parametrize("typed", ["nan", "inf", "-1", "1e300", "soon"])
@pytest.mark.parametrize("option", [("sync", "--wait"), ("mcp", "--max-seconds")])
def test_seconds_that_a_person_types_have_bounds(option: tuple[str, str], typed: str) -> None:
    ended = CliRunner().invoke(main, [*option, typed])
    assert ended.exit_code == 2
    assert f"Invalid value for '{option[1]}'" in ended.stderr


def test_numbers_that_a_program_gives_have_the_same_bounds() -> None:
    with pytest.raises(ConfigurationError, match="window must be from 1 to 64, not 100000"):
        ApiClient(ApiSettings("a-key", window=100_000))
    with pytest.raises(ConfigurationError, match="timeout must be from"):
        ApiClient(ApiSettings("a-key", timeout=float("inf")))
    with pytest.raises(ConfigurationError, match="max_walks must be from 1 to 100"):
        cast(Any, AccountReader(ApiSettings("a-key"), DecisionSettings(max_walks=10**9)).read)(None).__enter__()


@pytest.mark.parametrize("spell", [str, str.upper, lambda key: base64.b64encode(f"user:{key}".encode()).decode()])
@pytest.mark.parametrize("name", ["PURETALK_WINDOW", "PURETALK_FILE_MODE", "PURETALK_DATA_DIR", "PURETALK_NOTIFY_URL"])
def test_the_key_in_the_place_of_another_setting_is_refused_and_not_quoted(
    project: Path, name: str, spell: Callable[[str], str]
) -> None:
    key = "pk-9f8e7d6c5b4a39281706"
    with pytest.raises(ConfigurationError) as raised:
        load(project, None, PURETALK_API_KEY=key, **{name: spell(key)})
    assert raised.value.message == f"{name} holds the API key"


@pytest.mark.parametrize("name", ["PURETALK_WINDOW", "PURETALK_FILE_MODE", "PURETALK_TIMEOUT"])
def test_a_part_of_the_key_in_the_place_of_another_setting_is_not_quoted(project: Path, name: str) -> None:
    key = "pk-9f8e7d6c5b4a39281706"
    with pytest.raises(ConfigurationError, match=r"\*\*\*") as raised:
        load(project, None, PURETALK_API_KEY=key, **{name: key[:15]})
    assert not Scrubber(key).holds_secret(raised.value.message)


def documented_settings() -> str:
    """The settings as .dlt/config.toml states them: commented out where there is no default to state."""
    lines = []
    for section in ("sources.puretalk", "puretalk"):
        lines.append(f"[{section}]")
        for setting in SETTINGS:
            if setting.section == section and setting.name != "api_key":
                default = json.dumps(str(setting.default) if isinstance(setting.default, Path) else setting.default)
                is_stated = setting.name != "data_dir" and setting.default != ""
                assignment = f"{'' if is_stated else '# '}{setting.name} = {default}"
                lines.append(f"{assignment:<37} # {setting.meaning}")
    return "\n".join(lines)


def test_the_config_file_states_every_setting_with_its_default_and_meaning() -> None:
    text = (REPOSITORY / ".dlt" / "config.toml").read_text(encoding="utf-8")
    stated = [line for line in text.partition("[sources.puretalk]\n")[2].splitlines() if line]
    assert ["[sources.puretalk]", *stated] == documented_settings().splitlines()
    tomllib.loads(text)
    secrets = tomllib.loads((REPOSITORY / ".dlt" / "secrets.example.toml").read_text(encoding="utf-8"))
    assert list(secrets["sources"]["puretalk"]) == ["api_key"]


def test_the_docs_state_every_setting_with_its_default_and_meaning() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default != "" else "none"
        assert f"| `{setting.name}` | {default} | {setting.meaning} |" in text


def test_the_dlt_source_takes_its_defaults_from_the_settings() -> None:
    in_dlt = [setting for setting in SETTINGS if setting.section == "sources.puretalk" and setting.name != "api_key"]
    spec = PuretalkSourceConfiguration()
    parameters = inspect.signature(puretalk_source).parameters
    for setting in in_dlt:
        assert getattr(spec, setting.name) == parameters[setting.name].default == setting.default
    assert {"api_key", *(setting.name for setting in in_dlt)} == set(spec.get_resolvable_fields())


def test_the_dlt_source_passes_every_setting_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[ApiSettings, DecisionSettings, SyncOptions, Policy | None]] = []

    def listen(
        api: ApiSettings, bounds: DecisionSettings, options: SyncOptions, *, policy: Policy | None
    ) -> AccountReader:
        told.append((api, bounds, options, policy))
        return AccountReader(api, bounds, options, policy=policy)

    monkeypatch.setattr(source, "AccountReader", listen)
    groups = {
        group: {
            setting.name: setting.default + ("x" if isinstance(setting.default, str) else 1)
            for setting in SETTINGS
            if setting.group == group and setting.name not in ("api_key", "base_url")
        }
        for group in ("api", "decision")
    }
    treatments: dict[str, str] = dict(zip(GROUPS, ("keep", "hash", "mask", "drop", "hash", "mask"), strict=True))
    privacy = {f"privacy_{group}": treatment for group, treatment in treatments.items()}
    given = {**groups["api"], **groups["decision"], **privacy, "privacy_secret": "a secret of the tests"}
    puretalk_source("key", "https://elsewhere.example", **given, full_refresh=True)
    expected = ApiSettings("key", "https://elsewhere.example", **groups["api"]), DecisionSettings(**groups["decision"])
    policy = Policy(read_treatments(treatments), b"a secret of the tests")
    assert told == [(*expected, SyncOptions(full_refresh=True), policy)]
    with pytest.raises(ConfigurationError, match="needs privacy_secret in a plain dlt pipeline"):
        puretalk_source("key", privacy_user="drop")


def test_every_flag_that_sets_a_setting_names_its_variable() -> None:
    names = {setting.name for setting in SETTINGS}
    flags = {
        option.name: option.help
        for command in main.commands.values()
        for option in command.params
        if isinstance(option, click.Option) and option.name in names
    }
    assert flags.keys() >= {"data_dir", "base_url", "page_size", "window"}
    for name, text in flags.items():
        assert f"[PURETALK_{name.upper()}]" in (text or "")
