"""Reads Caffe's network definitions (`deploy.prototxt`, protobuf's text format).

`read_prototxt` reads any message of the text format; `models.caffe.network` makes a network of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from desktop_app.catalogue.manifest import ModelError

MAX_FILE_BYTES: Final = 1 << 20
MAX_FIELDS: Final = 100_000
MAX_DEPTH: Final = 32
MAX_NUMBER_LENGTH: Final = 40

_TOKEN: Final = re.compile(
    r"""
    (?P<blank>[\s;,]+|\#[^\n]*)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fF]?)(?![\w.]))
    |(?P<name>[A-Za-z_]\w*)
    |(?P<symbol>[{}<>:\[\]])
    """,
    re.VERBOSE,
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}
_TRUE: Final = frozenset({"true", "t", "True", 1})
_FALSE: Final = frozenset({"false", "f", "False", 0})

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its fields' values in the order of the file; what is asked for comes typed or as a `ModelError`.

    Attributes:
        path: the file, for messages.
        line: where the message begins in the file.
        values: the values of each field; names of enumerations and strings are both `str`.
    """

    path: Path
    line: int
    values: dict[str, list[str | int | float | Message]] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self.values

    def messages(self, name: str) -> tuple[Message, ...]:
        """The values of a repeated message."""
        return tuple(self._typed(name, Message, "a message in braces"))

    def message(self, name: str) -> Message:
        """The value of a message; an empty one where the field is absent."""
        found = self.messages(name)
        return found[-1] if found else Message(self.path, self.line)

    def texts(self, name: str) -> tuple[str, ...]:
        """The values of a repeated string or enumeration."""
        return tuple(self._typed(name, str, "a text"))

    def text(self, name: str, default: str = "") -> str:
        """The value of a string or enumeration."""
        found = self.texts(name)
        return found[-1] if found else default

    def wholes(self, name: str) -> tuple[int, ...]:
        """The values of a repeated integer."""
        return tuple(self._typed(name, int, "a whole number"))

    def whole(self, name: str, default: int) -> int:
        """The value of an integer."""
        found = self.wholes(name)
        return found[-1] if found else default

    def number(self, name: str, default: float) -> float:
        """The value of a float."""
        values = self.values.get(name, [default])
        value = values[-1]
        if not isinstance(value, (int, float)) or abs(value) > 1e30:
            raise self.wrong(f"{name} must be a number")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """The value of a boolean."""
        value = self.values.get(name, ["true" if default else "false"])[-1]
        if isinstance(value, (str, int)) and value in _TRUE | _FALSE:
            return value in _TRUE
        raise self.wrong(f"{name} must be true or false")

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """The value of an enumeration, by name or by number; the first one where the field is absent."""
        value = self.values.get(name, [choices[0]])[-1]
        if isinstance(value, int) and 0 <= value < len(choices):
            return choices[value]
        if isinstance(value, str) and value in choices:
            return value
        raise self.wrong(f"{name} must be one of {', '.join(choices)}")

    def wrong(self, reason: str) -> ModelError:
        """The error that says what is wrong with this message."""
        return ModelError(f"{self.path}, line {self.line}: {reason}; correct the network's definition")

    def _typed(self, name: str, kind: type[_T], title: str) -> list[_T]:
        values = self.values.get(name, [])
        typed: list[_T] = [value for value in values if isinstance(value, kind)]
        if len(typed) != len(values):
            raise self.wrong(f"{name} must be {title}")
        return typed


def read_prototxt(path: Path) -> Message:
    """Read a file in protobuf's text format.

    Raises:
        ModelError: the file cannot be read or is not in that format.
    """
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path} is not a file; name the network's .prototxt")
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path} cannot be read ({reason}); check the file's name") from error
    if len(data) > MAX_FILE_BYTES:
        raise ModelError(f"{path} is too large for a network's definition; name the .prototxt file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ModelError(f"{path} is not a text file; name the network's .prototxt") from None
    return parse_text(text, path)


def parse_text(text: str, path: Path) -> Message:
    """Parse protobuf's text format.

    Args:
        text: the whole text.
        path: where it comes from, for messages.

    Raises:
        ModelError: the text is not in that format.
    """
    return _Parser(text, path).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


class _Parser:
    """A recursive-descent parser over a stream of tokens, with one token looked ahead."""

    def __init__(self, text: str, path: Path) -> None:
        self._path = path
        self._tokens = self._scan(text)
        self._fields_left = MAX_FIELDS
        self._next = next(self._tokens)

    def whole(self) -> Message:
        message = Message(self._path, 1)
        self._fields(message, "", 0)
        return message

    def _scan(self, text: str) -> Iterator[_Token]:
        position, line = 0, 1
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._wrong(f"{text[position : position + 10]!r} makes no sense there", line)
            if match.lastgroup != "blank":
                yield _Token(str(match.lastgroup), match.group(), line)
            line += match.group().count("\n")
            position = match.end()
        yield _Token("end", "", line)

    def _take(self) -> _Token:
        token = self._next
        self._next = next(self._tokens, token)
        return token

    def _fields(self, message: Message, closing: str, depth: int) -> None:
        while True:
            token = self._take()
            if token.text == closing and token.kind in {"symbol", "end"}:
                return
            if token.kind != "name":
                what = "the end of the file" if token.kind == "end" else repr(token.text[:20])
                raise self._wrong(f"a field's name is expected, not {what}", token.line)
            self._field(message, token, depth)

    def _field(self, message: Message, name: _Token, depth: int) -> None:
        self._fields_left -= 1
        if self._fields_left < 0:
            raise self._wrong("there are too many fields", name.line)
        values = message.values.setdefault(name.text, [])
        colon = self._next.text == ":"
        if colon:
            self._take()
        if self._next.text == "[":
            self._take()
            while self._next.text != "]":
                values.append(self._value(depth, scalar=colon))
            self._take()
        else:
            values.append(self._value(depth, scalar=colon))

    def _value(self, depth: int, *, scalar: bool) -> str | int | float | Message:
        token = self._take()
        if token.kind == "symbol" and token.text in {"{", "<"}:
            if depth == MAX_DEPTH:
                raise self._wrong("braces are nested too deeply", token.line)
            message = Message(self._path, token.line)
            self._fields(message, "}" if token.text == "{" else ">", depth + 1)
            return message
        if scalar and token.kind == "name":
            return token.text
        if scalar and token.kind == "number":
            return self._number(token)
        if scalar and token.kind == "text":
            parts = [_unquoted(token.text)]
            while self._next.kind == "text":
                parts.append(_unquoted(self._take().text))
            return "".join(parts)
        raise self._wrong("a field's value is missing", token.line)

    def _number(self, token: _Token) -> int | float:
        text = token.text.lower()
        if len(text) > MAX_NUMBER_LENGTH:
            raise self._wrong("a number is too long", token.line)
        if "0x" in text:
            return int(text, 16)
        if text.lstrip("+-").isdigit():
            return int(text)
        return float(text.rstrip("f"))

    def _wrong(self, reason: str, line: int) -> ModelError:
        return ModelError(
            f"{self._path}, line {line}: {reason}; name a network's definition in Caffe's text format (.prototxt)"
        )


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match.group(1), match.group(1)), text[1:-1], flags=re.DOTALL)
