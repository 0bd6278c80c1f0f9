"""Sessions are switched newest first, and widgets see the engine's news in the engine's order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop_app.engine.session import Session
from desktop_app.engine.types import RenderedFrame, SessionSettings, SessionStatus
from desktop_app.window.bridge import SessionBridge

LIVE_MS = 20_000


@pytest.fixture
def bridge(qtbot: QtBot) -> Iterator[SessionBridge]:
    made = SessionBridge()
    yield made
    assert made.close()


def test_only_the_newest_of_many_sources_is_started(
    qtbot: QtBot, bridge: SessionBridge, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Session] = []
    start, stop = Session.start, Session.stop
    all_asked_for = threading.Event()

    def start_and_note(session: Session) -> None:
        started.append(session)
        start(session)

    def stop_late(session: Session) -> None:
        all_asked_for.wait(60)
        stop(session)

    monkeypatch.setattr(Session, "start", start_and_note)
    monkeypatch.setattr(Session, "stop", stop_late)
    bridge.open(SessionSettings(source="demo"))
    qtbot.waitUntil(lambda: bridge.latest is not None, timeout=LIVE_MS)
    for number in range(200):
        bridge.open(SessionSettings(source=f"/no such film {number}.mp4"))
    bridge.open(SessionSettings(source=str(clip)))
    last = bridge.session
    all_asked_for.set()
    qtbot.waitUntil(lambda: bridge.latest is not None and bridge.status.state == "live", timeout=LIVE_MS)
    assert bridge.session is last
    assert len(started) == 2
    assert started[1] is last


def test_a_source_that_is_stopped_before_it_began_never_begins(
    qtbot: QtBot, bridge: SessionBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Session.stop
    stopping, all_asked_for = threading.Event(), threading.Event()

    def stop_late(session: Session) -> None:
        stopping.set()
        all_asked_for.wait(60)
        stop(session)

    monkeypatch.setattr(Session, "stop", stop_late)
    bridge.open(SessionSettings(source="demo"))
    qtbot.waitUntil(lambda: bridge.latest is not None, timeout=LIVE_MS)
    first = bridge.session
    bridge.open(SessionSettings(source="demo"))
    assert stopping.wait(60)
    bridge.stop()
    all_asked_for.set()
    assert first is not None
    qtbot.waitUntil(lambda: first.status().state == "stopped", timeout=LIVE_MS)
    assert bridge.close()
    assert bridge.session is not None
    assert bridge.session.status().state == "idle"


def test_a_session_that_cannot_be_stopped_is_told_and_the_next_one_runs(
    qtbot: QtBot, bridge: SessionBridge, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Session.stop
    told: list[str] = []
    bridge.failed.connect(lambda message: told.append(str(message)))

    def stop_and_stumble(session: Session) -> None:
        stop(session)
        monkeypatch.setattr(Session, "stop", stop)
        raise OSError("the driver is gone")

    monkeypatch.setattr(Session, "stop", stop_and_stumble)
    bridge.open(SessionSettings(source="demo"))
    qtbot.waitUntil(lambda: bridge.latest is not None, timeout=LIVE_MS)
    bridge.open(SessionSettings(source=str(clip)))
    qtbot.waitUntil(lambda: bridge.status.state == "live" and bool(told), timeout=LIVE_MS)
    assert told == ["Cannot stop the last source in order: the driver is gone. Start Agelens again, and report it."]


def test_a_pause_is_shown_after_the_picture_that_it_holds(qtbot: QtBot, bridge: SessionBridge, clip: Path) -> None:
    shown: list[RenderedFrame] = []
    held: list[tuple[RenderedFrame, RenderedFrame | None]] = []

    def note(status: SessionStatus) -> None:
        if status.state == "paused":
            held.append((shown[-1], bridge.latest))

    bridge.picture_arrived.connect(shown.append)
    bridge.status_changed.connect(note)
    bridge.open(SessionSettings(source=str(clip)))
    qtbot.waitUntil(lambda: bool(shown) and bridge.status.state == "live", timeout=LIVE_MS)
    session = bridge.session
    assert session is not None
    for _ in range(5):
        session.pause()
        qtbot.waitUntil(lambda: bridge.status.state == "paused", timeout=LIVE_MS)
        session.play()
        qtbot.waitUntil(lambda: bridge.status.state == "live", timeout=LIVE_MS)
    for last, newest in held:
        # What was shown is the newest frame that there is; it may be drawn again, with labels.
        assert newest is not None
        assert last.frame is newest.frame
