"""Recordings run as long as what they show, whenever the pictures came."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from desktop_app.engine.session import Session, SessionSettings
from desktop_app.sources.live import LiveSource
from tests.helpers.sessions import Bell, running
from tests.helpers.uneven_camera import UnevenCamera, duration_of, recorded_times

FRAME_S = 1 / 30
TICK_S = {".mp4": 1 / 30_000, ".mkv": 1 / 1000}
UNEVEN = SessionSettings(source="uneven")


@dataclass(slots=True)
class Cameras:
    """The cameras that the session opened."""

    made: list[UnevenCamera] = field(default_factory=list)

    def open(self, *_: object, **__: object) -> LiveSource:
        return LiveSource(self._plug, name="uneven")

    def _plug(self, stop: threading.Event) -> UnevenCamera:
        self.made.append(UnevenCamera(stop))
        return self.made[-1]


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> Cameras:
    """Stands in for the cameras of this machine, of which there may be none."""
    plugged = Cameras()
    monkeypatch.setattr("desktop_app.engine.capture.open_source", plugged.open)
    return plugged


@contextmanager
def recording(path: Path, settings: SessionSettings) -> Iterator[tuple[Session, Bell]]:
    """A session that records, and whose recording is complete afterwards."""
    with running(settings) as (session, bell):
        bell.wait_until(lambda: session.latest())
        session.start_recording(path)
        bell.wait_until(lambda: session.recording().frames > 0)
        yield session, bell
        session.stop_recording()
        bell.wait_until(lambda: session.recording().state == "idle")
    assert session.recording().message is None


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_pictures_of_an_uneven_camera_keep_their_times(tmp_path: Path, suffix: str, cameras: Cameras) -> None:
    path = tmp_path / f"film{suffix}"
    with recording(path, UNEVEN) as (session, bell):
        bell.wait_until(lambda: session.recording().frames >= 12)
        paused_from = time.monotonic()
        session.pause_recording(True)
        paused_until = time.monotonic()
        before, seen = session.recording().frames, len(cameras.made[0].taken_at)
        bell.wait_until(lambda: len(cameras.made[0].taken_at) >= seen + 4)
        resumed_from = time.monotonic()
        session.pause_recording(False)
        resumed_until = time.monotonic()
        bell.wait_until(lambda: session.recording().frames >= before + 10)
    times, (camera,) = recorded_times(path), cameras.made
    first, part_one = min(times), {number for number in times if camera.taken_at[number] < paused_until}
    part_two = times.keys() - part_one
    assert len(part_one) >= 10
    assert len(part_two) >= 8
    for number in part_one:
        taken = camera.taken_at[number] - camera.taken_at[first]
        assert times[number] == pytest.approx(taken, abs=TICK_S[suffix])
    shortest, longest = resumed_from - paused_until, resumed_until - paused_from
    for number in part_two:
        taken = camera.taken_at[number] - camera.taken_at[first]
        assert camera.taken_at[number] > resumed_from
        assert taken - longest - TICK_S[suffix] <= times[number] <= taken - shortest + TICK_S[suffix]


@pytest.mark.slow
def test_pause_between_two_pictures_takes_nothing_away(tmp_path: Path, cameras: Cameras) -> None:
    path = tmp_path / "film.mkv"
    pauses: list[tuple[float, float]] = []
    with recording(path, UNEVEN) as (session, bell):
        for _ in range(6):
            before = session.recording().frames
            started = time.monotonic()
            session.pause_recording(True)
            session.pause_recording(False)
            pauses.append((started, time.monotonic()))
            bell.wait_until(lambda before=before: session.recording().frames >= before + 2)  # type: ignore[misc]
    times, (camera,) = recorded_times(path), cameras.made
    first, last = min(times), max(times)
    taken = camera.taken_at[last] - camera.taken_at[first]
    most = sum(end - start for start, end in pauses)
    assert taken - most - 0.001 <= times[last] <= taken + 0.001


@pytest.mark.slow
def test_recording_of_a_still_picture_is_as_long_as_it_was_shown(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with running(SessionSettings(source="demo")) as (session, bell):
        bell.wait_until(lambda: session.latest())
        session.pause()
        session.start_recording(path)
        bell.wait_until(lambda: session.recording().duration_s > 0.5)
        stopped_at = session.recording().duration_s
        session.stop_recording()
        bell.wait_until(lambda: session.recording().state == "idle")
    assert duration_of(path) >= stopped_at
