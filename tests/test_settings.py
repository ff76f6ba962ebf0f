"""Settings: where they come from, which wins, what a wrong one says."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from puretalk.errors import ConfigurationError
from puretalk.settings import Settings, find_project_dir, load_settings

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
    assert load(project).page_size == 1
    (project / ".dlt" / "secrets.toml").write_text("[sources.puretalk]\npage_size = 2\n")
    assert load(project).page_size == 2
    assert load(project, SOURCES__PURETALK__PAGE_SIZE="3").page_size == 3
    assert load(project, SOURCES__PURETALK__PAGE_SIZE="3", PURETALK_PAGE_SIZE="4").page_size == 4
    assert load(project, {"page_size": 5}, PURETALK_PAGE_SIZE="4").page_size == 5


def test_the_key_comes_from_dlts_own_places(project: Path) -> None:
    assert load(project, SOURCES__PURETALK__API_KEY="from dlt's variable").api_key == "from dlt's variable"
    (project / ".dlt" / "secrets.toml").write_text('[sources.puretalk]\napi_key = " from the file\\n"\n')
    assert load(project).api_key == "from the file"


def test_the_data_directory_is_relative_to_the_project_not_to_the_current_folder(project: Path) -> None:
    assert load(project, PURETALK_DATA_DIR="warehouse").data_dir == project / "warehouse"
    assert load(project, PURETALK_DATA_DIR="/srv/warehouse").data_dir == Path("/srv/warehouse")


def test_in_a_checkout_the_project_is_the_checkout() -> None:
    assert find_project_dir({}) == REPOSITORY


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PURETALK_PAGE_SIZE", "many", "PURETALK_PAGE_SIZE must be a whole number, not 'many'"),
        ("PURETALK_PAGE_SIZE", "0", "PURETALK_PAGE_SIZE must be at least 1, not 0"),
        ("PURETALK_TIMEOUT", "-1", "PURETALK_TIMEOUT must be at least 0.001, not -1"),
        ("PURETALK_TIMEOUT", "nan", "PURETALK_TIMEOUT must be at least 0.001, not nan"),
        ("PURETALK_FILE_MODE", "0640", "file_mode 0640 must be readable for the owner, writable for nobody"),
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


def test_a_wrong_type_in_a_file_names_the_file(project: Path) -> None:
    (project / ".dlt" / "config.toml").write_text("[sources.puretalk]\nwindow = true\n")
    with pytest.raises(ConfigurationError, match=r"window in \.dlt/config\.toml must be a whole number"):
        load(project)


def test_a_file_that_is_no_toml_is_named_and_never_quoted(project: Path) -> None:
    (project / ".dlt" / "secrets.toml").write_text("[sources.puretalk]\napi_key = sk-very-secret\n")
    with pytest.raises(ConfigurationError, match=r"secrets\.toml is not valid TOML") as raised:
        load(project)
    assert "sk-very-secret" not in str(raised.value)


def test_the_key_is_in_no_representation(project: Path) -> None:
    settings = load(project, PURETALK_API_KEY="sk-very-secret")
    assert "sk-very-secret" not in repr(settings)


def test_every_setting_is_documented_with_its_default() -> None:
    """.dlt/config.toml states every setting, commented out only where there is no default to state."""
    text = (REPOSITORY / ".dlt" / "config.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    own, source = content["puretalk"], content["sources"]["puretalk"]
    for field in fields(Settings):
        if field.name in ("project_dir", "api_key"):
            continue
        section = source if field.metadata["section"] == "sources.puretalk" else own
        if field.name in section:
            assert section[field.name] == field.default, field.name
        else:
            assert f"# {field.name} = " in text, field.name
    secrets = tomllib.loads((REPOSITORY / ".dlt" / "secrets.example.toml").read_text(encoding="utf-8"))
    assert list(secrets["sources"]["puretalk"]) == ["api_key"]
