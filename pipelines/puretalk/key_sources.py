"""The API key from a file, as Docker and systemd give it, or from a command, as a password manager prints it.

Both give nothing but the key. No message quotes what they gave.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import stat
import subprocess
from pathlib import Path

from puretalk.errors import ConfigurationError
from puretalk.scrubbing import HIDDEN, Scrubber

#: Bytes that are read of a file, and of what a command prints; a key has far fewer.
LONGEST = 4096
#: In what a command complains, a long word with letters and digits: it may be a part of a secret.
_SECRET_WORD = re.compile(r"(?=\S*\d)(?=\S*[A-Za-z])[\w+/=.-]{16,}")


def read_key_file(path: Path, origin: str) -> str:
    """The key in the file. Raises ConfigurationError; `origin` names the setting."""
    said = f"{origin} names {path}"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe without a writer must not block
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigurationError(f"{said}, which is not a regular file")
            content = os.read(descriptor, LONGEST + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        action = f"Give the user of this process the right to read it: `ls -l {shlex.quote(str(path))}`."
        raise ConfigurationError(f"{said}, which cannot be read: {error.strerror}", action=action) from None
    return _only_line(content, said)


def run_key_command(command: str, seconds: float, origin: str) -> str:
    """The key that the command prints; no shell runs it. Raises ConfigurationError; `origin` names the setting."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigurationError(f"{origin} is not a command: {error}") from None
    if not words:
        raise ConfigurationError(f"{origin} is not a command: it is empty")
    said = f"{origin} runs {Path(words[0]).name}"  # its arguments may be a secret
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that whatever it starts can be ended with it
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds a NUL character"
        raise ConfigurationError(f"{said}, which cannot be started: {reason}") from None
    with process:
        try:
            printed, complaint = process.communicate(timeout=seconds)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise ConfigurationError(
                f"{said}, which took longer than {seconds:g} seconds",
                action="Type the command yourself: perhaps it waits for an answer. `api_key_seconds` sets the limit.",
            ) from None
    if process.returncode != 0:
        complained = _redact(complaint, printed)
        ended = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
        raise ConfigurationError(f"{said}, which failed with {ended}{complained}")
    return _only_line(printed, f"{said}, whose output")


def _redact(complaint: bytes, printed: bytes) -> str:
    """The last line of a command's complaint, without anything that may be the key."""
    lines = [line for line in complaint.decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        return " and said nothing"
    text = Scrubber(printed.decode(errors="replace").strip()).scrub(lines[-1])
    return f": {_SECRET_WORD.sub(HIDDEN, text)[:200]}"


def _only_line(content: bytes, said: str) -> str:
    """The one line of a file or an output; `said` begins the message where there is none, or more."""
    if len(content) > LONGEST:
        raise ConfigurationError(f"{said} holds more than {LONGEST} bytes: that is not a key")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{said} is not UTF-8 text: that is not a key") from None
    if not text:
        raise ConfigurationError(f"{said} is empty", action="Put the API key there, and nothing else.")
    if len(text.splitlines()) > 1:
        raise ConfigurationError(f"{said} has more than one line", action="Put the API key there, and nothing else.")
    return text
