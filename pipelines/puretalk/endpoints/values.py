"""One value of a record as a value of its column; what does not fit is kept in `extra` and reported as schema drift."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from puretalk.json_values import JSONObject, JSONValue, canonical_json
from puretalk.schema import ColumnType, RowValue

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\Z")


class _Misfit(Enum):
    MISFIT = "the value does not fit the column's type"


_MISFIT = _Misfit.MISFIT


@dataclass
class Notes:
    """Collects `extra` and drift for one object while its columns are read."""

    where: str = ""
    extra: JSONObject = field(default_factory=dict)
    drift: list[str] = field(default_factory=list)

    def keep(self, kind: str, name: str, value: JSONValue) -> None:
        self.extra[name] = value
        self.drift.append(f"{kind} {self.where}{name}")


def fit(value: JSONValue, type_: ColumnType, name: str, notes: Notes) -> RowValue:
    """The value in the column's type. When it does not fit: NULL, and `extra` keeps the value."""
    if value is None:
        return None
    fitted = _FITS[type_](value)
    if fitted is _MISFIT:
        notes.keep(f"no {type_}", name, value)
        return None
    return fitted


def _fit_text(value: JSONValue) -> RowValue | _Misfit:
    return value if isinstance(value, str) else _MISFIT


def _fit_bool(value: JSONValue) -> RowValue | _Misfit:
    return value if isinstance(value, bool) else _MISFIT


def _fit_double(value: JSONValue) -> RowValue | _Misfit:
    if isinstance(value, str) and _NUMBER.match(value):  # the API sends decimals as strings: "0.50"
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _MISFIT
    try:
        number = float(value)
    except OverflowError:
        return _MISFIT
    return number if math.isfinite(number) and number == value else _MISFIT


def _fit_bigint(value: JSONValue) -> RowValue | _Misfit:
    if isinstance(value, str) and _NUMBER.match(value):
        is_whole = value.lstrip("+-").isdecimal() and len(value) <= 20  # Python refuses to read thousands of digits
        value = int(value) if is_whole else float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _MISFIT
    if isinstance(value, float) and not value.is_integer():
        return _MISFIT
    return int(value) if -(2**63) <= value < 2**63 else _MISFIT


def _fit_timestamp(value: JSONValue) -> RowValue | _Misfit:
    if not isinstance(value, str) or "T" not in value.upper():
        return _MISFIT
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return _MISFIT


def _fit_json(value: JSONValue) -> RowValue | _Misfit:
    return canonical_json(value)


_FITS: Mapping[ColumnType, Callable[[JSONValue], RowValue | _Misfit]] = {
    "text": _fit_text,
    "bool": _fit_bool,
    "double": _fit_double,
    "bigint": _fit_bigint,
    "timestamp": _fit_timestamp,
    "json": _fit_json,
}


def take_list(rest: JSONObject, name: str, notes: Notes) -> list[JSONValue]:
    value = rest.pop(name, None)
    if value is None:
        return []
    if isinstance(value, list):
        return value
    notes.keep("no list", name, value)
    return []
