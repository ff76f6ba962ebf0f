"""The result of a query as text or bytes, for a person or for a program."""

from __future__ import annotations

import io
import shutil

import pandas as pd

from puretalk.readers.formats import Format


def render_frame(frame: pd.DataFrame, form: Format) -> bytes:
    """The frame as bytes: a table for a terminal, CSV with a header, JSON records, Parquet, or a Markdown table."""
    if form == "parquet":
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        return buffer.getvalue()
    if form == "csv":
        return frame.to_csv(index=False).encode()
    if form == "json":
        text = frame.to_json(orient="records", date_format="iso", date_unit="us", force_ascii=False)
        return f"{text}\n".encode()
    if form == "md":
        return f"{frame.to_markdown(index=False)}\n".encode()
    return f"{_render_table(frame)}\n".encode()


def _render_table(frame: pd.DataFrame) -> str:
    width = shutil.get_terminal_size((120, 40)).columns
    if frame.empty:
        return f"{'  '.join(map(str, frame.columns))}\n(no rows)"
    with pd.option_context("display.width", width, "display.max_columns", None, "display.max_colwidth", 60):
        text = frame.to_string(index=False, max_rows=1000, na_rep="", line_width=width)
    return f"{text}\n({len(frame)} rows)"
