"""What the page says twice, it says with the same number: with no filter, every single one, and random pairs."""

from __future__ import annotations

import random
from typing import Any

import pytest
from playwright.sync_api import Page
from support.browsing import Read

pytestmark = pytest.mark.browser

#: Every number that stands twice, by what it counts. A filter narrows a total to the labels that are chosen.
NUMBERS = """
() => {
  const whole = (text) => Number(text.replaceAll(",", "").match(/^\\d+/)?.[0] ?? 0);
  const text = (selector) => document.querySelector(selector)?.textContent.trim() ?? "";
  const found = { live: [], findings: [], changes: [] };
  const count = (id) => text(`[data-count="${id}"]`);
  const said = (id) => [...document.querySelectorAll(`#tile-${id} :is([data-value], [data-now])`)].map(
    (node) => whole(node.textContent));
  found.live.push(...said("assistants"), whole(count("assistants")));
  const bar = text(".filters-count");
  if (bar) found.live.push(whole(bar));
  found.findings.push(...said("findings"), whole(count("findings")));
  for (const tile of document.querySelectorAll(".tile"))
    found[tile.id] = [...tile.querySelectorAll("[data-value], [data-now]")].map((node) => node.textContent);
  const chosen = (id, kind = "label") => [...document.querySelectorAll(`#filters [data-remove="${kind}.${id}"]`)]
    .map((chip) => chip.querySelector(".name").textContent);
  for (const table of document.querySelectorAll("[data-chart-data]")) {
    const id = table.dataset.chartData;
    if (!document.querySelector(`[data-chart="${id}"]`)) continue;
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent));
    const totals = new Map(rows.map(([label, ...values]) => [label, values]));
    const wanted = chosen(id);
    for (const button of document.querySelectorAll(`[data-chart="${id}"][data-label]`)) {
      const label = rows[Number(button.dataset.label)][0];
      const shown = button.querySelector(".bar-value, .part-value")?.textContent
        ?? button.getAttribute("aria-label")?.split(": ").pop();
      if (shown) {
        const sum = totals.get(label).reduce((all, value) => all + whole(value), 0);
        (found[`${id}: ${label}`] ??= [sum]).push(whole(shown));
      } else {
        const cells = [...button.closest("tr").querySelectorAll("td")].map((cell) => cell.textContent);
        found[`${id}: ${label}`] = [totals.get(label).join(), cells.join()];
      }
    }
    const total = rows.filter(([label]) => !wanted.length || wanted.includes(label))
      .reduce((all, [, ...values]) => values.reduce((sum, value) => sum + whole(value), all), 0);
    if (id.startsWith("findings_by")) found.findings.push(total);
    const head = document.querySelector(`[data-total="${id}"]`);
    if (head) {
      const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
      const series = chosen(id, "series");
      const left = rows.filter(([label]) => !wanted.length || wanted.includes(label)).flatMap(([, ...values]) =>
        values.filter((_, place) => !series.length || series.includes(names[place])));
      found[`total of ${id}`] = [left.reduce((all, value) => all + whole(value), 0), whole(head.textContent)];
    }
  }
  const ofRows = { findings: ["findings_by_rule", "findings_by_severity"], feed: ["changes_per_week"] };
  for (const [table, charts] of Object.entries(ofRows)) {
    if (!bar || !charts.some((id) => document.querySelector(`#filters [data-remove$=".${id}"]`))) continue;
    const of = count(table).match(/on ([\\d,]+) assistants/) ?? count(table).match(/^([\\d,]+)/);
    const [, live, gone] = bar.match(/^([\\d,]+) of [\\d,]+ assistants(?: and ([\\d,]+) deleted)?/);
    found[`assistants of ${table}`] = [whole(of[1]), whole(live) + whole(gone ?? "0")];
  }
  return found;
}
"""

#: Goes to the address of each choice, and collects the numbers; then back to no choice.
UNDER = f"""
(choices) => {{
  const go = (pairs) => {{
    history.replaceState(null, "", "#" + new URLSearchParams(pairs));
    dispatchEvent(new PopStateEvent("popstate"));
  }};
  const all = choices.map((pairs) => {{
    go(pairs);
    return [document.querySelectorAll("#filters .chip").length, ({NUMBERS})()];
  }});
  go([]);
  return all;
}}
"""

#: Every label and series that can be chosen, as in the address.
FILTERS = """
() => [...document.querySelectorAll("[data-chart-data]")].flatMap((table) => {
  const id = table.dataset.chartData;
  if (!document.querySelector(`[data-chart="${id}"]`)) return [];
  const labels = [...table.tBodies[0].rows].map((row) => [`f.${id}`, row.cells[0].textContent]);
  const keys = [...document.querySelectorAll(`[data-chart="${id}"][data-series]`)];
  return [...labels, ...keys.map((key) => [`s.${id}`, key.textContent])];
}).concat([...document.querySelectorAll(".chips .chip")].map((chip) => [
  `f.${chip.dataset.chart}`, chip.firstChild.textContent.trim()]))
"""


