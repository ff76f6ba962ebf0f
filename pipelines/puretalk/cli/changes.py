"""`puretalk changes`: the news since a moment."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from puretalk.cli.messages import explained_errors
from puretalk.cli.options import load, settings_options
from puretalk.cli.outlet import put_text
from puretalk.cli.output import write_file

if TYPE_CHECKING:
    from puretalk.readers.news_forms import NewsForm


@click.command()
@click.option(
    "--since", required=True, metavar="TIME|SNAPSHOT|yesterday", help="From when on; times are UTC, as 2026-11-23."
)
@click.option("--format", "form", type=click.Choice(["text", "md", "json"]), default="text", help="Form of the news.")
@click.option("--texts", "with_texts", is_flag=True, help="Also what the changed fields said before, and say now.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead.")
@settings_options
def changes(since: str, form: NewsForm, with_texts: bool, out: Path | None, data_dir: Path | None, debug: bool) -> None:
    """Tell what changed: assistants, findings, what is new and what is gone. Silent changes come first.

    Without --texts it names assistants, areas and rules, and quotes no prompt.
    """
    from puretalk.dashboard.redaction import open_snapshot
    from puretalk.readers.news import read_news
    from puretalk.readers.news_forms import describe_news, news_facts, render_markdown
    from puretalk.readers.published import find_snapshot
    from puretalk.readers.since import parse_since

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        snapshot = find_snapshot(settings.data_dir)
        moment = parse_since(since, settings.data_dir)
        with closing(open_snapshot(snapshot, include_prompts=with_texts)) as connection:
            news = read_news(connection, moment, with_texts=with_texts)
        if form == "json":
            text = json.dumps(news_facts(news), ensure_ascii=False)
        else:
            text = "\n".join(describe_news(news) if form == "text" else render_markdown(news))
        if out is not None:
            write_file(out, f"{text}\n".encode())
        else:
            put_text(f"{text}\n")
