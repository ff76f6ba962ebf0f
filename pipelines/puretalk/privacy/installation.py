"""The policy of an installation, and its secret: 32 random bytes in the data directory, or what the settings give.

With it, equal texts have equal hashes in every sync, so that joins work; without it, nobody can guess the text of a
hash by trying. A backup that holds the secret and the hashes lets its reader try: keep them apart.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from puretalk.errors import ConfigurationError, WarehouseError
from puretalk.privacy.persons import FORGOTTEN_NAME, read_forgotten
from puretalk.privacy.policy import Policy, StoredPolicy, read_treatments
from puretalk.settings import PrivacySettings

#: The file in the data directory.
SECRET_NAME = "privacy.secret"
#: Characters that a secret of the settings has at least.
SHORTEST = 16


def read_policy(settings: PrivacySettings, data_dir: Path, stored: StoredPolicy | None = None) -> Policy | None:
    """The policy that applies in a data directory whose snapshot was written under `stored`. None where there is
    nothing to do: all is kept, was kept, and nobody is forgotten."""
    if settings.keeps_all and stored is None and not (data_dir / FORGOTTEN_NAME).exists():
        return None
    treatments = read_treatments(settings.treatments)
    forgotten = read_forgotten(data_dir)
    return Policy(treatments, read_secret(data_dir, settings.privacy_secret), forgotten.users, forgotten.texts)


def given_policy(settings: PrivacySettings) -> Policy | None:
    """The policy where there is no data directory: in a plain dlt pipeline. Raises ConfigurationError without a
    secret."""
    if settings.keeps_all:
        return None
    if not settings.privacy_secret:
        raise ConfigurationError(
            "a policy of privacy needs privacy_secret in a plain dlt pipeline",
            action="Set SOURCES__PURETALK__PRIVACY_SECRET, or privacy_secret in .dlt/secrets.toml: at least "
            f"{SHORTEST} characters that nobody can guess, and always the same.",
        )
    return Policy(read_treatments(settings.treatments), use_given(settings.privacy_secret))


def read_secret(data_dir: Path, given: str = "") -> bytes:
    """The secret: `given`, else that of the data directory, which gets one where there is none. Raises
    ConfigurationError or WarehouseError where it cannot be used."""
    if given:
        return use_given(given)
    path = data_dir / SECRET_NAME
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    text = secrets.token_hex(32)
    temporary = path.with_name(f".{SECRET_NAME}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return bytes.fromhex(text)


def use_given(given: str) -> bytes:
    """The secret of the settings as bytes. Raises ConfigurationError where it is too short."""
    if len(given) < SHORTEST:
        raise ConfigurationError(f"privacy_secret has fewer than {SHORTEST} characters")
    return given.encode()


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        text = file.read(1024).strip()
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) < 16:
        raise WarehouseError(
            f"{path} is not a secret that puretalk wrote",
            action="Put it back from a backup: hashes of this warehouse are keyed with it.",
        )
    return secret
