"""Model manifest: labels, input, outputs, licence, scores, checksums."""

from __future__ import annotations

import hashlib
import itertools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from desktop_app.errors import AgelensError

Colour = Literal["BGR", "RGB"]
Architecture = Literal["two-head", "two-network"]
Activation = Literal["softmax", "none"]
Mean = float | tuple[float, float, float] | str
MeanFit = Literal["crop", "resize"]

MAX_INPUT_SIZE: Final = 1024
MAX_LABELS: Final = 200
MAX_MANIFEST_BYTES: Final = 64 << 10
"""A manifest of 200 labels is a quarter of that."""
MAX_LINE_DOTS: Final = 100
"""A dotted key stands in one line; the time and memory for it grow with the square of its parts."""
MAX_LINE: Final = 200
MAX_NAME_BYTES: Final = 255
MAX_YEARS: Final = 200
MAX_REASON: Final = 200
"""Letters of a parser's own words in a message."""
MAX_NUMBER: Final = 1e30


class ModelError(AgelensError):
    """A model cannot be used; the message says which one, why, and what to do."""


@dataclass(frozen=True, slots=True)
class AgeLabel:
    """One age group: its name and its years, both included; `high` is None where it is open."""

    name: str
    low: int
    high: int | None

    @property
    def middle(self) -> float:
        """A year that stands for the group, for mean absolute errors."""
        return (self.low + (self.high if self.high is not None else self.low + 10)) / 2


@dataclass(frozen=True, slots=True)
class Labels:
    """The classes of a model, in the order of its outputs."""

    ages: tuple[AgeLabel, ...]
    genders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a crop becomes the network's input: N×3×size×size float32 of `(pixel - mean) * scale`.

    Attributes:
        size: side in pixels.
        colour: order of the three channels.
        mean: a number, one number a channel (in the order of `colour`), or the name of a `.npy` file beside the
            manifest that holds an H×W×3 float32 image.
        scale: the factor after the mean is taken away.
        margin: side of the crop over the side of the detector's box.
        mean_fit: what becomes of a mean image that is larger than the input. `crop` takes its middle, as Caffe's own
            training and testing do; `resize` shrinks the whole, as pycaffe did in 2014 and as the authors' demo is
            repaired since ("Mean shape incompatible with input shape"). The two give different answers.
    """

    size: int = 227
    colour: Colour = "BGR"
    mean: Mean = 127.5
    scale: float = 1 / 64
    margin: float = 1.15
    mean_fit: MeanFit = "crop"


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """Where an answer comes from: an ONNX file beside the manifest and one of its outputs."""

    file: str
    tensor: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything the app knows of a model.

    Attributes:
        layers: what the network view calls layers, by the tensor that they write; others are numbered by their kind.
    """

    name: str
    title: str
    architecture: Architecture
    labels: Labels
    age: OutputSpec
    gender: OutputSpec
    description: str = ""
    input: InputSpec = field(default_factory=InputSpec)
    activation: Activation = "softmax"
    files: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    layers: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)


def is_model_name(name: str) -> bool:
    """Whether a model can be called that, and its files too: a-z, 0-9, `.` and `-`, neither of these two first."""
    return len(name) <= MAX_LINE and re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name) is not None


def check_model_name(name: str) -> None:
    """Guard the name of a model that is to be written.

    Raises:
        ModelError: no model can be called that.
    """
    if not is_model_name(name):
        raise ModelError(
            f"the name {name!r} may hold only a-z, 0-9, '.' and '-', the first of them a letter or digit; "
            "give another --name"
        )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_manifest(path: Path) -> Manifest:
    """Read a manifest and check that it makes sense in itself.

    Raises:
        ModelError: it cannot be read, a field is missing, or a value is out of range.
    """
    try:
        document = tomllib.loads(_read_text(path))
    except RecursionError as error:
        raise ModelError(f"{path} cannot be read as a model's manifest (it is nested too deeply)") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read as a model's manifest ({error.strerror or error})") from error
    except ValueError as error:
        # Besides wrong TOML, a number of more digits than Python reads.
        raise ModelError(f"{path} cannot be read as a model's manifest ({_first_line(error)})") from error
    return _Reader(path, document).manifest()


def _read_text(path: Path) -> str:
    # Reading a pipe or a device may never end.
    if path.exists() and not path.is_file():
        raise ValueError("it is not a file")
    with path.open("rb") as stream:
        data = stream.read(MAX_MANIFEST_BYTES + 1)
    if len(data) > MAX_MANIFEST_BYTES:
        raise ValueError("it is too large")
    if any(line.count(b".") > MAX_LINE_DOTS for line in data.splitlines()):
        raise ValueError("one of its lines has too many dots")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:MAX_REASON]


