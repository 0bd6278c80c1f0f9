"""Texts for the user as values: an English template and its parameters, translated where they are shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

_LISTED: Final = 3
_PLURAL_ENDING: Final = re.compile(r"\((e?s)\)")


@dataclass(frozen=True, slots=True, init=False)
class Message:
    """A text for the user; `str` gives it in English.

    The template is a literal, because `lupdate` collects the templates from the source. Its arguments stand in the
    order that `lupdate` expects of `tr`.

    Args:
        template: English with named `{placeholders}`. With a count it holds `%n` and plural endings in brackets, as
            in "%n picture(s)".
        comment: distinguishes two equal templates with different meanings.
        n: the count that chooses between singular and plural.
        parameters: values of the placeholders; a `Message` among them is translated, too.
    """

    template: str
    comment: str | None
    n: int | None
    parameters: tuple[tuple[str, object], ...]

    def __init__(
        self, template: str, comment: str | None = None, n: int | None = None, /, **parameters: object
    ) -> None:
        object.__setattr__(self, "template", template)
        object.__setattr__(self, "comment", comment)
        object.__setattr__(self, "n", n)
        object.__setattr__(self, "parameters", tuple(parameters.items()))

    def __str__(self) -> str:
        return self.render(english)

    def render(self, translate: Callable[[Message], str]) -> str:
        """The text in some language.

        Args:
            translate: the template of a message in that language, in the form for its count, placeholders untouched.
        """
        text = translate(self)
        if self.n is not None:
            text = text.replace("%n", str(self.n))
        if not self.parameters:
            return text
        values: dict[str, Any] = {
            name: value.render(translate) if isinstance(value, Message) else value for name, value in self.parameters
        }
        return text.format(**values)


def english(message: Message) -> str:
    """The template of a message in the form for its count."""
    if message.n is None:
        return message.template
    return _PLURAL_ENDING.sub("" if message.n == 1 else r"\1", message.template)


@dataclass(frozen=True, slots=True)
class Language:
    """A language that messages can be said in.

    Attributes:
        code: as in `zh_CN`.
        translate: what `Message.render` takes.
    """

    code: str
    translate: Callable[[Message], str]

    def say(self, message: Message) -> str:
        """A message in this language."""
        return message.render(self.translate)


ENGLISH: Final = Language("en", english)


def list_names(names: Sequence[str]) -> str:
    """The first of some names, to be put into a sentence."""
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")


def join_lines(*messages: Message | None) -> Message | None:
    """Several messages as one, a line each; None where there is none."""
    present = [message for message in messages if message is not None]
    if len(present) < 2:
        return present[0] if present else None
    lines = {f"line_{index}": message for index, message in enumerate(present)}
    template = "\n".join(f"{{{name}}}" for name in lines)
    return Message(template, **lines)
