"""The dashboard as a file: what is declared, what it contains, what it never contains. A browser reads it in
test_dashboard_browser.py."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest
from support.dashboards import FORMULAS, HOSTILE, SYNCED_AT, all_text, blocks, hostile_account, write_snapshot
from support.warehouses import observe, open_warehouse

from puretalk.dashboard import serve_dashboard, write_dashboard
from puretalk.dashboard.page import shown
from puretalk.dashboard.redaction import SHAREABLE, SHAREABLE_FIELDS
from puretalk.dashboard.script import read_script
from puretalk.dashboard.spec import Chart, Detail, Table, Tile, load_spec
from puretalk.demo import Account
from puretalk.errors import ConfigurationError, WarehouseError
from puretalk.models.build import build_models
from puretalk.models.model import sql_folder

SECRETS: dict[str, Any] = {
    "prompt": "secret-prompt",
    "begin_message": "secret-greeting",
    "phone_number": "+1-202-555-0199",
    "custom_knowledge_base": "secret-knowledge",
    "post_analysis": "secret-analysis",
    "tools": "secret-tools",
    "chatbot_faq": "secret-faq",
    "chatbot_begin_message": "secret-chatbot",
    "chatbot_whitelisted_domains": ["secret-domain.example"],
    "variables": [{"name": "callback", "value": "secret-value"}],
    "llm_states": [
        {"state_id": "s1", "name": "Greeting", "description": "secret-description", "prompt": "secret-state-prompt"}
    ],
    "user": {"name": "Secret Owner", "email": "secret.owner@example.com", "dp": None},
    "shoe_size": "secret-extra",
}
MARKS = ("secret", "Secret Owner", "555-0199")


DASHBOARD = Path(__file__).parents[2] / "pipelines" / "puretalk" / "dashboard"


class Elements(HTMLParser):
    """The elements and attributes that a page really has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory, _empty_environment: None) -> Path:
    return write_snapshot(tmp_path_factory.mktemp("snapshot") / "hostile.duckdb", hostile_account())


@pytest.fixture
def read(snapshot: Path) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


@pytest.fixture
def page(snapshot: Path, tmp_path: Path) -> str:
    write_dashboard(snapshot, tmp_path / "page.html", now=SYNCED_AT)
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def own(tmp_path: Path, text: str) -> Path:
    (tmp_path / "own.yml").write_text(text, encoding="utf-8")
    return tmp_path / "own.yml"


# The spec


def test_three_lines_make_a_chart_that_takes_part_in_filters(snapshot: Path, tmp_path: Path) -> None:
    spec = own(
        tmp_path,
        """
charts:
  - title: By who speaks first
    sql: SELECT assistant_id, who_speaks_first AS label FROM marts.dim_assistants WHERE is_live
""",
    )
    write_dashboard(snapshot, tmp_path / "page.html", spec=spec)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    (chart,) = (one for one in blocks(page)["data"]["charts"] if one["id"] == "by_who_speaks_first")
    assert sorted(chart["labels"]) == ["assistant", "user"]
    assert len(chart["members"]["assistants"]) == 40
    assert 'id="chart-by_who_speaks_first"' in page


