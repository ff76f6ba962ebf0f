"""TLS against real servers on loopback: who is trusted, what is said when somebody is not; nothing lifts it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.byte_server import Naps
from support.certificates import Authority
from support.commandline import CommandLine
from support.raw_api import Raw, RawApi, page

from puretalk.api.client import ApiClient
from puretalk.api.pages import fetch_page
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.errors import ConfigurationError, RetryLaterError
from puretalk.settings import SETTINGS, ApiSettings, load_settings

pytestmark = pytest.mark.slow

HERE = "IP:127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def serve(tls: ssl.SSLContext) -> RawApi:
    return RawApi(lambda _path, _query: page([b"1"]), tls=tls)


def ask(api: RawApi, naps: Naps | None = None, *, ca_bundle: str = "", max_attempts: int = 8) -> int:
    """Records on page 1."""

    async def main() -> int:
        settings = ApiSettings("pt-key", api.base_url, ca_bundle=ca_bundle, max_attempts=max_attempts)
        async with ApiClient(settings, sleep=naps or Naps()) as client:
            found = await fetch_page(client, ENDPOINT, 1)
            assert found is not None
            return len(found.records)

    return asyncio.run(main())


@pytest.fixture(scope="module")
def trusted(authority: Authority) -> Iterator[RawApi]:
    """A server with a certificate of the private authority."""
    with serve(authority.server("here", HERE)) as api:
        yield api


def test_a_certificate_of_nobody_is_a_matter_of_configuration_and_not_asked_again(authority: Authority) -> None:
    naps = Naps()
    with serve(authority.self_signed("itself", HERE)) as api:
        with pytest.raises(ConfigurationError, match="its certificate is not valid here") as caught:
            ask(api, naps)
        assert (api.requests, naps.seconds) == (0, []), "the key was not sent"
    assert caught.value.message.startswith(f"{api.origin} cannot be trusted")
    assert "self-signed certificate" in caught.value.message.replace("self signed", "self-signed")
    assert "proxy" in caught.value.action
    assert "ca_bundle (PURETALK_CA_BUNDLE)" in caught.value.action


def test_a_certificate_of_another_host_is_refused_although_its_authority_is_trusted(authority: Authority) -> None:
    with serve(authority.server("elsewhere", "DNS:elsewhere.example")) as api:
        with pytest.raises(ConfigurationError, match=r"not valid for '127\.0\.0\.1'"):
            ask(api, ca_bundle=str(authority.bundle))
        assert api.requests == 0


def test_an_authority_that_nobody_named_is_not_trusted(trusted: RawApi) -> None:
    with pytest.raises(ConfigurationError, match="unable to get local issuer certificate"):
        ask(trusted)


def test_a_private_authority_can_be_named(
    trusted: RawApi, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(trusted, ca_bundle=str(authority.bundle)) == 1
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    assert ask(trusted) == 1


def test_a_private_authority_is_trusted_besides_the_others(
    trusted: RawApi, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual ones are here those of SSL_CERT_FILE."""
    other = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    assert ask(trusted, ca_bundle=str(other.bundle)) == 1


@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n"])
def test_a_bundle_that_is_none_is_named(content: str | None, trusted: RawApi, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    with pytest.raises(ConfigurationError, match=r"ca_bundle is .*bundle\.pem, which is no file of certificates"):
        ask(trusted, ca_bundle=str(bundle))


def test_a_server_that_speaks_no_tls_is_unreachable_for_now() -> None:
    with RawApi(lambda _path, _query: Raw()) as plain:
        settings = ApiSettings("pt-key", plain.base_url.replace("http:", "https:"), max_attempts=1)

        async def main() -> None:
            async with ApiClient(settings) as client:
                await fetch_page(client, ENDPOINT, 1)

        with pytest.raises(RetryLaterError, match="cannot be reached"):
            asyncio.run(main())
        assert plain.requests == 0


def test_nothing_switches_the_verification_off(trusted: RawApi, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {setting.name for setting in SETTINGS}
    assert not {name for name in names if any(word in name for word in ("verify", "insecure", "tls", "ssl"))}
    for name, value in {
        "PURETALK_VERIFY": "0",
        "PURETALK_CA_BUNDLE": "",
        "SOURCES__PURETALK__VERIFY": "false",
        "PYTHONHTTPSVERIFY": "0",
        "CURL_CA_BUNDLE": "",
        "REQUESTS_CA_BUNDLE": "",
        "SSL_CERT_FILE": "",
        "SSL_CERT_DIR": "",
        "SSL_VERIFY": "0",
    }.items():
        monkeypatch.setenv(name, value)
    assert load_settings().api.ca_bundle == ""
    before = trusted.requests
    with pytest.raises(ConfigurationError, match="unable to get local issuer certificate"):
        ask(trusted)
    assert trusted.requests == before


def test_a_bundle_is_relative_to_the_project(tmp_path: Path) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text('[sources.puretalk]\nca_bundle = "ours.pem"\n')
    assert load_settings(environment={"DLT_PROJECT_DIR": str(tmp_path)}).api.ca_bundle == str(tmp_path / "ours.pem")


def test_the_command_line_says_it_in_four_lines_with_exit_code_4(trusted: RawApi, tmp_path: Path) -> None:
    puretalk = CommandLine(tmp_path / "data", tmp_path)
    ended = puretalk("sync", PURETALK_BASE_URL=trusted.base_url, PURETALK_API_KEY="pt-key")
    assert ended.exit_code == 4
    assert [line.partition(":")[0] for line in ended.message] == ["puretalk", "State", "Do", "More"]
    assert "certificate is not valid here" in ended.message[0]
    assert "PURETALK_CA_BUNDLE" in ended.message[2]
