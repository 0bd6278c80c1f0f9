"""Formats of tables: CSV, JSON Lines and Parquet, written piece by piece."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from desktop_app.errors import AgelensError
from desktop_app.output.table_text import Value, csv_line, encoded, json_line, rounded

if TYPE_CHECKING:
    # Only for the types: who reads rows back from a screenshot needs no network.
    import numpy as np
    from numpy.typing import NDArray

    from desktop_app.catalogue.catalogue import Labels
    from desktop_app.vision.classification.label import Label

TABLE_SUFFIXES: Final = (".csv", ".jsonl", ".parquet")
TEXT_SUFFIXES: Final = (".csv", ".jsonl")
"""Tables whose lines are of use as soon as they are written; a Parquet file can be read once it is whole."""
LABEL_FIELDS: Final = (
    *("age", "age_confidence", "gender", "gender_confidence"),
    *("unsure", "age_years", "age_years_low", "age_years_high"),
)
_PROBABILITY_DECIMALS: Final = 4
_BATCH_ROWS: Final = 1024
_GROUP_ROWS: Final = 32 * _BATCH_ROWS
"""Rows of a row group; with those of a batch, what is in memory: some 10 MB."""
_BYTES_A_ROW: Final = 400
_BYTES_AT_END: Final = 64 * 1024
_BYTES_A_GROUP: Final = 8 * 1024
"""More than is written for a row that is not packed yet, for the list of row groups, and for each of these in it."""

Probabilities = Mapping[str, float]


class TableFormatError(AgelensError):
    """A table cannot be written in the format that its name asks for."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: scripts rely on it.
        kind: of the values, None apart: `int`, `float`, `str` or `bool`; text formats write a `bool` as 1 or 0.
        decimals: of a `float`.
    """

    name: str
    kind: type
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        values: a value a column, in their order.
        ages: the probability of each age group by its name; None where there is no prediction.
        genders: that of each perceived gender; None also where gender is not computed.
    """

    values: Mapping[str, Value]
    ages: Probabilities | None = None
    genders: Probabilities | None = None


class TableEncoder(Protocol):
    """Turns rows into the bytes of a file: those of `start`, of each `add`, and of `end`."""

    @property
    def owed(self) -> int:
        """At most so many bytes are still to come for the rows that were added."""
        ...

    def start(self) -> bytes:
        """What stands before the first row."""
        ...

    def add(self, rows: Sequence[Row]) -> bytes:
        """The next part of the file; not always with these rows in it already."""
        ...

    def end(self) -> bytes:
        """What is left."""
        ...


def check_format(path: Path) -> None:
    """Find out whether a table can be written in the format that a name asks for.

    Args:
        path: of the table.

    Raises:
        TableFormatError: the suffix is unknown, or the package for it is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise TableFormatError(
            "Cannot write “{name}”: the name must end in .csv, .jsonl or .parquet. Choose another name.",
            name=path.name,
        )
    if suffix == ".parquet" and not has_parquet():
        raise TableFormatError(
            "Cannot write “{name}”: that needs the package pyarrow. Install it with `pip install "
            "'agelens[parquet]'`, or choose a name that ends in .csv or .jsonl.",
            name=path.name,
        )


def has_parquet() -> bool:
    """Whether the package that writes Parquet is installed; it is not imported."""
    return importlib.util.find_spec("pyarrow") is not None


def table_encoder(suffix: str, columns: Sequence[Column], labels: Labels | None) -> TableEncoder:
    """The encoder for a format.

    Args:
        suffix: one of `TABLE_SUFFIXES`.
        columns: in their order. JSON Lines add the objects `ages` and `genders` with all probabilities, Parquet a
            column for each of these, as `p_age_20-29` and `p_gender_Female`.
        labels: the classes, for the columns of Parquet; None for none of these.
    """
    if suffix == ".csv":
        return _CsvLines(columns)
    return _JsonLines(columns) if suffix == ".jsonl" else _ParquetEncoder(columns, labels)


def label_values(label: Label | None) -> dict[str, Any]:
    """What tables say of a label, by the names of the columns; None throughout where there is none."""
    if label is None:
        return dict.fromkeys(LABEL_FIELDS)
    values = (
        *(label.age, label.age_confidence),
        *((label.gender, label.gender_confidence) if label.gender else (None, None)),
        *(label.unsure, label.years.expected, label.years.low, label.years.high),
    )
    return dict(zip(LABEL_FIELDS, values, strict=True))


def label_probabilities(label: Label | None) -> tuple[Probabilities | None, Probabilities | None]:
    """All probabilities of the age groups and of the genders by name, rounded as they are written; None without any."""
    if label is None:
        return None, None
    return (
        _by_name([age.name for age in label.classes.ages], label.prediction.age),
        _by_name(label.classes.genders, label.prediction.gender),
    )


def _by_name(names: Sequence[str], values: NDArray[np.float32]) -> Probabilities | None:
    pairs = zip(names, values, strict=False)
    return {name: round(float(value), _PROBABILITY_DECIMALS) for name, value in pairs} or None


def rounded_values(values: Mapping[str, Value], columns: Sequence[Column]) -> dict[str, Value]:
    """The values as they are written everywhere, in the order of the columns."""
    decimals = {column.name: column.decimals for column in columns if column.kind is float}
    return rounded({column.name: values[column.name] for column in columns}, decimals)


class _CsvLines:
    owed = 0

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._decimals = {column.name: column.decimals for column in columns}

    def start(self) -> bytes:
        return encoded(",".join(column.name for column in self._columns) + "\n")

    def add(self, rows: Sequence[Row]) -> bytes:
        return encoded("".join(csv_line(row.values, self._decimals) for row in rows))

    def end(self) -> bytes:
        return b""


class _JsonLines:
    owed = 0

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def start(self) -> bytes:
        return b""

    def add(self, rows: Sequence[Row]) -> bytes:
        return encoded("".join(json_line({**row.values, "ages": row.ages, "genders": row.genders}) for row in rows))

    def end(self) -> bytes:
        return b""


class _Pending:
    """What a Parquet writer takes for a file: keeps the bytes until they are fetched."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def fetch(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


