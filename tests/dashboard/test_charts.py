"""Axes, totals and the values under the pointer of the dashboard's charts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from support.browsing import Read

pytestmark = pytest.mark.browser


def test_a_chart_has_its_total_also_with_a_filter(page: Page, read: Read) -> None:
    total = page.locator('[data-total="findings_by_rule"]')
    findings = "SELECT count(*) FROM marts.rpt_config_findings WHERE NOT is_accepted"
    assert total.inner_text() == f"{read(findings)[0][0]:,}"
    page.locator('#chart-findings_by_severity .bar[data-label="0"]').click()
    high = read(f"{findings} AND severity = 'high'")[0][0]
    expect(total).to_have_text(f"{high:,}")
    expect(page.locator('[data-total="findings_by_severity"]')).to_have_text(f"{high:,}")
    assert page.locator('[data-total="coverage"]').count() == 0, "shares do not add up"


def test_the_axis_names_the_highest_column(page: Page, read: Read) -> None:
    highest = read(
        "SELECT count(*) FROM marts.fct_config_changes GROUP BY date_trunc('week', observed_at) ORDER BY 1 DESC LIMIT 1"
    )[0][0]
    axis, chart = page.locator("#chart-changes_per_week .axis-top"), page.locator("#chart-changes_per_week .columns")
    assert axis.inner_text().split()[-1] == f"{highest:,}"
    tops = page.locator("#chart-changes_per_week .column rect").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect().top)"
    )
    assert abs(min(tops) - chart.evaluate("each => each.getBoundingClientRect().top")) <= 2, "the line is at the top"


def test_pointer_shows_the_parts_of_a_column_and_the_point_of_a_line(page: Page, read: Read) -> None:
    week, parts = read(
        "SELECT CAST(date_trunc('week', observed_at) AS DATE) AS week, count(DISTINCT area) "
        "FROM marts.fct_config_changes GROUP BY 1 ORDER BY 1 DESC LIMIT 1"
    )[0]
    column = page.locator("#chart-changes_per_week .column").last
    column.hover()
    lines = (column.get_attribute("title") or "").split("\n")
    assert lines[0].startswith(f"{week}: ")
    assert len(lines) == 1 + parts
    assert sum(int(line.split(": ")[1].replace(",", "")) for line in lines[1:]) == int(lines[0].split(": ")[1])
    line = page.locator("#chart-sync_loaded .line-chart")
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2)
    [(moment, loaded)] = read(
        "SELECT strftime(started_at, '%Y-%m-%d %H:%M'), loaded_count FROM marts.rpt_sync_health "
        "ORDER BY started_at DESC LIMIT 1"
    )
    expect(line.locator(".line-value")).to_have_text(f"{moment}: {loaded:,}")
    page.mouse.move(box["x"], box["y"] - 200)
    expect(line.locator(".line-value")).to_have_text("")
