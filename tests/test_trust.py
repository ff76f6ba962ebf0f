"""Claims about an installed puretalk that is started in somebody else's folder: what that folder may not decide."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.commandline import MEASURED, Ended

import puretalk
from puretalk.demo import Account, DemoApi
from puretalk.settings import SETTINGS

KEY = "pk-9f8e7d6c5b4a39281706"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package folder as pip makes it: no .dlt/ and no pyproject.toml beside it."""
    folder = tmp_path_factory.mktemp("site-packages")
    shutil.copytree(Path(puretalk.__file__).parent, folder / "puretalk", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def start(installed: Path, folder: Path, *arguments: str, **environment: str) -> Ended:
    code = "from puretalk.cli import run; run()"
    own = {"PATH": "/usr/bin:/bin", "HOME": str(installed), "PYTHONPATH": str(installed), "PURETALK_RETRY_BUDGET": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=MEASURED | own | environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    (tmp_path / ".dlt").mkdir()
    return tmp_path


@pytest.mark.slow
def test_a_folder_in_which_one_happens_to_be_gets_no_key(installed: Path, foreign: Path) -> None:
    config = foreign / ".dlt" / "config.toml"
    with DemoApi(Account(assistants=1), key=KEY) as theirs:
        config.write_text(f'[sources.puretalk]\nbase_url = "{theirs.base_url}"\n')
        # A key of the folder's own makes it no better: the data directory may be somebody else's.
        (foreign / ".dlt" / "secrets.toml").write_text('[sources.puretalk]\napi_key = "their-own-key"\n')
        ended = start(installed, foreign, "check", PURETALK_API_KEY=KEY)
        assert (ended.exit_code, ended.output) == (4, "")
        assert ended.message[0] == (
            f"puretalk: {config} sets base_url (the host 127.0.0.1), and puretalk found that file only because it was "
            "started in that folder; the key and the data went nowhere."
        )
        assert f"export DLT_PROJECT_DIR={foreign}. Otherwise give base_url as PURETALK_BASE_URL" in ended.message[2]
        assert theirs.requests == []
        trusted = start(installed, foreign, "check", PURETALK_API_KEY=KEY, DLT_PROJECT_DIR=str(foreign))
        assert trusted.exit_code == 0, trusted.error
        assert f"base_url from {config}" in trusted.output
        named = start(installed, foreign, "check", PURETALK_API_KEY=KEY, PURETALK_BASE_URL=theirs.base_url)
        assert named.exit_code == 0, "what a variable says is no matter of the folder"


@pytest.mark.slow
def test_a_folder_in_which_one_happens_to_be_runs_nothing(installed: Path, foreign: Path) -> None:
    (foreign / ".dlt" / "config.toml").write_text("[puretalk]\napi_key_command = 'touch ran'\n")
    ended = start(installed, foreign, "check")
    assert ended.exit_code == 4
    assert "sets api_key_command" in ended.message[0]
    assert not (foreign / "ran").exists()


def test_each_setting_that_decides_where_something_goes_is_guarded(
    foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("puretalk.settings._find_project", lambda _environment: (foreign, False))
    from puretalk.errors import ConfigurationError
    from puretalk.settings import load_settings

    def refuses(section: str, line: str, file: str = "config.toml") -> bool:
        (foreign / ".dlt" / file).write_text(f"[{section}]\n{line}\n")
        try:
            load_settings({}, {"PURETALK_API_KEY": KEY})
        except ConfigurationError as error:
            return "puretalk found that file only because it was started in that folder" in error.message
        finally:
            (foreign / ".dlt" / file).unlink()
        return False

    values = {"file_mode": '"0444"', "notify_texts": "1", "base_url": '"https://elsewhere.example/api"'}
    elsewhere = '"/elsewhere"'
    guarded = [each for each in SETTINGS if each.is_guarded]
    assert {each.name for each in guarded} >= {
        *("base_url", "api_key_file", "api_key_command", "ping_url", "metrics_file", "notify_url", "notify_texts"),
        *("replicate_to", "git_dir", "models_dir", "file_mode"),
    }
    for each in guarded:
        if each.name in ("api_key_file", "api_key_command"):
            continue  # the key comes from the variable here: they are not used
        for file in ("config.toml", "secrets.toml"):
            assert refuses(each.section, f"{each.name} = {values.get(each.name, elsewhere)}", file), each.name
    for same in ("https://api.puretalk.ai/api", "https://api.puretalk.ai/api/v2/"):
        assert not refuses("sources.puretalk", f'base_url = "{same}"')
    for other in ("http://api.puretalk.ai/api", "https://api.puretalk.ai:444/api", "https://u@api.puretalk.ai/api"):
        assert refuses("sources.puretalk", f'base_url = "{other}"')
    assert not refuses("sources.puretalk", "page_size = 7")
