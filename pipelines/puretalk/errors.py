"""Everything that can go wrong, classified by who has to act.

    PuretalkError
    ├── RetryLaterError            3  nobody: the next scheduled run will most likely do (network, 5xx, 429)
    ├── ConfigurationError         4  the owner of the settings
    │   └── KeyRejectedError       4  … in particular of the API key (401, 403)
    ├── ApiChangedError            5  the maintainer: the API answers something else than it is known to
    ├── CheckFailedError           6  the analyst: the data broke a check or a model does not build
    ├── WarehouseBusyError         7  nobody: another run holds the lock
    ├── WarehouseError             8  the operator: disk full, directory read-only, a foreign file in the way
    └── StoppedError             130  nobody: somebody stopped the run (SIGINT, SIGTERM: 128 + signal)

Two ends of a sync publish and are still not "all is well"; they are outcomes rather than exceptions, but have an exit
code of their own: `EXIT_INCOMPLETE` (9) and `EXIT_HELD` (10). 1 is an error of ours (a bug), 2 a wrong command line.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_OK = 0
EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_INCOMPLETE = 9
EXIT_HELD = 10
EXIT_STALE = 11

#: What each exit code of the command line asks of the person who reads it; printed by `puretalk sync --help`, held in
#: the docs by a test.
EXIT_CODES: dict[int, str] = {
    EXIT_OK: "published an exact, complete state",
    EXIT_BUG: "an error in puretalk itself: run again with --debug and report it",
    EXIT_USAGE: "the command line was not understood",
    3: "the API could not be reached or was overloaded: wait, the next run will most likely do",
    4: "a setting is wrong (the key, an address, a folder): correct it",
    5: "the API answered something unknown: see docs/operations.md",
    6: "the data broke a check or a model could not be built: look at the kept work file",
    7: "another run is at work: nothing to do",
    8: "the warehouse folder cannot be used (disk full, read-only, a foreign file in the way)",
    EXIT_INCOMPLETE: "published, but not exact: the API contradicted itself or changed while it was read",
    EXIT_HELD: "published, but deletions are held back: look, then run with --accept-deletions",
    EXIT_STALE: "status --check: the published snapshot is too old or missing",
    130: "stopped by SIGINT (143: by SIGTERM); nothing was published",
}


class PuretalkError(Exception):
    """Base of all errors that puretalk raises on purpose.

    `message` says what failed in one sentence; `action` what the reader should do or type now. Neither ever contains
    the API key or a query string.
    """

    exit_code: ClassVar[int] = EXIT_BUG
    default_action: ClassVar[str] = "Run again with --debug and report what it prints."

    def __init__(self, message: str, *, action: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.action = action or self.default_action


class RetryLaterError(PuretalkError):
    """The API could not be reached, or answered 429/5xx until the retry budget was used up."""

    exit_code = 3
    default_action = "Nothing to repair: run the same command again, or let the next scheduled run do it."


class ConfigurationError(PuretalkError):
    """A setting is missing or cannot be used."""

    exit_code = 4
    default_action = "Correct the setting, then run the same command again."


class KeyRejectedError(ConfigurationError):
    """The API answered 401 or 403."""

    default_action = "Check PURETALK_API_KEY (made in the PureTalk dashboard under 'API Keys'), then `puretalk check`."


class ApiChangedError(PuretalkError):
    """The API answered something that is not the documented shape (an HTML page, no `results`, a foreign redirect)."""

    exit_code = 5
    default_action = "Run `puretalk check`; if it says the same, PURETALK_BASE_URL is wrong or the API has changed."


class CheckFailedError(PuretalkError):
    """A model did not build or a check found rows; the work file is kept for inspection."""

    exit_code = 6
    default_action = "Open the kept work file and look at the rows that the check names."


class WarehouseBusyError(PuretalkError):
    """Another run holds the lock of this data directory."""

    exit_code = 7
    default_action = "Nothing to do: the other run will publish. `--wait SECONDS` waits for it."


class WarehouseError(PuretalkError):
    """The data directory or a file in it cannot be used."""

    exit_code = 8
    default_action = "Make room or give the permission, then run the same command again."


class StoppedError(PuretalkError):
    """A signal asked the run to end; it did so cleanly."""

    exit_code = 130
    default_action = "Run the same command again whenever you like."

    def __init__(self, message: str, *, signal_number: int = 2) -> None:
        super().__init__(message)
        self.signal_number = signal_number