def contradictions(numbers: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {what: values for what, values in numbers.items() if len(set(values)) > 1}


def test_no_number_contradicts_another(page: Page, read: Read) -> None:
    unfiltered = page.evaluate(NUMBERS)
    assert contradictions(unfiltered) == {}
    assert unfiltered["live"][0] == read("SELECT count(*) FROM marts.dim_assistants WHERE is_live")[0][0]
    filters = page.evaluate(FILTERS)
    assert len(filters) > 60
    assert {name for name, _ in filters} >= {"f.by_model", "f.coverage", "s.changes_per_week", "f.findings_by_rule"}
    rng = random.Random(16)
    choices = [*([one] for one in filters), *(rng.sample(filters, 2) for _ in range(20))]
    under = page.evaluate(UNDER, choices)
    without = {
        tuple(choice[0]): numbers for choice, (_, numbers) in zip(choices, under, strict=True) if len(choice) < 2
    }
    for choice, (chips, numbers) in zip(choices, under, strict=True):
        assert chips == len(choice)
        assert contradictions(numbers) == {}, choice
        # What is chosen in a chart does not narrow that chart: the other bars say what choosing them would give.
        for chart_id in {name[2:] for name, _ in choice}:
            others = [one for one in choice if one[0][2:] != chart_id]
            expected = own(chart_id, without[tuple(others[0])] if others else unfiltered)
            shown = own(chart_id, numbers)
            assert shown.items() >= {what: expected[what] for what in expected.keys() & shown.keys()}.items(), choice
            assert not expected or expected.keys() & shown.keys(), choice
    assert page.evaluate(NUMBERS) == unfiltered


def own(chart_id: str, numbers: dict[str, list[Any]]) -> dict[str, Any]:
    return {what: values[0] for what, values in numbers.items() if what.startswith(f"{chart_id}: ")}


BARS = """(chart) => Object.fromEntries([...document.querySelectorAll(`#chart-${chart} .bar`)].map(
    (bar) => [bar.querySelector(".name").textContent, Number(bar.querySelector(".bar-value").textContent)]))"""


def test_the_bars_under_a_filter_are_those_of_sql(page: Page, read: Read) -> None:
    by_both: dict[str, dict[str, int]] = {}
    for model, kind, many in read(
        "SELECT model, assistant_type, count(*) FROM marts.dim_assistants WHERE is_live GROUP BY ALL"
    ):
        by_both.setdefault(model or "(none)", {})[kind or "(none)"] = many
    models = {model: sum(kinds.values()) for model, kinds in by_both.items()}
    shown = page.evaluate(BARS, "by_model")
    assert len(shown) > 2
    for model in list(shown)[:3]:
        bar = page.locator("#chart-by_model .bar").filter(has=page.get_by_text(model, exact=True))
        bar.click()
        assert page.evaluate(BARS, "by_type") == by_both[model]
        own_bars = page.evaluate(BARS, "by_model")
        assert own_bars == {one: models[one] for one in own_bars}
        assert len(own_bars) == len(shown), "the others stay, to be chosen too"
        assert page.locator('[data-total="by_model"]').inner_text() == str(models[model])
        bar.click()


def test_a_severity_narrows_the_findings_and_says_on_how_many_assistants(page: Page, read: Read) -> None:
    page.locator('#chart-findings_by_severity [data-label="0"]').click()
    findings, assistants = read(
        "SELECT count(*), count(DISTINCT assistant_id) FROM marts.rpt_config_findings "
        "WHERE NOT is_accepted AND severity = 'high'"
    )[0]
    everything = read("SELECT count(*) FROM marts.rpt_config_findings WHERE NOT is_accepted")[0][0]
    on = "" if findings == assistants else f", on {assistants} assistants"
    assert page.locator('[data-count="findings"]').inner_text() == f"{findings} of {everything}{on}"
    assert page.locator("#tile-findings [data-value]").inner_text() == str(findings)


def test_a_week_and_an_area_narrow_the_changes(page: Page, read: Read) -> None:
    page.locator("#chart-changes_per_week .column").last.click()
    page.locator("#chart-changes_per_week .key", has_text="prompt").first.click()
    expected = read(
        "SELECT count(DISTINCT (assistant_id, version_number)) FROM marts.fct_config_changes WHERE area = 'prompt' "
        "AND date_trunc('week', observed_at) = "
        "(SELECT max(date_trunc('week', observed_at)) FROM marts.fct_config_changes)"
    )[0][0]
    assert page.locator('[data-count="feed"]').inner_text().startswith(f"{expected} of ")
