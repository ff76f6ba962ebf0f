"""Claims about everything that runs leave behind: the key is in none of it, in no spelling, even where the API sends it
back inside records and errors. And whoever runs them is told."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
from support.commandline import CommandLine, Ended

from puretalk.demo import Account, DemoApi

pytestmark = pytest.mark.slow

KEY = "pk-9F8e7D6c5B4a39281706/x"
ESCAPED = "".join(f"\\u{ord(c):04x}" for c in KEY)
#: The key as a search of bytes in lower case finds it. Written without the code that hides it.
FORMS = {
    KEY.lower(),
    json.dumps(KEY)[1:-1].lower().replace("/", "\\/"),
    ESCAPED,
    ESCAPED.replace("\\", "\\\\"),
    quote(KEY, safe="").lower(),
    "".join(f"%{ord(c):02x}" for c in KEY),
    KEY.encode().hex(),
    *(base64.b64encode(bytes(n) + KEY.encode()).decode().lower()[-(-n * 8 // 6) : -4] for n in range(3)),
}


def found_in(content: bytes) -> list[str]:
    return [form for form in FORMS if form.encode() in content.lower()]


def leaky_account() -> tuple[Account, list[str]]:
    """Assistants that hold the key, each in another place and spelling; one holds nothing but the beginning."""
    account = Account(assistants=9)
    ids = account.live_ids()
    account.edit(ids[0], name=f"Desk {KEY}", prompt=f"Call with X-API-KEY: {KEY.upper()}.")
    account.edit(ids[1], prompt=ESCAPED, begin_message=quote(KEY, safe=""))
    account.edit(ids[2], tools=json.dumps({"headers": {"X-API-KEY": KEY}}), variables=[{"name": KEY, "value": KEY}])
    account.edit(ids[3], new_field={"deep": [{KEY: [KEY]}]}, voice_speed=KEY)
    account.edit(ids[4], chatbot_faq=base64.b64encode(f"u:{KEY}".encode()).decode(), post_analysis=KEY.encode().hex())
    account.edit(ids[5], llm_states=[{"state_id": KEY, "name": KEY, "children": [{"prompt": KEY}], "tools": [KEY]}])
    voice = account.record(ids[6])["voice"]
    account.edit_voice(voice["voice_id"], name=f"Voice {KEY}")
    account.edit(ids[7], prompt=f"A key begins with {KEY[:10]}")
    account.put_raw("no-id", {"name": "without an id", "prompt": KEY})
    return account, ids


@dataclass
class Left:
    """What the runs left behind. `command_lines`: of all processes of the machine, in the middle of a run."""

    folder: Path
    ids: list[str]
    command: CommandLine
    ended: dict[str, Ended] = field(default_factory=dict)
    command_lines: list[bytes] = field(default_factory=list)


@contextmanager
def echoing_server(status: int, body: bytes) -> Iterator[str]:
    """An API that answers everything with this; its base URL."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    folder = tmp_path_factory.mktemp("left")
    secret = tmp_path_factory.mktemp("secret") / "key"
    secret.write_text(KEY)
    (folder / "tmp").mkdir()
    own = {"TMPDIR": str(folder / "tmp"), "PURETALK_API_KEY_FILE": str(secret)}
    account, ids = leaky_account()
    with DemoApi(account, key=KEY, page_cap=4) as api:
        command = CommandLine(folder / "data", folder, api)
        left = Left(folder, ids, command)

        def look_at_processes(_page: int) -> None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                if path.parent.name != str(os.getpid()):
                    try:
                        left.command_lines.append(path.read_bytes())
                    except OSError:
                        continue

        def run(name: str, *arguments: str, has_models: bool = True, **more: str) -> None:
            one = CommandLine(folder / "data", folder, api, has_models=has_models)
            environment = one.environment(**own, **more)
            del environment["PURETALK_API_KEY"]
            left.ended[name] = KeyFile(one, environment)(*arguments)

        api.before_page = look_at_processes
        run("check", "check", "-v")
        run("first", "sync", "-v", "--keep-work", "--dashboard", PURETALK_GIT_DIR=str(folder / "git"))
        run("quiet", "sync", "-v", "--json", has_models=False)
        account.edit(ids[7], prompt="Another one")
        run("second", "sync", "-v", "--full-refresh", "--keep-work", has_models=False)
        (folder / "models").mkdir()
        (folder / "models" / "broken.sql").write_text("SELECT no_such_column FROM staging.stg_assistants")
        run("broken", "sync", "-v", PURETALK_MODELS_DIR=str(folder / "models"))
        for name in ("explain", "show"):
            run(name, name, ids[0])
        run("query", "query", "FROM assistant_versions", "--format", "json")
        run("changes", "changes", "--since", "yesterday", "--texts")
        for number, form in enumerate(sorted({KEY, KEY[:14], KEY[9:], KEY.swapcase(), *FORMS})):
            body = json.dumps({"detail": f"rejected {form}", form: 1}).encode()
            with echoing_server(
                (200, 401, 500)[number % 3], body if number % 2 else f"<h1>rejected {form}".encode()
            ) as url:
                run(f"echo {number}", "check", "-v", PURETALK_BASE_URL=url, PURETALK_RETRY_BUDGET="0")
    return left


