"""The data dictionary: the copy in the repository is the printed one, it is complete, and the page is safe to open."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from puretalk.catalogue import TABLES
from puretalk.models.dictionary import Described, data_dictionary_html, data_dictionary_markdown, describe_warehouse

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def described() -> list[Described]:
    return describe_warehouse()


@pytest.fixture(scope="module")
def page() -> str:
    return data_dictionary_html()


class Elements(HTMLParser):
    """Collects (tag, attributes) of a page, and what is left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_copy_in_the_repository_is_what_is_printed() -> None:
    copy = (DOCS / "data-dictionary.md").read_text(encoding="utf-8")
    assert copy == data_dictionary_markdown(), "run `puretalk docs > docs/data-dictionary.md`"


def test_every_relation_and_column_has_a_meaning(described: list[Described]) -> None:
    for relation in described:
        assert relation.description.startswith("One row: "), relation.relation
        assert relation.columns or relation.schema == "intermediate", relation.relation
        for name, type_, meaning in relation.columns:
            assert type_, f"{relation.relation}.{name}"
            assert meaning.endswith((".", ")")), f"{relation.relation}.{name}"


def test_all_layers_are_there(described: list[Described]) -> None:
    names = {relation.relation for relation in described}
    assert {f"main.{name}" for name in TABLES} <= names
    assert {"staging.stg_assistants", "intermediate.int_findings", "marts.dim_assistants"} <= names


def test_all_that_is_read_is_described(described: list[Described]) -> None:
    names = {relation.relation for relation in described}
    assert {read for relation in described for read in relation.reads} <= names


def test_the_page_is_well_formed_and_needs_nothing_else(page: str) -> None:
    elements = Elements(page)
    assert elements.open == []
    assert "script" not in {tag for tag, _ in elements.found}
    addresses = [attributes[name] for _, attributes in elements.found for name in ("src", "href") if name in attributes]
    assert all(address and address.startswith("#") for address in addresses)
    assert not [
        name for _, attributes in elements.found for name in attributes if name.startswith("on") or name == "style"
    ]


def test_the_pages_policy_allows_its_one_style_and_nothing_else(page: str) -> None:
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    [policy] = [
        attributes["content"]
        for tag, attributes in Elements(page).found
        if tag == "meta" and len(attributes) == 2 and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_links_of_the_page_lead_to_its_headings(page: str) -> None:
    elements = Elements(page).found
    targets = {attributes["id"] for _, attributes in elements if "id" in attributes}
    links = {(attributes["href"] or "")[1:] for tag, attributes in elements if tag == "a"}
    assert links <= targets


def test_the_drawing_holds_a_box_for_each_relation_and_a_line_for_each_reading(
    page: str, described: list[Described]
) -> None:
    elements = Elements(page).found
    assert len([tag for tag, _ in elements if tag == "rect"]) == len(described)
    assert len([tag for tag, _ in elements if tag == "path"]) == sum(len(relation.reads) for relation in described)


def test_descriptions_are_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "marts").mkdir()
    (tmp_path / "marts/m.sql").write_text("select 1 as one")
    (tmp_path / "marts/m.yml").write_text(
        "models: [{name: m, description: '<script>|x', columns: [{name: one, description: '<b>|'}]}]"
    )
    monkeypatch.setattr("puretalk.models.dictionary.sql_folder", lambda: tmp_path)
    page, text = data_dictionary_html(), data_dictionary_markdown()
    assert "&lt;script&gt;|x" in page
    assert "<b>" not in page
    assert "| `one` | INTEGER | &lt;b>\\| |" in text