def test_own_items_change_hide_and_extend_the_built_in_ones(tmp_path: Path) -> None:
    spec = load_spec(
        own(
            tmp_path,
            """
title: Our fleet
tiles:
  - {id: assistants, title: Bots}
charts:
  - {id: by_model, hide: true}
  - {id: findings_by_severity, hide: true}
  - {title: Mine, section: Ours, sql: SELECT 1 AS label;}
""",
        )
    )
    built_in = load_spec()
    assert spec.title == "Our fleet"
    assert spec.tiles[0].title == "Bots"
    assert spec.tiles[0].sql == built_in.tiles[0].sql
    hidden = {"by_model", "findings_by_severity"}
    assert [chart.id for chart in spec.charts] == [c.id for c in built_in.charts if c.id not in hidden] + ["mine"]
    assert spec.charts[-1].sql == "SELECT 1 AS label"
    assert spec.sections == (*built_in.sections, "Ours")
    assert all(tile.chart != "findings_by_severity" for tile in spec.tiles)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("charts: [{title: X, sql: SELECT 1, colour: red}]", "'x' .*unknown key 'colour'"),
        ("charts: [{title: X}]", "'x' .*has no sql"),
        ("charts: [{sql: SELECT 1}]", "neither id nor title"),
        ("charts: [{title: X, sql: '  '}]", "'x' .*has no SQL"),
        ("charts: [{title: X, sql: SELECT 1, kind: pie}]", "kind must be one of bars, columns"),
        ("charts: [{title: X, sql: SELECT 1, limit: many}]", "limit must be int"),
        ("charts: [{title: X, id: 'a b', sql: SELECT 1}]", "the id 'a b'"),
        ("chart: []", "unknown key 'chart'"),
        ("charts: {}", "charts must be a list"),
        ("- a", "not a mapping"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_wrong_spec_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_spec(own(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("charts: [{title: X, sql: SELECT nothing FROM nowhere}]", "the chart 'x'"),
        ("charts: [{title: X, sql: SELECT 1 AS one}]", "no column named label"),
        ("tiles: [{title: X, sql: SELECT}]", "the tile 'x'"),
        ("tables: [{title: X, sql: 'SELECT 1; DROP TABLE a'}]", "the table 'x'"),
        ("details: [{title: X, sql: SELECT * FROM marts.nothing}]", "the detail 'x'"),
        ("tables: [{title: X, sql: SELECT * FROM read_text('/etc/hostname')}]", "the table 'x'"),
    ],
)
def test_sql_that_does_not_run_is_named_and_leaves_the_old_page(
    snapshot: Path, tmp_path: Path, text: str, said: str
) -> None:
    out = tmp_path / "page.html"
    out.write_text("the old page")
    with pytest.raises(ConfigurationError, match=said):
        write_dashboard(snapshot, out, spec=own(tmp_path, text))
    assert out.read_text() == "the old page"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.yml", "page.html"]


def test_every_key_of_the_spec_stands_in_the_docs() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text(encoding="utf-8")
    keys = {one.name for kind in (Tile, Chart, Table, Detail) for one in fields(kind)}
    assert [key for key in sorted(keys) if f"`{key}`" not in docs] == []


# The figures


def test_tiles_equal_sql(page: str, read: Callable[[str], list[tuple[Any, ...]]]) -> None:
    live, share = read("SELECT count(*), avg(is_recorded::int) FROM marts.dim_assistants WHERE is_live")[0]
    findings = read("SELECT count(*) FROM marts.rpt_config_findings")[0][0]
    changed = read(
        f"SELECT count(DISTINCT assistant_id) FROM marts.fct_assistant_versions "
        f"WHERE NOT is_first AND valid_from > TIMESTAMPTZ '{SYNCED_AT.isoformat()}' - INTERVAL 7 DAY"
    )[0][0]
    assert isinstance(share, float)
    shown_values = re.findall(r"data-value>([^<]*)<", page)
    assert shown_values == [str(live), shown(share, "percent"), str(findings), str(changed)]


def test_charts_equal_sql(page: str, read: Callable[[str], list[tuple[Any, ...]]]) -> None:
    charts = {chart["id"]: chart for chart in blocks(page)["data"]["charts"]}
    by_language: dict[str, int] = dict(
        read("SELECT coalesce(voice_language, '(none)'), count(*) FROM marts.dim_assistants WHERE is_live GROUP BY ALL")
    )
    chart = charts["by_language"]
    counted = {label: chart["members"]["labels"].count(place) for place, label in enumerate(chart["labels"])}
    assert counted == by_language
    changes = read("SELECT count(*) FROM marts.fct_config_changes")[0][0]
    assert len(charts["changes_per_week"]["members"]["assistants"]) == changes
    rows = re.findall(r'data-chart-data="by_language">.*?</table>', page, re.S)[0]
    assert {
        label: int(value) for label, value in re.findall(r"<td>([^<]*)</td><td[^>]*>([^<]*)</td>", rows)
    } == by_language


def test_a_quiet_week_is_a_gap(tmp_path: Path, snapshot: Path) -> None:
    spec = own(
        tmp_path,
        """
charts:
  - title: Weeks
    kind: columns
    step_days: 7
    sql: SELECT DATE '2026-11-02' + days AS label FROM (VALUES (0), (21)) AS t(days)
""",
    )
    write_dashboard(snapshot, tmp_path / "page.html", spec=spec)
    charts = blocks((tmp_path / "page.html").read_text(encoding="utf-8"))["data"]["charts"]
    assert charts[-1]["labels"] == ["2026-11-02", "2026-11-09", "2026-11-16", "2026-11-23"]


@pytest.mark.parametrize(
    ("value", "format_", "text"),
    [
        (None, "integer", "–"),
        ("", "text", "–"),
        (0, "integer", "0"),
        (1234567, "integer", "1,234,567"),
        (0.5, "number", "0.5"),
        (1200.0, "number", "1,200"),
        (-0.0001, "number", "0"),
        (0.0625, "percent", "6.3%"),
        (1.0, "percent", "100%"),
        (12.34, "seconds", "12.3 s"),
        (True, "bool", "yes"),
        ("2026-11-01T09:00:59Z", "time", "2026-11-01 09:00"),
    ],
)
def test_values_are_written_for_people(value: str | float | None, format_: str, text: str) -> None:
    assert shown(value, format_) == text


def test_the_same_snapshot_gives_the_same_bytes(snapshot: Path, tmp_path: Path) -> None:
    first = write_dashboard(snapshot, tmp_path / "a.html", now=SYNCED_AT)
    write_dashboard(snapshot, tmp_path / "b.html", now=SYNCED_AT)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert first.bytes == (tmp_path / "a.html").stat().st_size


def unpacked(value: Any, texts: list[str]) -> Any:
    if not isinstance(value, list):
        return value
    return json.dumps(texts[value[0]]) if len(value) == 2 else texts[value[0]]


def parsed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return *row[:3], *(None if value is None else json.loads(value) for value in row[3:])


def test_history_of_an_assistant_is_in_its_chunk(page: str, read: Callable[[str], list[tuple[Any, ...]]]) -> None:
    found = blocks(page)
    data = found["data"]
    wanted = read(
        "SELECT assistant_id, version_number, path, old_value, new_value FROM marts.fct_config_changes "
        "ORDER BY assistant_id, version_number DESC, path"
    )
    changes = next(detail["changes"] for detail in data["details"] if detail["id"] == "history")
    stored = []
    for place, assistant_id in sorted(enumerate(data["ids"]), key=lambda one: one[1]):
        chunk = found[f"chunk-{data['chunkOf'][place]}"]
        for packed in chunk["assistants"][str(place)].get("history.changes", []):
            row = [unpacked(value, chunk["texts"]) for value in packed]
            one = dict(zip(changes, row, strict=True))
            stored.append((assistant_id, one["version_number"], one["path"], one["old_value"], one["new_value"]))
    assert [parsed(row) for row in wanted] == [parsed(row) for row in stored]


# What may not be in it


def test_hostile_text_adds_no_element_and_no_attribute(page: str) -> None:
    template = (DASHBOARD / "templates" / "page.html.j2").read_text(encoding="utf-8")
    elements = Elements(page)
    assert {tag for tag, _ in elements.found} <= set(re.findall(r"<([a-z]\w*)", template))
    attributes = {name for _, attributes in elements.found for name in attributes}
    assert attributes <= {name.lower() for name in re.findall(r"[\s}]([a-zA-Z-]+)(?==|[\s>{])", template)}
    names = blocks(page)["data"]["names"]
    assert [text for text in HOSTILE if not any(str(name).startswith(text) for name in names)] == []
    assert [text for text in FORMULAS if text not in names] == []


def test_page_refers_to_nothing_outside(page: str) -> None:
    references = [
        (tag, name, value)
        for tag, attributes in Elements(page).found
        for name, value in attributes.items()
        if name in ("src", "srcset", "href", "action", "data", "poster", "style", "background")
        or name.startswith(("on", "xlink"))
    ]
    assert {
        value for _, _, value in references if value not in ("data:,", "#") and not str(value).startswith("#")
    } == set()
    assert all(name == "href" for _, name, _ in references)


def test_policy_allows_the_script_and_the_style_by_hash_and_nothing_else(page: str) -> None:
    policy = next(
        attributes["content"] or ""
        for tag, attributes in Elements(page).found
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.S)

    def allowed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert policy == (
        f"default-src 'none'; script-src {allowed(script)}; style-src {allowed(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_script_writes_no_html() -> None:
    script = read_script()
    code = re.sub(r"//[^\n]*", "", script)
    forbidden = (
        r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|Function|fetch|XMLHttpRequest|WebSocket)\b"
    )
    assert re.findall(forbidden, code) == []
    assert "</script" not in script


@pytest.fixture(scope="session")
def secret_snapshot(tmp_path_factory: pytest.TempPathFactory, _empty_environment: None) -> Path:
    account = Account(seed=2, assistants=8)
    for key in account.live_ids()[:4]:
        account.edit(key, **SECRETS)
    path = tmp_path_factory.mktemp("secret") / "puretalk.duckdb"
    connection = open_warehouse(path)
    observe(connection, SYNCED_AT - timedelta(days=9), account.records())
    for key in account.live_ids()[:3]:
        account.edit(
            key,
            prompt="secret-prompt, mail secret.third@example.com",
            model="gpt-9",
            variables=[{"name": "callback", "value": "secret-item"}],
        )
    observe(connection, SYNCED_AT, account.records())
    build_models(connection)
    connection.close()
    return path


OWN_WITH_PROMPTS = """
charts:
  - {title: Mine, sql: "SELECT assistant_id, prompt AS label FROM puretalk.assistants"}
tables:
  - {title: All versions, sql: "SELECT assistant_id, config FROM puretalk.assistant_versions"}
  - {title: Users, sql: "SELECT * FROM puretalk.users"}
  - {title: Staged, sql: "SELECT * FROM staging.stg_assistants"}
  - {title: Stored, sql: "SELECT * FROM assistants"}
details:
  - {title: Raw, sql: "SELECT assistant_id, item FROM puretalk.assistant_variables"}
"""


def test_page_without_prompts_holds_no_prompt_and_nobody(secret_snapshot: Path, tmp_path: Path) -> None:
    spec = own(tmp_path, OWN_WITH_PROMPTS)
    write_dashboard(secret_snapshot, tmp_path / "all.html", spec=spec)
    write_dashboard(secret_snapshot, tmp_path / "some.html", spec=spec, include_prompts=False)
    everything = all_text((tmp_path / "all.html").read_text(encoding="utf-8"))
    some = all_text((tmp_path / "some.html").read_text(encoding="utf-8"))
    planted = {text for value in SECRETS.values() for text in re.findall(r"secret[\w.@-]*", str(value))}
    assert sorted(text for text in planted - {"secret-extra"} if text not in everything) == [], "the control must hold"
    assert [mark for mark in MARKS if mark in some] == []
    assert "without prompts and personal data" in some
    assert "gpt-9" in some, "harmless settings and their history stay"


def test_page_without_prompts_keeps_the_figures(secret_snapshot: Path, tmp_path: Path) -> None:
    write_dashboard(secret_snapshot, tmp_path / "all.html")
    write_dashboard(secret_snapshot, tmp_path / "some.html", include_prompts=False)
    pages = [(tmp_path / name).read_text(encoding="utf-8") for name in ("all.html", "some.html")]
    values = [re.findall(r"data-value>([^<]*)<", page) for page in pages]
    assert values[0] == values[1]
    charts = [blocks(page)["data"]["charts"] for page in pages]
    assert charts[0] == charts[1]


def test_every_relation_that_may_be_shared_is_still_there(snapshot: Path) -> None:
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        rows = connection.execute(
            "SELECT schema_name || '.' || table_name, column_name FROM duckdb_columns()"
        ).fetchall()
    there = set(rows)
    assert [(name, one) for name, columns in SHAREABLE.items() for one in columns if (name, one) not in there] == []


def test_words_about_a_version_hold_the_values_of_fields_that_may_be_shared() -> None:
    sql = (sql_folder() / "intermediate" / "int_change_words.sql").read_text(encoding="utf-8")
    named = re.findall(r"'(\w+)'", sql[sql.index("field in (") : sql.index(") as has_values")])
    assert len(named) > 10
    assert set(named) <= set(SHAREABLE_FIELDS)


# What changed, and which findings are gone


def test_feed_and_findings_tell_who_owns_what_and_which_version(
    page: str, read: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    data = blocks(page)["data"]
    tables = {table["id"]: table for table in data["tables"]}

    def rows(name: str, *titles: str) -> list[tuple[Any, ...]]:
        table = tables[name]
        columns = [table["columns"][table["titles"].index(title)] for title in titles]
        return list(zip([data["ids"][place] for place in table["assistants"]], *columns, strict=True))

    feed = tables["feed"]
    # The first sync finds everything new: that is no news.
    expected = [
        ((key, event, owner), version if event not in ("new", "deleted") else None)
        for key, event, owner, version in read(
            "SELECT assistant_id, event, owner_name, version_number FROM marts.fct_assistant_events "
            "JOIN marts.dim_assistants USING (assistant_id) "
            "WHERE observed_at > (SELECT min(observed_at) FROM marts.fct_assistant_events)"
        )
    ]
    assert Counter(zip(rows("feed", "Event", "Owner"), feed["versions"], strict=True)) == Counter(expected)
    assert {"new", "changed", "deleted"} <= {event for _, event, _ in rows("feed", "Event", "Owner")}
    gone = read(
        "SELECT history.assistant_id, severity, place FROM marts.fct_finding_history AS history "
        "JOIN marts.dim_assistants USING (assistant_id) WHERE resolved_at IS NOT NULL AND is_live"
    )
    assert gone, "the account must repair something"
    assert sorted(rows("resolved_findings", "Severity", "Place")) == sorted(gone)
    owners = read("SELECT assistant_id, owner_name FROM marts.dim_assistants")
    for name in ("findings", "resolved_findings"):
        assert set(rows(name, "Owner")) <= set(owners)
        assert tables[name]["versions"] is None


# Where there is little or nothing


def test_an_empty_account_makes_a_page(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "empty.duckdb", Account(empty=True), syncs=1)
    report = write_dashboard(snapshot, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert report.assistants == 0
    assert "There are no assistants in the warehouse yet" in page
    assert re.findall(r"data-value>([^<]*)<", page) == ["0", "–", "0", "0"]


def test_no_snapshot_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="no published snapshot") as raised:
        write_dashboard(tmp_path / "puretalk.duckdb", tmp_path / "page.html")
    assert "puretalk sync" in raised.value.action


def test_a_file_that_is_no_snapshot_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.duckdb").write_text("not a database, but long enough to look at" * 100)
    with pytest.raises(WarehouseError, match="cannot be read"):
        write_dashboard(tmp_path / "a.duckdb", tmp_path / "page.html")
    duckdb.connect(str(tmp_path / "b.duckdb")).close()
    with pytest.raises(WarehouseError, match="no marts"):
        write_dashboard(tmp_path / "b.duckdb", tmp_path / "page.html")


def test_old_figures_say_so(snapshot: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    fresh = write_dashboard(snapshot, out, now=SYNCED_AT + timedelta(hours=2))
    assert not fresh.is_stale
    assert re.search(r'id="stale" role="status" hidden>', out.read_text(encoding="utf-8"))
    stale = write_dashboard(snapshot, out, now=SYNCED_AT + timedelta(hours=2), stale_after=timedelta(hours=1))
    assert stale.is_stale
    assert re.search(r'id="stale" role="status">', out.read_text(encoding="utf-8"))


# The file


def test_page_is_the_owners_alone_and_keeps_the_permissions_it_was_given(snapshot: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    write_dashboard(snapshot, out)
    assert out.stat().st_mode & 0o777 == 0o600
    out.chmod(0o644)
    write_dashboard(snapshot, out)
    assert out.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_place_that_cannot_be_written_is_an_error_without_remains(snapshot: Path, tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="cannot be written"):
        write_dashboard(snapshot, tmp_path / "missing" / "page.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WarehouseError, match="cannot be written"):
        write_dashboard(snapshot, tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_snapshot_is_only_read(snapshot: Path, tmp_path: Path) -> None:
    published = tmp_path / "snapshots" / "one.duckdb"
    published.parent.mkdir()
    published.write_bytes(snapshot.read_bytes())
    published.chmod(0o444)
    link = tmp_path / "puretalk.duckdb"
    link.symlink_to("snapshots/one.duckdb")
    before = published.stat()
    write_dashboard(link, tmp_path / "page.html")
    write_dashboard(link, tmp_path / "page.html", include_prompts=False)
    after = published.stat()
    assert (after.st_mtime_ns, after.st_size, after.st_ino) == (before.st_mtime_ns, before.st_size, before.st_ino)
    assert [path.name for path in published.parent.iterdir()] == ["one.duckdb"]


# Over HTTP


@pytest.fixture
def served(tmp_path: Path) -> tuple[Path, str]:
    page = tmp_path / "page.html"
    page.write_text("<p>one</p>")
    ready: list[str] = []
    is_ready = threading.Event()

    def on_ready(address: str) -> None:
        ready.append(address)
        is_ready.set()

    threading.Thread(target=serve_dashboard, args=(page,), kwargs={"on_ready": on_ready}, daemon=True).start()
    assert is_ready.wait(10)
    return page, ready[0]


def ask(address: str, path: str = "", method: str = "GET", host: str | None = None) -> tuple[int, dict[str, str], str]:
    """`path` is below the address; one that begins with a slash stands in place of its path."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        whole = path if path.startswith("/") else urlsplit(address).path + path
        connection.request(method, whole, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def test_served_page_is_never_cached_and_read_anew(served: tuple[Path, str]) -> None:
    page, address = served
    status, headers, body = ask(address)
    assert (status, body) == (200, "<p>one</p>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    page.write_text("<p>two</p>")
    assert ask(address)[2] == "<p>two</p>"
    assert ask(address, method="HEAD")[0::2] == (200, "")


def test_server_has_one_page_and_answers_to_its_own_name(served: tuple[Path, str]) -> None:
    page, address = served
    assert ask(address, "page.html")[0] == 404
    assert ask(address, "../page.html")[0] == 404
    assert ask(address, "?from=a-bookmark")[0] == 200
    assert ask(address, host="rebound.example.com")[0] == 421
    assert ask(address, method="POST")[0] == 501
    page.unlink()
    assert ask(address)[0] == 503


def test_served_page_is_for_who_has_its_address_only(served: tuple[Path, str]) -> None:
    page, address = served
    token = urlsplit(address).path.strip("/")
    assert len(token) >= 32
    for path in ("/", "/page.html", f"/{token[:-1]}/", f"/{token}x/", f"/x/{token}/", f"/?{token}", "/%00/", "//", "*"):
        status, headers, body = ask(address, path if path.startswith("/") else f"/{path}")
        assert (status, body) == (403, "Use the address that `puretalk dashboard` printed.\n"), path
        assert token not in str(headers)
    assert ask(address)[0] == 200
    again: list[str] = []
    is_ready = threading.Event()

    def on_ready(other: str) -> None:
        again.append(other)
        is_ready.set()

    threading.Thread(target=serve_dashboard, args=(page,), kwargs={"on_ready": on_ready}, daemon=True).start()
    assert is_ready.wait(10)
    assert ask(again[0], urlsplit(address).path)[0] == 403, "each start has its own"


def test_sql_of_the_spec_reads_marts_and_the_normalized_layer_only() -> None:
    spec = load_spec()
    marts = {path.stem for path in (sql_folder() / "marts").glob("*.sql")}
    items = (*spec.tiles, *spec.charts, *spec.tables, *spec.details)
    texts = [getattr(item, key, "") for item in items for key in ("sql", "trend", "changes")]
    read_from = {name for text in texts for name in re.findall(r"\b(?:FROM|JOIN)\s+(\w+\.\w+)", text)}
    assert {name for name in read_from if name.split(".")[0] == "marts"} <= {f"marts.{mart}" for mart in marts}
    assert {name.split(".")[0] for name in read_from} == {"marts", "main"}


def cards(page: str) -> list[str]:
    return re.findall(r'<article class="card (?:chart|table-card)[^>]* id="([\w-]+)"', page)


def test_before_the_second_sync_one_card_says_when_changes_appear(tmp_path: Path) -> None:
    account = Account(seed=4, assistants=6)
    write_dashboard(write_snapshot(tmp_path / "one.duckdb", account, syncs=1), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("Changes appear after the second sync.") == 1
    hidden = {"chart-changes_per_week", "table-feed", "table-most_changed_prompts", "table-resolved_findings"}
    assert not hidden & set(cards(page))
    assert "Nothing yet in: Duration of the syncs, Assistants loaded per sync." in page
    assert "Nothing yet in: Resolved findings." in page
    assert {table["id"] for table in blocks(page)["data"]["tables"]} == {"findings", "assistants", "syncs"}
    assert 'href="#table-feed"' not in page, "no tile leads to a table that is not there"


def test_an_empty_account_has_one_card_and_no_empty_section(tmp_path: Path) -> None:
    write_dashboard(write_snapshot(tmp_path / "empty.duckdb", Account(empty=True), syncs=1), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert cards(page) == ["table-syncs"]
    assert "Nothing here" not in page
    assert re.findall(r'<a href="#section-\d+">(\w+)</a>', page) == ["Overview", "Syncs"]
    assert "appear after the second sync" not in page, "assistants would appear after the first one that finds some"
    assert page.count("There are no assistants in the warehouse yet") == 1


def test_an_account_without_findings_does_not_wait_for_a_sync(tmp_path: Path) -> None:
    account = Account(seed=4, assistants=2)
    connection = open_warehouse(tmp_path / "clean.duckdb")
    observe(connection, SYNCED_AT, account.records())
    build_models(connection)
    connection.execute("DELETE FROM marts.rpt_config_findings")
    connection.close()
    write_dashboard(tmp_path / "clean.duckdb", tmp_path / "page.html", now=SYNCED_AT)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "No findings yet." in page
    assert "Findings appear" not in page
    assert "Changes appear after the second sync." in page


def test_states_are_named_by_their_names(tmp_path: Path) -> None:
    """In the places of findings and in the list of prompts, with those above them."""
    account = Account(seed=4, assistants=1)
    (key,) = account.live_ids()
    deep = {
        "state_id": "b7",
        "name": "Take the card",
        "prompt": "Use Bearer sk-live-1234567890abcdef1234.",
        "children": [],
    }
    states = [{"state_id": "a1", "name": "Payment", "prompt": "Ask.", "children": [deep]}]
    account.edit(key, llm_states=states, assistant_type="multi_state")
    connection = open_warehouse(tmp_path / "page.duckdb")
    observe(connection, SYNCED_AT - timedelta(days=1), account.records())
    changed = [{**states[0], "children": [{**deep, "prompt": f"{deep['prompt']}\nSlowly."}]}]
    account.edit(key, llm_states=changed)
    observe(connection, SYNCED_AT, account.records())
    build_models(connection)
    connection.close()
    write_dashboard(tmp_path / "page.duckdb", tmp_path / "page.html", now=SYNCED_AT)
    tables = {one["id"]: one for one in blocks((tmp_path / "page.html").read_text(encoding="utf-8"))["data"]["tables"]}
    places = tables["findings"]["columns"][tables["findings"]["titles"].index("Place")]
    assert "States › Payment › Take the card" in places
    prompts = tables["most_changed_prompts"]
    assert prompts["columns"][prompts["titles"].index("Prompt")] == ["States › Payment › Take the card › prompt"]


def test_who_has_no_name_is_shown_by_the_id(tmp_path: Path) -> None:
    account = Account(seed=4, assistants=3)
    nameless, blank = account.live_ids()[:2]
    account.edit(nameless, name=None)
    account.edit(blank, name=" ")
    write_dashboard(write_snapshot(tmp_path / "page.duckdb", account, syncs=1), tmp_path / "page.html")
    data = blocks((tmp_path / "page.html").read_text(encoding="utf-8"))["data"]
    (table,) = (one for one in data["tables"] if one["id"] == "assistants")
    shown_names = dict(zip([data["ids"][place] for place in table["assistants"]], table["columns"][0], strict=True))
    assert (shown_names[nameless], shown_names[blank]) == (nameless, blank)
    assert {nameless, blank} <= set(data["names"])


def test_tables_offer_their_sql_and_charts_their_data(page: str) -> None:
    sources = dict(re.findall(r'aria-label="((?:Data and )?SQL of [^"]+)">(\w+)</button>', page))
    assert sources["SQL of Assistants"] == "SQL"
    assert sources["Data and SQL of Assistants by model"] == "Data"


def test_a_tile_without_change_says_so_in_words_that_fit(tmp_path: Path) -> None:
    account = Account(seed=4, assistants=3)
    connection = open_warehouse(tmp_path / "quiet.duckdb")
    for days in (60, 30, 0):
        observe(connection, SYNCED_AT - timedelta(days=days), account.records())
    build_models(connection)
    connection.close()
    write_dashboard(tmp_path / "quiet.duckdb", tmp_path / "page.html", now=SYNCED_AT)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    notes = [re.sub(r"<[^>]+>|\s+", " ", note).split("·")[0] for note in re.findall(r"data-note>(.*?)</p>", page, re.S)]
    assert [" ".join(note.split()) for note in notes] == [
        "no change in 7 days",
        "no change in 7 days",
        "±0 first seen in the last 7 days",
        "±0 against the 7 days before",
    ]