@dataclass(frozen=True)
class KeyFile:
    """The command line with an environment that holds the key's file and not the key."""

    command: CommandLine
    own: dict[str, str]

    def __call__(self, *arguments: str) -> Ended:
        class Fixed(CommandLine):
            own = self.own

            def environment(self, **more: str) -> dict[str, str]:
                return self.own | more

        one = self.command
        return Fixed(one.data_dir, one.home, one.api, one.has_models)(*arguments)


def test_the_runs_ended_as_they_should(left: Left) -> None:
    codes = {name: ended.exit_code for name, ended in left.ended.items() if not name.startswith("echo")}
    assert codes == {
        **dict.fromkeys(("check", "first", "quiet", "second", "explain", "show", "query", "changes"), 0),
        "broken": 6,
    }, {name: ended.error for name, ended in left.ended.items()}
    assert {ended.exit_code for name, ended in left.ended.items() if name.startswith("echo")} == {3, 4, 5}
    assert left.ended["check"].output.startswith("ok    key: from PURETALK_API_KEY_FILE, accepted by ")


def test_no_output_and_no_process_shows_the_key(left: Left) -> None:
    for name, ended in left.ended.items():
        assert found_in(ended.output.encode()) == [], name
        assert found_in(ended.error.encode()) == [], name
    assert len(left.command_lines) > 10
    assert [line for line in left.command_lines if found_in(line)] == []


def test_no_excerpt_of_an_answer_shares_eight_characters_with_the_key(left: Left) -> None:
    told = [ended.output + ended.error for name, ended in left.ended.items() if name.startswith("echo")]
    assert any("rejected ***" in text for text in told)
    parts = {form[at : at + 8] for form in (KEY.lower(), KEY.encode().hex()) for at in range(len(form) - 7)}
    for text in told:
        assert [part for part in parts if part in text.lower()] == []


def test_no_file_holds_the_key(left: Left) -> None:
    files = [path for path in left.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    kinds = {path.relative_to(left.folder).parts[1] for path in files if path.is_relative_to(left.folder / "data")}
    assert kinds >= {"snapshots", "kept", "failed", "logs", "dashboard.html"}
    assert any(path.suffix == ".parquet" for path in files), "what dlt was given to load is among them"
    assert [str(path) for path in files if found_in(path.read_bytes())] == []
    assert [str(path) for path in left.folder.rglob("*") if found_in(str(path).encode())] == []


def test_no_row_of_any_database_holds_the_key(left: Left) -> None:
    databases = [path for path in left.folder.rglob("*.duckdb") if path.is_file() and not path.is_symlink()]
    assert len(databases) >= 4
    for path in databases:
        with duckdb.connect(str(path), read_only=True) as connection:
            names = connection.execute(
                "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()"
            ).fetchall()
            for schema, name in names:
                # What DuckDB compresses, a search of the file would not find.
                for (row,) in connection.execute(f'SELECT t::VARCHAR FROM "{schema}"."{name}" AS t').fetchall():
                    assert found_in(row.encode()) == [], f"{path} {schema}.{name}"


def test_what_stands_beside_the_key_is_kept_and_a_beginning_is_no_key(left: Left) -> None:
    shown = left.ended["show"].output
    assert 'name: "Desk ***"' in shown
    assert "Call with X-API-KEY: ***." in shown
    versions = json.loads(left.ended["query"].output)
    texts = {each["assistant_id"]: json.dumps(each["config"]) for each in versions}
    assert len(texts) == 9
    assert any(f"A key begins with {KEY[:10]}" in json.dumps(each["config"]) for each in versions)
    assert '"***": ["***"]' in texts[left.ids[3]]


def test_who_runs_a_sync_is_told_of_each_record_that_holds_the_key(left: Left) -> None:
    holders = [each for each in left.ids if each not in (left.ids[7], left.ids[8])]
    for name in ("first", "quiet", "second"):
        [line] = [line for line in left.ended[name].message if "hold the API key" in line]
        told = int(line.partition("puretalk: ")[2].split()[0])
        assert told >= len(holders) + 1, "all of them, those that share the voice, and the one without an id"
        assert "make a new key" in line
    assert "records that hold the API key, which is left out" in left.ended["check"].output
    assert json.loads(left.ended["quiet"].output)["unchanged"] == 9
