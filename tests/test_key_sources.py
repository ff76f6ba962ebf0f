"""Claims about where the key may come from: a file, a command; what each wrong one says, and that none is quoted."""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path

import pytest

from puretalk.errors import ConfigurationError
from puretalk.scrubbing import Scrubber
from puretalk.settings import Settings, load_settings

KEY = "pk-9f8e7d6c5b4a39281706"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".dlt").mkdir()
    return tmp_path


def load(project: Path, **environment: str) -> Settings:
    return load_settings({}, {"DLT_PROJECT_DIR": str(project), **environment})


def refused(project: Path, **environment: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load(project, **environment)
    assert not Scrubber(KEY).holds_secret(raised.value.message + raised.value.action)
    return raised.value.message


def script(folder: Path, text: str) -> str:
    path = folder / "give key"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return f"'{path}'"


def test_a_file_gives_the_key_as_docker_and_systemd_write_it(project: Path) -> None:
    secret = project / "secret"
    for content in (KEY, f"{KEY}\n", f"\ufeff {KEY}\r\n\n"):
        secret.write_text(content, encoding="utf-8")
        settings = load(project, PURETALK_API_KEY_FILE=str(secret))
        assert settings.api.api_key == KEY
        assert settings.origins["api_key"] == "PURETALK_API_KEY_FILE"
    (project / ".dlt" / "config.toml").write_text('[puretalk]\napi_key_file = "secret"\n')
    assert load(project).api.api_key == KEY, "a relative one is below the project"
    assert load(project).origins["api_key"] == f"api_key_file in {project}/.dlt/config.toml"


def test_a_command_gives_the_key_and_no_shell_sees_it(project: Path) -> None:
    command = script(project, f'[ "$1" = "a; b" ] && echo {KEY}')
    assert load(project, PURETALK_API_KEY_COMMAND=f"{command} 'a; b'").api.api_key == KEY


def test_the_strongest_place_gives_the_key_and_no_other_is_asked(project: Path) -> None:
    secret, traces = project / "secret", project / "traces"
    secret.write_text(KEY)
    command = script(project, f"touch '{traces}'; echo of-the-command")
    (project / ".dlt" / "secrets.toml").write_text('[sources.puretalk]\napi_key = "of-secrets-toml"\n')
    both = {"PURETALK_API_KEY_FILE": str(secret), "PURETALK_API_KEY_COMMAND": command}
    assert load(project, PURETALK_API_KEY="of-the-variable", **both).api.api_key == "of-the-variable"
    assert load(project, **both).api.api_key == KEY
    assert not traces.exists()
    assert load(project, PURETALK_API_KEY_COMMAND=command).api.api_key == "of-the-command"
    assert load(project).api.api_key == "of-secrets-toml"


def test_a_command_that_only_reads_the_warehouse_asks_for_no_key(project: Path) -> None:
    traces = project / "traces"
    command = script(project, f"touch '{traces}'")
    for name, value in (("PURETALK_API_KEY_COMMAND", command), ("PURETALK_API_KEY_FILE", "gone")):
        environment = {"DLT_PROJECT_DIR": str(project), name: value}
        assert load_settings({}, environment, with_key=False).api.api_key == ""
    assert not traces.exists()


def test_each_wrong_file_says_what_is_wrong(project: Path) -> None:
    secret = project / "secret"
    said = f"PURETALK_API_KEY_FILE names {secret}"
    assert (
        refused(project, PURETALK_API_KEY_FILE=str(secret))
        == f"{said}, which cannot be read: No such file or directory"
    )
    for content, wrong in (
        (b" \n", "is empty"),
        (f"{KEY}\nmore".encode(), "has more than one line"),
        (b"\xff\xfe", "is not UTF-8 text: that is not a key"),
        (KEY.encode() * 1000, "holds more than 4096 bytes: that is not a key"),
    ):
        secret.write_bytes(content)
        assert refused(project, PURETALK_API_KEY_FILE=str(secret)) == f"{said} {wrong}"
    secret.unlink()
    os.mkfifo(secret)
    assert refused(project, PURETALK_API_KEY_FILE=str(secret)) == f"{said}, which is not a regular file"
    assert refused(project, PURETALK_API_KEY_FILE="/dev/zero").endswith("/dev/zero, which is not a regular file")
    assert refused(project, PURETALK_API_KEY_FILE=str(project)).endswith("which is not a regular file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_one_may_not_read_says_so(project: Path) -> None:
    secret = project / "secret"
    secret.write_text(KEY)
    secret.chmod(0)
    assert refused(project, PURETALK_API_KEY_FILE=str(secret)).endswith("which cannot be read: Permission denied")


def test_each_failing_command_says_how_and_shows_no_secret(project: Path) -> None:
    for text, said in (
        (
            f"echo {KEY}; echo 'no store {KEY} (gpg: locked)' >&2; exit 3",
            "failed with exit code 3: no store *** (gpg: locked)",
        ),
        (f"echo 'bad token {KEY}' >&2; exit 1", "failed with exit code 1: bad token ***"),
        (f"printf {KEY[:12]}; echo 'half a key: {KEY[:12]}' >&2; exit 1", "failed with exit code 1: half a key: ***"),
        (f"echo {KEY}; exit 1", "failed with exit code 1 and said nothing"),
        (f"echo {KEY}; kill -9 $$", "failed with signal 9 and said nothing"),
    ):
        command = script(project, text)
        assert (
            refused(project, PURETALK_API_KEY_COMMAND=command)
            == f"PURETALK_API_KEY_COMMAND runs give key, which {said}"
        )
    said = "PURETALK_API_KEY_COMMAND runs give key, whose output"
    assert refused(project, PURETALK_API_KEY_COMMAND=script(project, "true")) == f"{said} is empty"
    assert (
        refused(project, PURETALK_API_KEY_COMMAND=script(project, f"echo {KEY}; echo 2"))
        == f"{said} has more than one line"
    )
    assert refused(project, PURETALK_API_KEY_COMMAND="no-such-program").endswith(
        "cannot be started: No such file or directory"
    )
    assert refused(project, PURETALK_API_KEY_COMMAND="'").startswith("PURETALK_API_KEY_COMMAND is not a command")


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(project: Path) -> None:
    pid = project / "pid"
    command = script(project, f"sleep 600 & echo $! > '{pid}'; sleep 600")
    started = time.monotonic()
    said = refused(project, PURETALK_API_KEY_COMMAND=command, PURETALK_API_KEY_SECONDS="0.5")
    assert said == "PURETALK_API_KEY_COMMAND runs give key, which took longer than 0.5 seconds"
    assert time.monotonic() - started < 30
    with contextlib.suppress(ProcessLookupError):  # it has ended, and somebody has waited for it
        started_by_it = os.pidfd_open(int(pid.read_text()))
        try:
            assert select.select([started_by_it], [], [], 30)[0], "it was killed"
        finally:
            os.close(started_by_it)
