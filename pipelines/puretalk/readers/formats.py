"""The forms in which a result can be printed or written. A new one is a name here and a branch in `results`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Format = Literal["table", "csv", "tsv", "json", "jsonl", "parquet", "md"]

FORMATS: tuple[Format, ...] = get_args(Format)

#: The ending of a file's name → the form that it gets.
FORMAT_OF_SUFFIX: Mapping[str, Format] = {f".{form}": form for form in FORMATS if form != "table"} | {
    ".ndjson": "jsonl"
}
