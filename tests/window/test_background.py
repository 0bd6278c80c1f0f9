"""Work off the GUI thread: its turn, its answers, its end."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from desktop_app.errors import AgelensError
from desktop_app.messages import Message
from desktop_app.window.background import Background

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def background(qtbot: QtBot) -> Iterator[Background]:
    made = Background("jobs")
    yield made
    made.close()
    assert made.join(10)


class Gate:
    """A job that is under way until it is let go."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.opened.wait(10)


def test_answers_come_in_turn_and_on_the_gui_thread(qtbot: QtBot, background: Background) -> None:
    answers: list[tuple[int, str, str]] = []
    assert not background.is_alive
    for number in range(3):
        background.submit(
            lambda number=number: (number, threading.current_thread().name),  # type: ignore[misc]
            lambda answer: answers.append((*answer, threading.current_thread().name)),
        )
    qtbot.waitUntil(lambda: len(answers) == 3)
    assert answers == [(number, "jobs", "MainThread") for number in range(3)]


def test_errors_come_as_messages_and_the_next_job_is_done(qtbot: QtBot, background: Background) -> None:
    def fail(error: Exception) -> None:
        raise error

    told: list[Message] = []
    for error in (
        AgelensError("Cannot do {what}: it is gone.", what="this"),
        OSError(28, "disk full"),
        ValueError("x"),
    ):
        background.submit(lambda error=error: fail(error), failed=told.append)  # type: ignore[misc]
    qtbot.waitUntil(lambda: len(told) == 3)
    assert str(told[0]) == "Cannot do this: it is gone."
    assert "disk full" in str(told[1])
    assert "defect (ValueError: x)" in str(told[2])


def test_the_newest_job_replaces_those_that_wait(qtbot: QtBot, background: Background) -> None:
    gate, done = Gate(), list[int]()
    background.submit(gate)
    assert gate.entered.wait(10)
    assert not background.has_newer
    assert not background.wait_for_newer(0.01)
    for number in range(5):
        background.submit(lambda number=number: number, done.append, newest=True)  # type: ignore[misc]
    assert background.has_newer
    gate.opened.set()
    qtbot.waitUntil(lambda: bool(done))
    assert done == [4]


def test_what_was_handed_in_before_the_end_is_done_and_tells_no_one(qtbot: QtBot, background: Background) -> None:
    gate, done, told = Gate(), list[int](), list[object]()
    background.submit(gate, told.append)
    background.submit(lambda: done.append(1), told.append)
    assert gate.entered.wait(10)
    background.close()
    assert background.has_newer
    assert not background.submit(lambda: done.append(2))
    assert not background.join(0.01)
    gate.opened.set()
    assert background.join(10)
    qtbot.wait(1)
    assert (done, told) == ([1], [])


def test_calls_end_with_the_window_that_they_are_for(qtbot: QtBot) -> None:
    for _ in range(100):
        window = QObject()
        background, begun = Background("jobs", window), threading.Event()

        def call_back_often(background: Background = background, begun: threading.Event = begun) -> None:
            while not background.is_closed:
                background.call_back(begun.clear)
                begun.set()

        background.submit(call_back_often)
        assert begun.wait(10)
        # Closed, as all windows close theirs, and destroyed while the other thread still wants to call: nothing may
        # reach what is gone. Without `close` PySide takes the object apart before it says that it is destroyed.
        background.close()
        delete(window)
        assert background.join(10)


@pytest.mark.slow
@pytest.mark.parametrize("finish", [True, False])
def test_the_end_of_the_process_waits_for_jobs_that_must_be_finished(tmp_path: Path, finish: bool) -> None:
    code = f"""
import sys, threading
from pathlib import Path
from desktop_app.window.background import Background

background, begun, ending = Background("jobs", finish_at_exit={finish}), threading.Event(), threading.Event()

def work():
    begun.set()
    ending.wait(1)
    Path(sys.argv[1]).write_text("done")

background.submit(work)
begun.wait()
"""
    path = tmp_path / "file"
    subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=True, timeout=60)
    assert path.exists() == finish
