"""Model manifest: labels, input, outputs, licence, scores, checksums; read from TOML and written to it."""

from __future__ import annotations

import hashlib
import itertools
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AliasPath,
    BeforeValidator,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from desktop_app.errors import MAX_REASON, AgelensError, reason_of
from desktop_app.messages import Message

Colour = Literal["BGR", "RGB"]
Architecture = Literal["two-head", "two-network"]
Activation = Literal["softmax", "none"]
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
MAX_NUMBER: Final = 1e30
MAX_FACES: Final = 10**9
MAX_CONFUSED: Final = 60
"""Age groups times genders of which a manifest holds a confusion matrix: more rows make it too large."""


class ModelError(AgelensError):
    """A model cannot be used; the message says which one, why, and what to do."""


def is_model_name(name: str) -> bool:
    """Whether a model can be called that, and its files too: a-z, 0-9, `.` and `-`, neither of these two first."""
    return len(name) <= MAX_LINE and re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name) is not None


T = TypeVar("T")


def _problem(message: Message, *place: str | int) -> PydanticCustomError:
    """An error whose message continues a sentence that begins with the field's name.

    Args:
        message: what is wrong.
        place: the field, where a check of the whole manifest finds it.
    """
    return PydanticCustomError("manifest", "{problem}", {"problem": message, "place": place})


def _must(holds: Callable[[T], bool], problem: Message) -> AfterValidator:
    """A check of a value whose type was checked."""

    def check(value: T) -> T:
        if not holds(value):
            raise _problem(problem)
        return value

    return AfterValidator(check)


def _in_outputs(name: str) -> Any:
    """A field of the file's table `outputs`."""
    return Field(validation_alias=AliasPath("outputs", name))


def _is_line(text: str) -> bool:
    # Shown on terminals and pictures, where control characters would do harm.
    return text.isprintable() and len(text) <= MAX_LINE


def _is_file_name(name: str) -> bool:
    fits = 0 < len(name.encode("utf-8", "replace")) <= MAX_NAME_BYTES
    return fits and "\0" not in name and "\\" not in name and Path(name).name == name


def _all_differ(names: Sequence[str]) -> bool:
    return len(set(names)) == len(names)


def _read_mean(value: object, read: ValidatorFunctionWrapHandler) -> object:
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], str):
        value = value[0]
    try:
        return read(value)
    except ValidationError:
        raise _problem(
            Message("must be a number, three numbers or the name of a .npy file beside the manifest")
        ) from None


def _give_all(table: object) -> object:
    # The defaults are those of this project's own networks: a file has to give its network's.
    for name in ("size", "colour", "mean", "scale", "margin"):
        if isinstance(table, dict) and name not in table:
            raise _problem(Message("has no {name}", name=name))
    return table


def _read_rows(rows: object) -> object:
    # A row is a text of numbers, because a list of them would stand in as many lines.
    return [row.split() if isinstance(row, str) else row for row in rows] if isinstance(rows, list) else rows


def _write_rows(rows: Sequence[Sequence[int]]) -> list[str]:
    return [" ".join(map(str, row)) for row in rows]


_Text = Annotated[str, Field(strict=True)]
_Line = Annotated[
    _Text, _must(_is_line, Message("must be one line of text, of at most {count} letters", count=MAX_LINE))
]
_Number = Annotated[float, Field(strict=True, ge=-MAX_NUMBER, le=MAX_NUMBER, allow_inf_nan=False)]
_Years = Annotated[int, Field(strict=True, ge=0, le=MAX_YEARS)]
_Count = Annotated[int, Field(ge=0, le=MAX_FACES)]
_FileName = Annotated[_Text, _must(_is_file_name, Message("must be the name of a file beside the manifest"))]
Mean = Annotated[_Number | tuple[_Number, _Number, _Number] | _FileName, WrapValidator(_read_mean)]


def _in_order(years: AgeLabel) -> bool:
    return years.high is None or years.low <= years.high


def _from_young_to_old(ages: tuple[AgeLabel, ...]) -> bool:
    return all(one.low < other.low for one, other in itertools.pairwise(ages))


def _names_differ(ages: tuple[AgeLabel, ...]) -> bool:
    return _all_differ([one.name for one in ages])


