"""Base class of errors that are shown to the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self

from desktop_app.messages import Message
from desktop_app.system_libraries import ALWAYS_NEEDED, missing_library, missing_packages

MAX_REASON: Final = 200
"""Letters of other programs' words in a sentence."""


class AgelensError(Exception):
    """Something the user can act on, said as "Cannot …: reason. What to do.".

    Its `str` is the English sentence; the window shows `message` in its language. The arguments are those of `Message`.

    Args:
        template: a literal with named placeholders.
        comment: distinguishes two equal templates with different meanings.
        n: the count that chooses between singular and plural.
        parameters: values of the placeholders.
    """

    def __init__(
        self, template: str, comment: str | None = None, n: int | None = None, /, **parameters: object
    ) -> None:
        self.message = Message(template, comment, n, **parameters)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Callable[[Message], Self], tuple[Message]]:
        return self.from_message, (self.message,)

    @classmethod
    def from_message(cls, message: Message) -> Self:
        """The error that says a message as it is."""
        error = cls(message.template)
        error.message = message
        error.args = (message,)
        return error


def describe_error(error: Exception) -> Message:
    """What to say of any error, a defect of the program included."""
    if isinstance(error, AgelensError):
        return error.message
    library = missing_library(error)
    if library is not None:
        packages = missing_packages(ALWAYS_NEEDED)
        if not packages:
            return Message(
                "Cannot continue: the system lacks the library “{library}”. Install the package that holds it.",
                library=library,
            )
        return Message(
            "Cannot continue: the system lacks the library “{library}”. Install the package that holds it, on Debian "
            "or Ubuntu by `sudo apt install {packages}`.",
            library=library,
            packages=" ".join(packages),
        )
    if isinstance(error, OSError):
        return Message(
            "Cannot continue: the system reports “{reason}”. Check the disk, and try again.", reason=reason_of(error)
        )
    return Message(
        "Cannot continue: Agelens has a defect ({kind}: {reason}). Try again, and report it.",
        kind=type(error).__name__,
        reason=reason_of(error),
    )


def reason_of(error: Exception) -> str:
    """What the system or a library says of an error, to be put into a sentence: one line without a full stop."""
    said = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    line = said.splitlines()[0]
    return (line if len(line) <= MAX_REASON else f"{line[:MAX_REASON]}…").rstrip(".")


class CommandError(AgelensError):
    """Something that only a terminal shows; it is not translated."""
