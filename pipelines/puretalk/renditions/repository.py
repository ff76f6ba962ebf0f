"""A git repository that only puretalk writes to: opened or refused, repaired, continued, checked out.

git is the system's program. It gets no text of the account as an argument: contents, paths and messages go through
the standard input of `git fast-import`. Its own settings are not read, so that every machine writes the same commits.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from puretalk.errors import ConfigurationError, GitRefusedError
from puretalk.warehouse.lock import hold_lock

#: The API knows who owns an assistant, not who edited it.
AUTHOR = "puretalk <noreply@puretalk.invalid>"
BRANCH = "refs/heads/main"

#: Kept while branch and folder are written; the next run finds it if this one dies.
_UNFINISHED = "puretalk-unfinished"
_TRAILER = re.compile(r"^Puretalk-Rules: (\S+)\nPuretalk-History: ([0-9a-f]{40})$", re.MULTILINE)
_LOCKS = ("index.lock", "HEAD.lock", "packed-refs.lock", "refs/heads/main.lock")


@dataclass(frozen=True)
class Repository:
    """A repository at `folder`, locked for this process."""

    folder: Path
    program: str

    def head(self) -> str | None:
        """The id of the newest commit; None where there is none."""
        found = self._git("rev-parse", "--verify", "--quiet", BRANCH, allowed=(0, 1)).strip()
        return found or None

    def trailers(self) -> list[tuple[str, str]]:
        """`Puretalk-Rules` and `Puretalk-History` of each commit, newest first. Raises GitRefusedError at a commit that
        is not puretalk's."""
        if self.head() is None:
            return []
        found = []
        for message in self._git("log", "--format=%B%x00", BRANCH, "--").split("\0")[:-1]:
            trailers = _TRAILER.findall(message)
            if not trailers:
                raise GitRefusedError(
                    f"{self.folder} holds a commit that puretalk did not write: {_first_line(message)!r}"
                )
            found.append(trailers[-1])
        return found

    def append(self, commands: Iterable[bytes]) -> str | None:
        """Run the commands of `git fast-import`, which add commits to BRANCH, and bring the folder to the newest one.

        Gives the id of the newest commit. Raises GitRefusedError; the next run then brings the folder to the branch."""
        before = self.head()
        mark = self.folder / ".git" / _UNFINISHED
        mark.touch()
        self._import(commands)
        after = self.head()
        if after != before:
            trees = [before, after] if before else [after]
            self._git("read-tree", "-m", "-u", *(tree for tree in trees if tree is not None))
        mark.unlink()
        self._git("-c", "gc.autoDetach=false", "gc", "--auto", "--quiet")
        return after

    def _import(self, commands: Iterable[bytes]) -> None:
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [self.program, "fast-import", "--quiet", "--date-format=raw", "--done"],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
            assert process.stdin is not None
            try:
                with contextlib.suppress(BrokenPipeError):  # its exit code and what it said tell why
                    process.stdin.writelines(commands)
                    process.stdin.write(b"done\n")
            except BaseException:
                process.kill()
                raise
            finally:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
                process.wait()
            if process.returncode:
                said.seek(0)
                reason = _first_line(said.read().decode(errors="replace"))
                raise GitRefusedError(f"git fast-import failed: {reason or process.returncode}")

    def open(self) -> None:
        """Make the repository where there is none, finish what a killed run left, and refuse what another wrote."""
        self._git("init", "--quiet", "--initial-branch=main", "--object-format=sha1", "--template=")
        git_dir = self.folder / ".git"
        if (git_dir / _UNFINISHED).exists():
            for name in _LOCKS:
                (git_dir / name).unlink(missing_ok=True)
            if self.head() is not None:
                self._git("read-tree", "--reset", "-u", BRANCH)
            (git_dir / _UNFINISHED).unlink()
        if self._git("symbolic-ref", "--quiet", "HEAD", allowed=(0, 1)).strip() != BRANCH:
            raise GitRefusedError(f"the branch main is not checked out in {self.folder}")
        edited = self._git("status", "--porcelain", "--untracked-files=no").splitlines()
        if edited:
            raise GitRefusedError(f"files in {self.folder} were edited: {edited[0].strip()}")

    def _git(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
        ended = subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if ended.returncode not in allowed:
            said = _first_line(ended.stderr.decode(errors="replace"))
            raise GitRefusedError(f"git {arguments[0]} failed in {self.folder}: {said or ended.returncode}")
        return ended.stdout.decode(errors="replace")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return kept | {
            "GIT_DIR": str(self.folder / ".git"),
            "GIT_WORK_TREE": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "core.hooksPath",
            "GIT_CONFIG_VALUE_0": os.devnull,
            "GIT_CONFIG_KEY_1": "core.autocrlf",
            "GIT_CONFIG_VALUE_1": "false",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }


@contextlib.contextmanager
def open_repository(folder: Path) -> Iterator[Repository]:
    """The repository in the folder, which is made where it is missing or empty. Raises ConfigurationError: no git, or a
    folder that cannot be used; GitRefusedError: another program wrote to it; WarehouseBusyError: another run does."""
    program = shutil.which("git")
    if program is None:
        raise ConfigurationError("the program git is not installed", action="Install git, then run it again.")
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / ".git").is_dir():
            raise ConfigurationError(
                f"{folder} is not empty and is no git repository", action="Choose a new or an empty folder."
            )
        (folder / ".git").mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be used: {error.strerror}") from error
    with hold_lock(folder / ".git", "git"):
        repository = Repository(folder, program)
        repository.open()
        yield repository


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
