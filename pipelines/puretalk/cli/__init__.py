"""The command line: it parses, calls and prints. `run` is the entry point of the installed `puretalk`.

commands       a function for each command
history        `show`, `git`, `diff` and `restore-plan`
model_context  `mcp`
options        options and arguments that several commands share, and log lines for `-v`
outlet         what prints: the only one; escapes what a terminal would obey
output         where a result goes: a file, a terminal or its pager, another program
prompt         the prompt of `puretalk sql`
messages       what people and programs are told: failures, outcomes, status
progress       the bar of a run, and how a signal ends it
ending         the end of the process
lean_imports   libraries that a command does not need
lean_memory    memory that DuckDB gives back, and Python's search for cycles
demonstration  `puretalk demo`
replication    `puretalk replicate`, also after a sync
"""

from puretalk.cli.commands import run

__all__ = ["run"]