@dataclass(frozen=True, slots=True)
class AgeLabel:
    """One age group: its name and its years, both included; `high` is None where it is open."""

    name: _Line
    low: _Years
    high: _Years | None = None

    @property
    def last(self) -> int:
        """The last year of the group; of an open one, the tenth after the first."""
        return self.high if self.high is not None else self.low + 10

    @property
    def middle(self) -> float:
        """A year that stands for the group."""
        return (self.low + self.last) / 2


@dataclass(frozen=True, slots=True)
class Labels:
    """The classes of a model, in the order of its outputs."""

    ages: Annotated[
        tuple[Annotated[AgeLabel, _must(_in_order, Message("must have a `high` that is not below its `low`"))], ...],
        Field(alias="age", min_length=2, max_length=MAX_LABELS),
        _must(_names_differ, Message("must not give two groups one name")),
        _must(_from_young_to_old, Message("must go from young to old")),
    ]
    genders: Annotated[
        tuple[Annotated[_Line, _must(bool, Message("must not be empty"))], ...],
        Field(alias="gender", min_length=2, max_length=MAX_LABELS),
        _must(_all_differ, Message("must not hold one name twice")),
    ]


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

    size: Annotated[int, Field(strict=True, ge=16, le=MAX_INPUT_SIZE)] = 227
    colour: Colour = "BGR"
    mean: Mean = 127.5
    scale: Annotated[_Number, _must(bool, Message("must not be 0"))] = 1 / 64
    margin: Annotated[_Number, Field(ge=0.5, le=4)] = 1.15
    mean_fit: Annotated[MeanFit, Field(exclude_if=lambda fit: fit == "crop")] = "crop"


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """Where an answer comes from: an ONNX file beside the manifest and one of its outputs."""

    file: _FileName
    tensor: _Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything the app knows of a model, in the order of the file; its types hold the limits of what is read.

    Attributes:
        name: what the model is chosen by; also the stem of its files.
        title: the name that people see; a file may leave it out, and `name` is shown.
        description: what is said about the model.
        architecture: one network with two heads, or one network for age and one for gender.
        input: how a crop becomes the input of its networks.
        activation: what is done to the outputs: `softmax`, or nothing where they are probabilities.
        age: where the age group's probabilities come from.
        gender: where the perceived gender's come from.
        labels: the classes of both.
        files: SHA-256 in hexadecimal of each file, by its name.
        scores: what was measured, by name.
        confusion: counts of the faces that it was measured on: a row for each age group and gender as labelled, a
            column for each as answered, both in the order of the age groups and within them of the genders. Empty
            where that was not measured, or are more than `MAX_CONFUSED`.
        layers: what the network view calls layers, by the tensor that they write; others are numbered by their kind.
        about: licence, data, authors, source and other notes.
    """

    name: Annotated[
        _Text, _must(is_model_name, Message("may hold only a-z, 0-9, '.' and '-', the first a letter or digit"))
    ]
    title: _Line = ""
    description: Annotated[str, BeforeValidator(str)] = ""
    architecture: Architecture
    input: Annotated[InputSpec, BeforeValidator(_give_all)]
    activation: Annotated[Activation, _in_outputs("activation")]
    age: Annotated[OutputSpec, _in_outputs("age")]
    gender: Annotated[OutputSpec, _in_outputs("gender")]
    labels: Labels
    files: Mapping[str, _Text] = field(default_factory=dict)
    scores: Mapping[str, _Number] = field(default_factory=dict)
    confusion: Annotated[
        tuple[tuple[_Count, ...], ...],
        Field(max_length=MAX_CONFUSED, exclude_if=lambda rows: not rows),
        BeforeValidator(_read_rows),
        PlainSerializer(_write_rows),
    ] = ()
    layers: Annotated[Mapping[str, _Line], Field(exclude_if=lambda layers: not layers)] = field(default_factory=dict)
    about: Mapping[str, _Text] = field(default_factory=dict)


def _check_whole(manifest: Manifest) -> Manifest:
    if manifest.architecture == "two-head" and manifest.age.file != manifest.gender.file:
        raise _problem(
            Message("must be the same file as outputs.gender.file where the architecture is two-head"),
            *("outputs", "age", "file"),
        )
    cells = len(manifest.labels.ages) * len(manifest.labels.genders)
    if manifest.confusion and {len(manifest.confusion), *map(len, manifest.confusion)} != {cells}:
        raise _problem(Message("must be {cells} rows of {cells} numbers", cells=cells), "confusion")
    return manifest


_MANIFEST: Final[TypeAdapter[Manifest]] = TypeAdapter(Annotated[Manifest, AfterValidator(_check_whole)])

_PROBLEMS: Final[Mapping[str, Callable[[dict[str, Any]], Message]]] = {
    "manifest": lambda found: found["problem"],
    "missing": lambda _: Message("is missing"),
    "string_type": lambda _: Message("must be a text"),
    "int_type": lambda _: Message("must be a whole number"),
    "int_parsing": lambda _: Message("must be a whole number"),
    "float_type": lambda _: Message("must be a number"),
    "finite_number": lambda _: Message("must be a number"),
    "dataclass_type": lambda _: Message("must be a table"),
    "mapping_type": lambda _: Message("must be a table"),
    "tuple_type": lambda _: Message("must be a list"),
    "literal_error": lambda found: Message("must be {expected}", expected=found["expected"]),
    "greater_than_equal": lambda found: Message("must be at least {limit}", limit=f"{found['ge']:g}"),
    "less_than_equal": lambda found: Message("must be at most {limit}", limit=f"{found['le']:g}"),
    "too_short": lambda found: Message("must have at least {count} entries", count=found["min_length"]),
    "too_long": lambda found: Message("must have at most {count} entries", count=found["max_length"]),
}
"""What pydantic finds, by its names for it: the end of a sentence that begins with the field's name."""