class _ParquetEncoder:
    """Rows become compact batches, and many of these a row group, so that memory does not grow with the table."""

    def __init__(self, columns: Sequence[Column], labels: Labels | None) -> None:
        # On first use: it takes a while to import, and is not always installed.
        import pyarrow as pa
        from pyarrow import parquet

        self._pa: Any = pa
        self._columns = columns
        self._ages = tuple(age.name for age in labels.ages) if labels else ()
        self._genders = tuple(labels.genders) if labels else ()
        types = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}
        self._schema = pa.schema(
            [
                *((column.name, types[column.kind]) for column in columns),
                *((f"p_age_{name}", pa.float64()) for name in self._ages),
                *((f"p_gender_{name}", pa.float64()) for name in self._genders),
            ]
        )
        self._rows: list[Row] = []
        self._batches: list[Any] = []
        self._packed_rows = self._packed_bytes = self._groups = 0
        self._pending = _Pending()
        self._writer = parquet.ParquetWriter(pa.PythonFile(self._pending, mode="w"), self._schema, compression="zstd")

    def start(self) -> bytes:
        return self._pending.fetch()

    def add(self, rows: Sequence[Row]) -> bytes:
        self._rows += rows
        if len(self._rows) >= _BATCH_ROWS:
            self._pack()
        if self._packed_rows >= _GROUP_ROWS:
            self._write_group()
        return self._pending.fetch()

    @property
    def owed(self) -> int:
        return self._packed_bytes + len(self._rows) * _BYTES_A_ROW + _BYTES_AT_END + self._groups * _BYTES_A_GROUP

    def end(self) -> bytes:
        self._pack()
        self._write_group()
        self._writer.close()
        return self._pending.fetch()

    def _pack(self) -> None:
        if not self._rows:
            return
        columns = [[_converted(row.values[column.name], column.kind) for row in self._rows] for column in self._columns]
        columns += [[row.ages.get(name) if row.ages else None for row in self._rows] for name in self._ages]
        columns += [[row.genders.get(name) if row.genders else None for row in self._rows] for name in self._genders]
        arrays = [self._pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        batch = self._pa.record_batch(arrays, schema=self._schema)
        self._batches.append(batch)
        self._packed_rows += batch.num_rows
        self._packed_bytes += batch.nbytes
        self._rows = []

    def _write_group(self) -> None:
        if self._batches:
            table = self._pa.Table.from_batches(self._batches, self._schema)
            self._writer.write_table(table, row_group_size=table.num_rows)
            self._batches = []
            self._packed_rows = self._packed_bytes = 0
            self._groups += 1


def _converted(value: Value, kind: type) -> Value:
    if value is None:
        return None
    # File names that are not valid text have no UTF-8: the same escapes as in text formats.
    return encoded(value).decode() if isinstance(value, str) else kind(value)
