"""Claims about an engine's address and passwords: who may give them, and that no message quotes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from puretalk.errors import ConfigurationError, ReplicaError
from puretalk.replication.replica import _reason, replicate
from puretalk.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / ".dlt").mkdir()
    return load_settings({}, {"DLT_PROJECT_DIR": str(tmp_path)})


def test_a_folder_in_which_one_happens_to_be_does_not_say_where_the_data_go(settings: Settings) -> None:
    for name in ("config.toml", "secrets.toml"):
        file = settings.project_dir / ".dlt" / name
        file.write_text('[destination.warehouse]\ndestination_type = "postgres"\n')
        with pytest.raises(ConfigurationError, match="the data went nowhere") as raised:
            replicate(replace(settings, is_trusted=False), "warehouse")
        assert f"export DLT_PROJECT_DIR={settings.project_dir}" in raised.value.action
        with pytest.raises(ReplicaError, match="nothing has been published yet"):
            replicate(settings, "warehouse")
        file.unlink()


@pytest.mark.parametrize(
    "told",
    [
        "password is p@ss/word-1",
        "password is p%40ss%2Fword-1",
        "password is P%40SS%2fWORD-1",
        "tried first-token-1 and then second-token-2",
        'in {"password": "p@ss\\/word-1"}',
        "postgresql://loader:p%40ss%2Fword-1@db.example/x refuses",
    ],
)
def test_what_an_engine_says_is_told_without_its_secrets(
    settings: Settings, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.project_dir / ".dlt" / "secrets.toml").write_text(
        '[destination.warehouse]\ntokens = ["first-token-1", ["second-token-2"]]\n'
    )
    monkeypatch.setenv("DESTINATION__WAREHOUSE__CREDENTIALS", "postgresql://loader:p%40ss%2Fword-1@db.example/x")
    shown = _reason(RuntimeError(f"refused: {told}"), settings)
    assert shown.startswith("refused: ")
    assert "***" in shown
    for secret in ("word-1", "first-token-1", "second-token-2", "ss%2"):
        assert secret not in shown.lower()
