"""Every test runs as on a machine without any settings; `account` and `api` are a small demo account, `synced_data` is
a data directory that was synced with it once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from puretalk.demo import Account, DemoApi

#: What a developer's shell may hold and a test must not see.
_SETTINGS = ("PURETALK_", "SOURCES__", "DESTINATION__", "DLT_", "RUNTIME__", "CREDENTIALS")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

# How fast hypothesis gets on says how busy the machine is, and nothing about puretalk.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests, the slow ones come first, so that all processes end together."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def _empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No settings, no proxy, no telemetry, a HOME of its own: for fixtures that outlive a test."""
    with pytest.MonkeyPatch.context() as environment:
        for name in list(os.environ):
            if name.startswith(_SETTINGS) or name in _PROXIES:
                environment.delenv(name)
        _live_in(tmp_path_factory.mktemp("home"), environment)
        environment.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        yield


@pytest.fixture(autouse=True)
def _own_home(
    _empty_environment: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """An empty HOME for each test, and the same current directory before and after it."""
    _live_in(tmp_path_factory.mktemp("home"), monkeypatch)
    before = Path.cwd()
    yield
    assert Path.cwd() == before, "the test changed the current directory and did not change it back"


def _live_in(home: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HOME", str(home))
    environment.setenv("XDG_DATA_HOME", str(home / "share"))


@pytest.fixture
def account() -> Account:
    """Seven assistants."""
    return Account(assistants=7)


@pytest.fixture
def api(account: Account) -> Iterator[DemoApi]:
    """`account` behind HTTP, three assistants a page."""
    with DemoApi(account, page_cap=3) as api:
        yield api


@pytest.fixture(scope="session")
def _synced_once(_empty_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after one sync of such an account, with its models. Only for copying."""
    from support.storm import settings_for

    from puretalk.sync.run import run_sync

    folder = tmp_path_factory.mktemp("synced-once")
    with DemoApi(Account(assistants=7)) as api:
        run_sync(settings_for(folder, api.base_url))
    return folder / "data"


@pytest.fixture
def synced_data(_synced_once: Path, tmp_path: Path) -> Path:
    """A data directory that was synced with `account` once: a copy, which costs a hundredth of a sync."""
    return shutil.copytree(_synced_once, tmp_path / "data", symlinks=True)