class _Reader:
    """Takes typed values out of a parsed manifest and says in one sentence what is wrong."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self._path = path
        self._document = document

    def manifest(self) -> Manifest:
        document = self._document
        outputs = self._value(document, "outputs", dict)
        name = self._value(document, "name", str)
        if not is_model_name(name):
            raise self._wrong(f"the name {_shown(name)} may hold only a-z, 0-9, '.' and '-'")
        return Manifest(
            name=name,
            title=self._line(document.get("title", name), "title"),
            description=str(document.get("description", "")),
            architecture=cast("Architecture", self._choice(document, "architecture", ("two-head", "two-network"))),
            input=self._input(),
            age=self._output(outputs, "age"),
            gender=self._output(outputs, "gender"),
            activation=cast("Activation", self._choice(outputs, "activation", ("softmax", "none"))),
            labels=self._labels(),
            files=self._strings("files"),
            scores=self._numbers("scores"),
            layers={tensor: self._line(name, "layer") for tensor, name in self._strings("layers").items()},
            about=self._strings("about"),
        )

    def _input(self) -> InputSpec:
        table = self._value(self._document, "input", dict)
        size = self._value(table, "size", int)
        if not 16 <= size <= MAX_INPUT_SIZE:
            raise self._wrong(f"the input size {size} is not between 16 and {MAX_INPUT_SIZE}")
        scale, margin = self._number(table, "scale"), self._number(table, "margin")
        if scale == 0 or not 0.5 <= margin <= 4:
            raise self._wrong("the input's scale must not be 0 and its margin must lie between 0.5 and 4")
        colour = cast("Colour", self._choice(table, "colour", ("BGR", "RGB")))
        mean_fit = cast("MeanFit", self._choice({"mean_fit": "crop", **table}, "mean_fit", get_args(MeanFit)))
        return InputSpec(
            size=size, colour=colour, mean=self._mean(table), scale=scale, margin=margin, mean_fit=mean_fit
        )

    def _mean(self, table: dict[str, Any]) -> Mean:
        mean = table.get("mean")
        if isinstance(mean, str):
            return self._file_name(mean)
        values = mean if isinstance(mean, list) else [mean]
        if len(values) not in {1, 3} or not all(_is_number(value) for value in values):
            raise self._wrong("the input's mean must be a number, three numbers or a .npy file")
        if isinstance(mean, list) and len(values) == 3:
            first, second, third = (float(cast("float", value)) for value in values)
            return (first, second, third)
        return float(cast("float", values[0]))

    def _output(self, outputs: dict[str, Any], kind: str) -> OutputSpec:
        table = self._value(outputs, kind, dict)
        return OutputSpec(self._file_name(self._value(table, "file", str)), self._value(table, "tensor", str))

    def _labels(self) -> Labels:
        table = self._value(self._document, "labels", dict)
        genders = self._value(table, "gender", list)
        rows = self._value(table, "age", list)
        if not all(isinstance(one, str) and one for one in genders) or not 2 <= len(genders) <= MAX_LABELS:
            raise self._wrong("labels.gender must list at least two names")
        self._check_names([self._line(one, "gender") for one in genders])
        if not 2 <= len(rows) <= MAX_LABELS or not all(isinstance(row, dict) for row in rows):
            raise self._wrong("labels.age must list at least two age groups")
        ages = tuple(self._age_label(row) for row in rows)
        self._check_names([one.name for one in ages])
        if any(one.low >= other.low for one, other in itertools.pairwise(ages)):
            raise self._wrong("labels.age must go from young to old")
        return Labels(ages, tuple(genders))

    def _age_label(self, row: dict[str, Any]) -> AgeLabel:
        name, low, high = self._line(row.get("name"), "name"), self._value(row, "low", int), row.get("high")
        if high is not None:
            high = self._value(row, "high", int)
        if not 0 <= low <= (low if high is None else high) <= MAX_YEARS:
            raise self._wrong(f"the years of the age group {_shown(name)} make no sense")
        return AgeLabel(name, low, high)

    def _check_names(self, names: list[str]) -> None:
        for name in names:
            if names.count(name) > 1:
                raise self._wrong(f"the label {_shown(name)} is there twice")

    def _line(self, value: object, key: str) -> str:
        # Shown on terminals and pictures, where control characters would do harm.
        if not isinstance(value, str) or not value.isprintable() or len(value) > MAX_LINE:
            raise self._wrong(f"{key} must be one line of text, of at most {MAX_LINE} letters")
        return value

    def _file_name(self, name: str) -> str:
        too_long = len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES
        if not name or too_long or "\0" in name or Path(name).name != name or "\\" in name:
            raise self._wrong(f"{_shown(name)} is not the name of a file beside the manifest")
        return name

    def _choice(self, table: dict[str, Any], key: str, choices: tuple[str, ...]) -> str:
        value = str(self._value(table, key, str))
        if value not in choices:
            raise self._wrong(f"{key} is {_shown(value)} but must be one of {', '.join(choices)}")
        return value

    def _number(self, table: dict[str, Any], key: str) -> float:
        value = table.get(key)
        if not _is_number(value):
            raise self._wrong(f"{key} must be a number")
        return float(cast("float", value))

    def _strings(self, key: str) -> dict[str, str]:
        table = self._document.get(key, {})
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            raise self._wrong(f"[{key}] must hold texts")
        return dict(table)

    def _numbers(self, key: str) -> dict[str, float]:
        table = self._document.get(key, {})
        if not isinstance(table, dict) or not all(_is_number(value) for value in table.values()):
            raise self._wrong(f"[{key}] must hold numbers")
        return {name: float(value) for name, value in table.items()}

    def _value(self, table: dict[str, Any], key: str, kind: type) -> Any:
        value = table.get(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._wrong(f"{key!r} is missing or is not {_KINDS[kind]}")
        return value

    def _wrong(self, what: str) -> ModelError:
        return ModelError(f"the model's manifest {self._path} is wrong: {what}")


_KINDS: Final[dict[type, str]] = {
    str: "a text",
    int: "a whole number",
    dict: "a table",
    list: "a list",
}


def _shown(value: str) -> str:
    """A text for a message, quoted; shortened where it is long."""
    quoted = repr(value)
    return quoted if len(quoted) <= MAX_REASON else f"{quoted[:MAX_REASON]}…'"


def _is_number(value: object) -> bool:
    # Compared, not converted: TOML's integers may be larger than any float.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER
