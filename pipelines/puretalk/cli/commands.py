"""The command line: parses, calls, prints. What fails becomes four lines on stderr and an exit code of its kind."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from puretalk.cli import history
from puretalk.cli.changes import changes
from puretalk.cli.ending import end_process
from puretalk.cli.forget import forget
from puretalk.cli.lean_imports import lean_dlt, lean_pyarrow, leave_out_httpx_command
from puretalk.cli.lean_memory import give_memory_back, look_for_cycles_less
from puretalk.cli.messages import (
    describe_outcome,
    describe_status,
    describe_steps,
    explain_exit_codes,
    explained_errors,
    print_verdict,
    scrub,
    status_facts,
    to_json,
)
from puretalk.cli.model_context import mcp
from puretalk.cli.options import Seconds, SqlCommand, is_verbose, load, read_sql, settings_options, verbose_option
from puretalk.cli.outlet import EscapedErrors, complain, put_text, say, say_all
from puretalk.cli.output import choose_format, put_result, write_file
from puretalk.cli.parquet import export_parquet_files
from puretalk.cli.replication import replicate_after_sync, replicate_command
from puretalk.errors import EXIT_BUG, EXIT_STALE, PuretalkError
from puretalk.readers.formats import FORMATS, Format
from puretalk.release import VERSION
from puretalk.settings import NoticeSettings, Settings

if TYPE_CHECKING:
    from puretalk.cli.progress import Progress
    from puretalk.demo import DemoApi
    from puretalk.operations.schedule import Kind
    from puretalk.sync.run import SyncOutcome


@contextmanager
def _watched(settings: Settings, progress: Progress) -> Iterator[None]:
    """Tell the log, the metrics and the health check that a run starts, and that it failed."""
    from puretalk.operations import reports

    started = time.monotonic()

    def report(kind: str, message: str, exit_code: int) -> None:
        text, seconds = scrub(message, settings), time.monotonic() - started
        reports.report_failure(settings, kind, text, exit_code, seconds, None, steps=progress.durations)

    reports.report_start(settings)
    progress.on_stop = lambda message, exit_code: report("Stopped", message, exit_code)
    try:
        yield
    except PuretalkError as error:
        report(type(error).__name__, error.message, error.exit_code)
        raise
    except Exception as error:
        report(type(error).__name__, str(error).partition("\n")[0], EXIT_BUG)
        raise


@click.group(cls=EscapedErrors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="puretalk")
def main() -> None:
    """Sync a PureTalk AI account into a DuckDB warehouse, and read it."""


main.add_command(replicate_command)
main.add_command(forget)


@main.command(epilog=explain_exit_codes())
@click.option("--full-refresh", is_flag=True, help="Write every assistant again, changed or not. History stays.")
@click.option("--accept-deletions", is_flag=True, help="Let a mass deletion through that an earlier run held back.")
@click.option("--wait", type=Seconds(), default=0.0, metavar="SECONDS", help="Wait for another run.")
@click.option("--demo", is_flag=True, help="Sync the embedded demo account; needs no key and no network.")
@click.option("--dashboard", "dashboard_file", is_flag=True, help="Write the dashboard after publishing.")
@click.option("--timing", is_flag=True, help="Print what each step took; with --json, add it to the summary.")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable summary.")
@click.option(
    "--keep-work", is_flag=True, help="Move the work folder of this run to kept/ in the data directory, for a look."
)
@click.option("--base-url", help="URL of the API [PURETALK_BASE_URL].")
@click.option("--page-size", type=int, help="Records asked for per page [PURETALK_PAGE_SIZE].")
@click.option("--window", type=int, help="Most requests in flight at once [PURETALK_WINDOW].")
@verbose_option
@settings_options
def sync(
    full_refresh: bool,
    accept_deletions: bool,
    wait: float,
    demo: bool,
    dashboard_file: bool,
    timing: bool,
    as_json: bool,
    keep_work: bool,
    data_dir: Path | None,
    debug: bool,
    **flags: Any,
) -> None:
    """Read the account, load what changed, publish a new snapshot.

    Prints nothing without a terminal when all is well. Readers keep the old snapshot until the new one is published.
    """
    from puretalk.cli.progress import Progress
    from puretalk.notices import begin_notices, send_notices
    from puretalk.operations import reports
    from puretalk.operations.secrets_file import find_exposed_secrets
    from puretalk.sync.options import SyncOptions
    from puretalk.sync.run import run_sync

    settings = load(data_dir, debug=debug, with_key=not demo, **flags)
    if demo:  # a folder of its own, and no report to those who watch over the real warehouse
        settings = _demo_settings(settings, data_dir)
        settings = replace(settings, operations=replace(settings.operations, ping_url="", metrics_file=""))
        settings = replace(settings, notice=NoticeSettings())
    if exposed := find_exposed_secrets(settings):
        complain(f"puretalk: {exposed}.")
    options = SyncOptions(full_refresh, accept_deletions, wait, keep_work)

    def sync_and_report(chosen: Settings) -> SyncOutcome:
        begin_notices(chosen)
        with lean_pyarrow(), lean_dlt():
            outcome = run_sync(chosen, options, listener=progress)
        progress.end_step()
        reports.report_success(chosen, outcome, steps=progress.durations)
        send_notices(chosen)
        return outcome

    with (
        explained_errors(settings, debug=debug),
        Progress(settings, has_bar=not is_verbose()) as progress,
        _watched(settings, progress),
    ):
        if demo:
            from puretalk.cli.demonstration import open_demo

            with open_demo(settings) as demo_settings:
                outcome = progress.run(lambda: sync_and_report(demo_settings))
        else:
            outcome = progress.run(lambda: sync_and_report(settings))
        if dashboard_file:
            from puretalk.dashboard import write_dashboard

            write_dashboard(outcome.snapshot, settings.data_dir / "dashboard.html")
    git_failure = history.continue_git(settings) if settings.git_dir and not demo else None
    if git_failure is not None:
        reports.report_failure(
            settings,
            type(git_failure).__name__,
            scrub(git_failure.message, settings),
            git_failure.exit_code,
            outcome.seconds,
            outcome.run.run_id,
        )
    exit_code = outcome.exit_code or (git_failure.exit_code if git_failure else 0)
    if not demo:
        replicated = replicate_after_sync(settings)
        exit_code = exit_code or replicated
    if as_json:
        summary = {
            **vars(outcome.run),
            "drift": outcome.run.drift or None,
            "notes": outcome.run.notes or None,
            "snapshot": str(outcome.snapshot),
            "tables": outcome.row_counts,
            "warnings": outcome.warnings,
            "seconds": round(outcome.seconds, 3),
            "exit_code": exit_code,
        }
        if timing:
            summary["steps"] = reports.round_steps(progress.durations)
        say(json.dumps(summary, default=to_json))
    elif sys.stdout.isatty():
        say_all(describe_outcome(outcome))
    if timing and not as_json:
        say_all(describe_steps(progress.durations))
    print_verdict(outcome)
    with suppress(SystemExit), explained_errors(settings, debug=debug):
        if git_failure is not None:
            raise git_failure
    sys.exit(exit_code)


@main.command()
@click.option("--base-url", help="URL of the API [PURETALK_BASE_URL].")
@verbose_option
@settings_options
def check(data_dir: Path | None, debug: bool, **flags: Any) -> None:
    """Is the key accepted, is the endpoint what we expect, is the directory writable? One line each."""
    from puretalk.operations.preflight import run_preflight
    from puretalk.operations.secrets_file import find_exposed_secrets

    settings = load(data_dir, debug=debug, with_key=True, **flags)
    if exposed := find_exposed_secrets(settings):
        complain(f"puretalk: {exposed}.")
    exit_code = 0
    with explained_errors(settings, debug=debug):
        for result in run_preflight(settings):
            exit_code = exit_code or result.exit_code
            mark = "ok  " if not result.exit_code else "FAIL"
            say(f"{mark}  {result.question}: {scrub(result.answer, settings)}")
    sys.exit(exit_code)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print it machine-readable.")
@click.option(
    "--check",
    "is_check",
    is_flag=True,
    help=f"For monitoring: exit {EXIT_STALE} when it is too old, or not as it was published.",
)
@click.option("--max-age", default="24h", show_default=True, help="With --check: how old it may be (90m, 2h, 1d).")
@settings_options
def status(as_json: bool, is_check: bool, max_age: str, data_dir: Path | None, debug: bool) -> None:
    """What is published: how fresh it is, how many rows, the newest updated_at."""
    from puretalk.readers.freshness import check_freshness, parse_age
    from puretalk.readers.published import read_published

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        if is_check:
            freshness = check_freshness(settings, parse_age(max_age))
            (say if freshness.is_fresh else complain)(freshness.message)
            sys.exit(0 if freshness.is_fresh else EXIT_STALE)
        published = read_published(settings.data_dir)
        if as_json:
            say(json.dumps(status_facts(published), default=to_json))
        else:
            say_all(describe_status(published))


@main.command(cls=SqlCommand)
@click.argument("sql", required=False)
@click.option(
    "-f",
    "--file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Read the SQL from a file.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Form of the result.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead.")
@click.option("--keep-formulas", is_flag=True, help="With --out: leave texts of CSV and TSV as they are.")
@click.option("--limit", type=click.IntRange(0), metavar="ROWS", help="Most rows of the result.")
@click.option("--local", "is_local", is_flag=True, help="Times in the time zone of this machine instead of UTC.")
@click.option(
    "--allow-files", is_flag=True, help="Let the statement read and write other files: for SQL that you trust."
)
@settings_options
def query(
    sql: str | None,
    file: Path | None,
    form: Format | None,
    out: Path | None,
    keep_formulas: bool,
    limit: int | None,
    is_local: bool,
    allow_files: bool,
    data_dir: Path | None,
    debug: bool,
) -> None:
    """Run one SQL statement over the published snapshot: a table on a terminal, CSV elsewhere.

    Without SQL and -f, or where SQL is -, the statement is read from stdin. It reaches the snapshot and nothing else.
    """
    from puretalk.readers.query import open_connection, run_statement

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        chosen, statement = choose_format(form, out), read_sql(sql, file)
        with open_connection(settings.data_dir, is_local=is_local, allow_files=allow_files) as connection:
            put_result(run_statement(connection, statement, limit=limit), chosen, out, keep_formulas=keep_formulas)


@main.command()
@click.argument("name", required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Form of the list.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead.")
@settings_options
def tables(name: str | None, form: Format | None, out: Path | None, data_dir: Path | None, debug: bool) -> None:
    """List the tables and views with their rows and meaning; with NAME, the columns of that one."""
    from puretalk.readers.connection import find_relation
    from puretalk.readers.query import open_connection
    from puretalk.readers.relations import list_columns, list_relations

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        chosen = choose_format(form, out)
        with open_connection(settings.data_dir) as connection:
            if name is None:
                put_result(list_relations(connection), chosen, out)
            else:
                put_result(list_columns(connection, *find_relation(connection, name)), chosen, out)


@main.command("sql")
@settings_options
def sql_command(data_dir: Path | None, debug: bool) -> None:
    """Ask the published snapshot in SQL, statement after statement, until Ctrl-D.

    Starts the program duckdb, read-only, where it is installed, otherwise a small prompt.
    """
    from puretalk.readers.published import find_snapshot

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise click.UsageError("This is for a terminal; `puretalk query` reads SQL from stdin or from -f FILE.")
        snapshot, program = find_snapshot(settings.data_dir), shutil.which("duckdb")
        if program is not None:
            os.execv(program, [program, "-readonly", "-cmd", "SET TimeZone = 'UTC'", str(snapshot)])
        from puretalk.cli.prompt import SqlPrompt
        from puretalk.readers.query import open_connection

        with open_connection(settings.data_dir) as connection:
            SqlPrompt(connection).start(
                f"puretalk {VERSION}, read-only. A statement ends with a semicolon; .help helps."
            )


@main.command()
@click.argument("assistant")
@settings_options
def explain(assistant: str, data_dir: Path | None, debug: bool) -> None:
    """Tell the life of one assistant: first seen, every version and what changed, deletions, returns.

    ASSISTANT is its id, the beginning of its id, or its name, as long as only one assistant has it.
    """
    from puretalk.readers.connection import connect
    from puretalk.readers.explain import explain_assistant

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug), closing(connect(settings.data_dir)) as connection:
        say_all(explain_assistant(connection, assistant))


main.add_command(changes)
main.add_command(mcp)


@main.command()
@settings_options
def snapshots(data_dir: Path | None, debug: bool) -> None:
    """List the snapshots that are kept, newest first."""
    from puretalk.warehouse.snapshots import SnapshotStore

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        for snapshot in SnapshotStore(settings.data_dir).list_snapshots():
            mark = "  ← readers get this one" if snapshot.is_current else ""
            size = f"{snapshot.size / 2**20:9.1f} MiB"
            say(f"{snapshot.snapshot_id}  {snapshot.created_at:%Y-%m-%d %H:%M:%S} UTC  {size}{mark}")


@main.command()
@click.argument("snapshot_id", required=False)
@settings_options
def rollback(snapshot_id: str | None, data_dir: Path | None, debug: bool) -> None:
    """Let readers have an earlier snapshot (default: the one before). The next sync continues from it."""
    from puretalk.sync.run import run_rollback

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        chosen = run_rollback(settings, snapshot_id, tell=lambda remark: complain(f"puretalk: {remark}."))
    say(f"readers get the snapshot of {chosen.created_at:%Y-%m-%d %H:%M:%S} UTC now")


@main.command()
@click.option("--timing", is_flag=True, help="Print what each model took.")
@click.option("--plan", "is_plan", is_flag=True, help="Print what would be done to each model, and why; do nothing.")
@verbose_option
@settings_options
def build(timing: bool, is_plan: bool, data_dir: Path | None, debug: bool) -> None:
    """Build the models and run the checks without a sync, and publish the result."""
    from puretalk.cli.progress import Progress
    from puretalk.sync.run import plan_build, run_build

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug), Progress(settings, has_bar=not is_verbose()) as progress:
        if is_plan:
            put_text(progress.run(lambda: f"{plan_build(settings, listener=progress)}\n"))
            return
        report = progress.run(lambda: run_build(settings, listener=progress))
    for warning in report.warnings:
        complain(f"puretalk: {warning.removesuffix('.')}.")
    if timing:
        for model in report.models:
            say(f"{model.seconds:8.3f} s  {model.outcome:9}  {model.name}")
        say(f"{sum(check.seconds for check in report.checks):8.3f} s  {len(report.checks)} checks")


@main.command()
@click.option("--html", "as_html", is_flag=True, help="One self-contained HTML page with the lineage drawn.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead.")
def docs(as_html: bool, out: Path | None) -> None:
    """Print the data dictionary: every table, view and column, and what it means."""
    from puretalk.models.dictionary import data_dictionary_html, data_dictionary_markdown

    with explained_errors(None, debug=False):
        text = data_dictionary_html() if as_html else data_dictionary_markdown()
        if out is not None:
            write_file(out, text.encode())
        else:
            put_text(text)


@main.group()
def export() -> None:
    """Write what puretalk has in the form of another tool."""


@export.command("dbt")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@settings_options
def export_dbt_project(folder: Path, data_dir: Path | None, debug: bool) -> None:
    """Write the models as a dbt project that runs on the published snapshot with dbt-duckdb."""
    from puretalk.models.audit import read_audit
    from puretalk.models.dbt_export import export_dbt
    from puretalk.warehouse.snapshots import PUBLISHED_NAME

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        files = export_dbt(
            folder,
            settings.data_dir / PUBLISHED_NAME,
            user_dir=settings.locate(settings.models_dir),
            audit=read_audit(settings),
        )
    say(f"{len(files)} files are in {folder}; with dbt-duckdb installed: cd {folder} && dbt build")


export.add_command(export_parquet_files)


@main.command()
@click.argument("kind", type=click.Choice(["cron", "systemd", "github-actions", "airflow", "dagster"]))
@click.option("--every", "every_minutes", type=click.IntRange(1), default=15, show_default=True, help="Minutes.")
@settings_options
def schedule(kind: Kind, every_minutes: int, data_dir: Path | None, debug: bool) -> None:
    """Print a ready recipe for a scheduler, with the paths of this installation."""
    from puretalk.operations.schedule import render

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        put_text(render(kind, every_minutes=every_minutes, settings=settings))


@main.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file [data dir/dashboard.html].")
@click.option("--spec", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Your own tiles and charts.")
@click.option("--no-prompts", is_flag=True, help="Leave out prompt texts and personal data, for sharing.")
@click.option("--open", "is_opened", is_flag=True, help="Open it in the browser.")
@click.option("--serve", "is_served", is_flag=True, help="Serve it on loopback until stopped.")
@settings_options
def dashboard(
    out: Path | None,
    spec: Path | None,
    no_prompts: bool,
    is_opened: bool,
    is_served: bool,
    data_dir: Path | None,
    debug: bool,
) -> None:
    """Write the dashboard of the published snapshot: one HTML file that works offline."""
    from puretalk.dashboard import serve_dashboard, write_dashboard
    from puretalk.readers.published import find_snapshot

    settings = load(data_dir, debug=debug)
    target = out or settings.data_dir / "dashboard.html"
    with explained_errors(settings, debug=debug):
        report = write_dashboard(find_snapshot(settings.data_dir), target, spec=spec, include_prompts=not no_prompts)
        say(str(report.path))
        if is_opened:
            click.launch(str(report.path))
        if is_served:
            with suppress(KeyboardInterrupt):
                serve_dashboard(report.path, on_ready=say)


@main.command("demo-api")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=8080, show_default=True)
@click.option("--key", default="demo-key", show_default=True, help="The key that it accepts.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--assistants", type=click.IntRange(0), default=120, show_default=True)
@click.option("--latency", type=float, default=0.0, show_default=True, help="Seconds before each answer.")
@click.option("--page-cap", type=int, default=100, show_default=True, help="Most records that a page holds.")
@click.option("--order", default="created", show_default=True)
def demo_api(host: str, port: int, key: str, seed: int, assistants: int, **knobs: Any) -> None:
    """Run the embedded demo API by hand, until Ctrl-C."""
    from puretalk.demo import Account, serve

    def announce(api: DemoApi) -> None:
        say(f"PURETALK_BASE_URL={api.base_url} PURETALK_API_KEY={key} puretalk sync")

    serve(Account(seed, assistants), host, port, key, ready=announce, **knobs)


@main.command("demo")
@settings_options
def demo_command(data_dir: Path | None, debug: bool) -> None:
    """Show the whole thing: sync the demo account, let it change, sync again, ask what happened."""
    from puretalk.cli.demonstration import show_demo

    settings = load(data_dir, debug=debug)
    settings = _demo_settings(settings, data_dir)
    with explained_errors(settings, debug=debug):
        show_demo(settings, lambda lines: put_text(f"{lines}\n"))


def _demo_settings(settings: Settings, data_dir: Path | None) -> Settings:
    """The settings with a data directory of the demo's own, unless one was asked for."""
    if data_dir is not None or os.environ.get("PURETALK_DATA_DIR"):
        return settings
    return replace(settings, data_dir=settings.data_dir / "demo")


history.register(main)


def run() -> None:
    """The entry point: `main` where the current directory is gone, or the reader of the output is."""
    leave_out_httpx_command()
    give_memory_back()
    look_for_cycles_less()
    os.umask(os.umask(0o077) | 0o022)  # what libraries and git write is never writable for other users
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir("/")
    try:
        try:
            main(standalone_mode=True)
        finally:
            try:
                sys.stdout.flush()
            except BrokenPipeError:  # `puretalk query … | head` closes the pipe early
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except SystemExit as ended:
        end_process(ended)
