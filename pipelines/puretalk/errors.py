"""The errors that puretalk raises on purpose, classified by who has to act.

    PuretalkError
    ├── UsageError                 2  who typed the command: the SQL is wrong, a name fits several assistants
    ├── RetryLaterError            3  no action: the next scheduled run will most likely succeed (network, 5xx, 429)
    ├── ConfigurationError         4  the owner of the settings
    │   └── KeyRejectedError       4  the owner of the API key (401, 403)
    ├── ApiChangedError            5  the maintainer: the API no longer answers as documented
    ├── CheckFailedError           6  the analyst: the data broke a check, or a model could not be built
    ├── WarehouseBusyError         7  no action: another run holds the lock
    ├── WarehouseError             8  the operator: disk full, directory read-only, a foreign file in the way
    ├── ReplicaError              12  the operator of another engine: a replica could not be written
    └── GitRefusedError           13  who owns the git repository of the prompts: it was edited, or a secret would go in

A sync can also publish a state that needs attention. That is an outcome, not an exception, but it has an exit code of
its own: `EXIT_INCOMPLETE` (9) or `EXIT_HELD` (10). 1 is a bug in puretalk, 2 a wrong command line, 130 or 143 a run
that a signal stopped (128 + its number).
"""

from __future__ import annotations

from typing import ClassVar

EXIT_OK = 0
EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_INCOMPLETE = 9
EXIT_HELD = 10
EXIT_STALE = 11
EXIT_REPLICA = 12
EXIT_GIT = 13
EXIT_INTERRUPTED = 130

#: What each exit code of the command line means. `puretalk sync --help` prints it; a test compares it with
#: docs/operations.md.
EXIT_CODES: dict[int, str] = {
    EXIT_OK: "published an exact, complete state",
    EXIT_BUG: "an error in puretalk itself: run again with --debug and report it",
    EXIT_USAGE: "the command line was not understood",
    3: "the API could not be reached or was overloaded: wait, the next run will most likely succeed",
    4: "a setting is wrong (the key, an address, a folder): correct it",
    5: "the API answered something unknown: see docs/operations.md",
    6: "the data broke a check or a model could not be built: look at the kept work file",
    7: "another run is at work: nothing to do",
    8: "the warehouse folder cannot be used (disk full, read-only, a foreign file, a newer release wrote it)",
    EXIT_INCOMPLETE: "published, but not exact: the API contradicted itself or changed while it was read",
    EXIT_HELD: (
        "published, but a person must look first: a mass deletion is held back, or the key belongs to another account"
    ),
    EXIT_STALE: "status --check: the published snapshot is too old, missing or not as it was published",
    EXIT_REPLICA: "published, but a replica could not be written: look at its engine; the next run catches up",
    EXIT_GIT: "the git repository of the prompts was not continued; what the sync published is published",
    EXIT_INTERRUPTED: "stopped by SIGINT (143: by SIGTERM); nothing was published",
}


class PuretalkError(Exception):
    """Base of all errors that puretalk raises on purpose.

    `message` begins with what failed: in lower case unless that is a name, without a full stop at its end. `action`
    says in full sentences what to do or type now. Neither ever contains the API key or a query string.
    """

    exit_code: ClassVar[int] = EXIT_BUG
    default_action: ClassVar[str] = "Run again with --debug and report what it prints."

    def __init__(self, message: str, *, action: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.action = action or self.default_action


class UsageError(PuretalkError):
    """What was typed cannot be done: wrong SQL, a name that fits several assistants. Says how to get help by itself."""

    exit_code = EXIT_USAGE
    default_action = ""


class RetryLaterError(PuretalkError):
    """The API could not be reached, or answered 429/5xx until the retry budget was used up."""

    exit_code = 3
    default_action = "Run the same command again, or wait for the next scheduled run. Nothing needs repair."


class ConfigurationError(PuretalkError):
    """A setting is missing or cannot be used."""

    exit_code = 4
    default_action = "Correct the setting, then run the same command again."


class KeyRejectedError(ConfigurationError):
    """The API answered 401 or 403."""

    default_action = (
        "Check PURETALK_API_KEY (it is made in the PureTalk dashboard under 'API Keys'), then run `puretalk check`."
    )


class ApiChangedError(PuretalkError):
    """The API's answer does not have the documented shape (an HTML page, no `results`, another origin)."""

    exit_code = 5
    default_action = "Run `puretalk check`. If it says the same, PURETALK_BASE_URL is wrong or the API has changed."


class CheckFailedError(PuretalkError):
    """A model could not be built, or a check found rows. The work file is kept for inspection."""

    exit_code = 6
    default_action = "Open the kept work file and look at the rows that the check names."


class WarehouseBusyError(PuretalkError):
    """Another run holds the lock of this data directory."""

    exit_code = 7
    default_action = "Nothing to do: the other run will publish. `--wait SECONDS` waits for it."


class WarehouseError(PuretalkError):
    """The data directory or a file in it cannot be used."""

    exit_code = 8
    default_action = "Free disk space or correct the permissions, then run the same command again."


class ReplicaError(PuretalkError):
    """Another engine could not be brought to the published snapshot. The snapshot itself is as it was."""

    exit_code = EXIT_REPLICA
    default_action = "Look at the engine, then run `puretalk replicate NAME`: it sends what differs."


class GitRefusedError(PuretalkError):
    """The git repository of the prompts cannot be continued: another program wrote to it, or git itself failed."""

    exit_code = EXIT_GIT
    default_action = (
        "Look with `git log` and `git status` in that folder, undo what is not puretalk's, or name another folder; "
        "then run `puretalk git DIR`."
    )