def check_model_name(name: str) -> None:
    """Guard the name of a model that is to be written.

    Raises:
        ModelError: no model can be called that.
    """
    if not is_model_name(name):
        raise ModelError(
            "Cannot name a model “{name}”: the name may hold only a-z, 0-9, '.' and '-', the first a letter or digit. "
            "Choose another name.",
            name=name,
        )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_manifest(path: Path) -> Manifest:
    """Read a manifest and check its values.

    Raises:
        ModelError: it cannot be read, a field is missing, or a value is out of range.
    """
    try:
        manifest = _MANIFEST.validate_python(tomllib.loads(_read_text(path)))
    except ValidationError as error:
        raise ModelError(
            "Cannot use the model manifest “{path}”: {problem}. Correct it, or export the model again.",
            path=path,
            problem=_first_problem(error),
        ) from error
    except RecursionError as error:
        raise _unreadable(path, Message("it is nested too deeply")) from error
    except OSError as error:
        raise _unreadable(path, reason_of(error)) from error
    except ValueError as error:
        # Besides wrong TOML, a number of more digits than Python reads.
        raise _unreadable(path, reason_of(error)) from error
    return manifest if manifest.title else replace(manifest, title=manifest.name)


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest as TOML (needs the `train` extra).

    Args:
        manifest: what to write; its values are not checked.
        path: the `.toml` file, beside the files that it names.
    """
    import tomli_w

    document: dict[str, Any] = {}
    for key, value in _MANIFEST.dump_python(manifest, by_alias=True, exclude_none=True).items():
        table = document.setdefault("outputs", {}) if key in {"activation", "age", "gender"} else document
        table[key] = value
    path.write_text(tomli_w.dumps(document), encoding="utf-8")


def _read_text(path: Path) -> str:
    # Reading a pipe or a device may never end.
    if path.exists() and not path.is_file():
        raise _unreadable(path, Message("it is not a file"))
    with path.open("rb") as stream:
        data = stream.read(MAX_MANIFEST_BYTES + 1)
    if len(data) > MAX_MANIFEST_BYTES:
        raise _unreadable(path, Message("it is too large"))
    if any(line.count(b".") > MAX_LINE_DOTS for line in data.splitlines()):
        raise _unreadable(path, Message("one of its lines has too many dots"))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _unreadable(path, Message("it is not UTF-8 text")) from None


def _unreadable(path: Path, reason: Message | str) -> ModelError:
    return ModelError(
        "Cannot read the model manifest “{path}”: {reason}. Correct it, or export the model again.",
        path=path,
        reason=reason,
    )


def _first_problem(error: ValidationError) -> Message:
    """The first invalid field, as `labels.age[3].low`, and what is wrong with it."""
    first = error.errors(include_url=False, include_input=False)[0]
    # Without a place it is about the whole manifest, see `_check_whole`.
    loc = first["loc"] or first["ctx"]["place"]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)[1:]
    if not place.isprintable():
        place = repr(place)
    describe = _PROBLEMS.get(first["type"])
    problem = describe(first.get("ctx", {})) if describe is not None else first["msg"]
    return Message("{field} {problem}", field=place[:MAX_REASON], problem=problem)
