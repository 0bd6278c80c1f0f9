"""Messages and the errors that carry them, without a window."""

from __future__ import annotations

import pickle

import pytest

from desktop_app.errors import MAX_REASON, AgelensError, describe_error, reason_of
from desktop_app.messages import Message, join_lines
from desktop_app.sources.base import SourceError


def test_a_message_is_english_and_its_parts_stand_where_the_template_has_them() -> None:
    message = Message("Cannot open “{name}”: {reason}.", name="a {b} %n.mp4", reason=Message("it is damaged"))
    assert str(message) == "Cannot open “a {b} %n.mp4”: it is damaged."
    assert message == Message("Cannot open “{name}”: {reason}.", name="a {b} %n.mp4", reason=Message("it is damaged"))
    assert len({message, message, Message("Cannot open “{name}”: {reason}.", name="b", reason="gone")}) == 2


@pytest.mark.parametrize(
    ("count", "said"), [(0, "Skipped 0 pictures: x"), (1, "Skipped 1 picture: x"), (21, "Skipped 21 pictures: x")]
)
def test_a_count_gives_the_form(count: int, said: str) -> None:
    assert str(Message("Skipped %n picture(s): {names}", None, count, names="x")) == said


def test_lines_are_messages_of_their_own() -> None:
    one, two = Message("one {name}", name="a"), Message("%n picture(s)", None, 2)
    assert join_lines(None, None) is None
    assert join_lines(None, one) == one
    assert str(join_lines(one, None, two)) == "one a\n2 pictures"


def test_an_error_says_its_message_in_any_process() -> None:
    error = SourceError("Skipped %n picture(s) of “{name}”.", None, 1, name="a")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is SourceError
    assert str(again) == str(error) == "Skipped 1 picture of “a”."
    assert again.message == error.message
    assert str(AgelensError("what {is} as it is")) == "what {is} as it is"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "Cannot continue: the system reports “No space left on device”. "),
        (KeyError("x"), "Cannot continue: Agelens has a defect (KeyError: 'x'). "),
        (SourceError("Cannot open it."), "Cannot open it."),
    ],
)
def test_any_error_can_be_said(error: Exception, said: str) -> None:
    assert str(describe_error(error)).startswith(said)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("first.\nsecond"), "first"),
        (RuntimeError(), "RuntimeError"),
        (OSError(2, "No such file or directory", "/secret"), "No such file or directory"),
        (ValueError("x" * 10_000), "x" * MAX_REASON + "…"),
    ],
)
def test_a_reason_is_one_line_that_fits_into_a_sentence(error: Exception, said: str) -> None:
    assert reason_of(error) == said
