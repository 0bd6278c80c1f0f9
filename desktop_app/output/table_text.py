"""Lines of CSV and JSON: the same bytes on every system."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

Value = int | float | str | None

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def rounded(values: Mapping[str, Value], decimals: Mapping[str, int]) -> dict[str, Value]:
    """The values with those numbers rounded whose decimals are given."""
    return {name: _rounded(value, decimals.get(name)) for name, value in values.items()}


def csv_line(values: Mapping[str, Value], decimals: Mapping[str, int]) -> str:
    """A line of CSV with its line feed; None is empty.

    Args:
        values: the fields by name; that of `file` is defused.
        decimals: of the numbers that are no whole ones, by name.
    """
    fields = [f"{value:.{decimals[name]}f}" if isinstance(value, float) else value for name, value in values.items()]
    fields = [defused(str(value)) if name == "file" else value for name, value in zip(values, fields, strict=True)]
    buffer = io.StringIO()
    # Python 3.11 quotes a carriage return only where it is part of the line's end, hence not just "\n".
    csv.writer(buffer, lineterminator="\r\n").writerow(fields)
    return buffer.getvalue().removesuffix("\r\n") + "\n"


def json_line(values: Mapping[str, object]) -> str:
    """A line of JSON with its line feed."""
    return json.dumps(values, ensure_ascii=False) + "\n"


def json_document(values: Mapping[str, object], *, default: Callable[[Any], object] | None = None) -> bytes:
    """A file of JSON for people and programs; `default` says what stands for a value that JSON has not."""
    return encoded(json.dumps(values, ensure_ascii=False, indent=1, default=default) + "\n")


def defused(text: str) -> str:
    """A cell of CSV that spreadsheets take for text rather than for a formula: with an apostrophe before it, if needed.

    Names of files may begin as formulas do, and formulas can send data away (see OWASP, “CSV Injection”).
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def encoded(text: str) -> bytes:
    """UTF-8; file names that are not valid text on Linux hold lone surrogates, which it expresses as escapes."""
    return text.encode("utf-8", "backslashreplace")


def _rounded(value: Value, decimals: int | None) -> Value:
    if decimals is None or value is None or isinstance(value, str):
        return value
    # Adding 0 turns -0.0 into 0.0.
    return round(float(value), decimals) + 0.0
