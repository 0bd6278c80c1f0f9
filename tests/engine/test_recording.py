"""The recorder's thread: its clock, and what is said when it ends."""

from __future__ import annotations

import csv
import os
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from desktop_app.engine.recording import RecorderWorker
from desktop_app.engine.types import RecordingStatus, RenderedFrame
from desktop_app.output.atomic_files import free_space
from desktop_app.sources.frame import Frame
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.tracking.tracker import Track

PATIENCE_S = 30.0
MEBIBYTE = 2**20


def picture_at(taken_at: float) -> RenderedFrame:
    """A picture with one face in it."""
    landmarks = Landmarks(*[Point(20.0, 20.0)] * 6)
    track = Track(1, Detection(Box(10.0, 10.0, 20.0, 20.0), 0.9, landmarks), 0.0, 0.0, hits=1, missed=0)
    image = np.full((48, 64, 3), 90, np.uint8)
    return RenderedFrame(image, Frame(image, 0, taken_at, "here"), (track,), {}, {}, taken_at, taken_at)


def recorder_worker(path: Path, **options: Any) -> RecorderWorker:
    return RecorderWorker(path, on_change=lambda: None, **options)


def write_all(worker: RecorderWorker) -> RecordingStatus:
    """Have everything written that was offered, and nothing else."""
    worker.stop()
    worker.start()
    assert worker.join(PATIENCE_S)
    return worker.status


def wait_for_frames(worker: RecorderWorker, count: int) -> None:
    while worker.status.frames < count:
        assert worker.is_alive
        time.sleep(0.01)


def decode_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


def test_pictures_that_wait_for_the_encoder_keep_their_times_over_a_pause(tmp_path: Path) -> None:
    path, at = tmp_path / "film.mkv", time.monotonic()
    worker = recorder_worker(path, rate=10.0)
    worker.offer(picture_at(at))
    worker.offer(picture_at(at + 0.1))
    worker.pause(True, at=at + 0.2)
    # On its way when the pause began, and taken in the pause but finished after it.
    worker.offer(picture_at(at + 0.15))
    worker.offer(picture_at(at + 0.3))
    worker.pause(False, at=at + 1.2)
    worker.offer(picture_at(at + 1.1))
    worker.offer(picture_at(at + 1.3))
    status = write_all(worker)
    assert status.state == "idle"
    assert decode_times(path) == pytest.approx([0.0, 0.1, 0.15, 0.3], abs=0.001)
    assert status.duration_s == pytest.approx(0.4, abs=0.001)


def test_rows_have_the_times_of_the_frames_that_they_are_about(tmp_path: Path) -> None:
    path, table, at = tmp_path / "film.mkv", tmp_path / "film.csv", time.monotonic()
    worker = recorder_worker(path, predictions=table)
    for step_s in (0.0, 0.05, 0.3, 0.31, 0.8):
        worker.offer(picture_at(at + step_s))
    write_all(worker)
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == list(range(5))
    assert [float(row["time_s"]) for row in rows] == pytest.approx(decode_times(path), abs=0.001)


def test_recording_without_a_picture_says_so_and_leaves_no_file(tmp_path: Path) -> None:
    worker = recorder_worker(tmp_path / "film.mp4", predictions=tmp_path / "film.csv")
    status = write_all(worker)
    assert (status.state, status.frames) == ("failed", 0)
    assert str(status.message) == "Nothing was recorded: no picture came in that time."
    assert list(tmp_path.iterdir()) == []


def test_recording_does_not_start_on_a_disk_that_is_almost_full(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    worker = recorder_worker(path, predictions=tmp_path / "film.csv", reserve_bytes=2**62)
    worker.start()
    worker.offer(picture_at(0.0))
    assert worker.join(PATIENCE_S)
    assert worker.status.state == "failed"
    assert str(worker.status.message).startswith(f"Cannot record to “{path}”: the disk is almost full. ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="nothing fills a disk quickly here")
def test_recording_ends_in_order_before_the_disk_is_full(tmp_path: Path) -> None:
    path, at = tmp_path / "film.mp4", time.monotonic()
    worker = recorder_worker(path, reserve_bytes=free_space(tmp_path) - 200 * MEBIBYTE)
    worker.start()
    worker.offer(picture_at(at))
    wait_for_frames(worker, 1)
    with (tmp_path / "others.bin").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 400 * MEBIBYTE)
    # The picture stands still, so the recording goes on by itself until it looks at the disk again.
    assert worker.join(PATIENCE_S)
    (tmp_path / "others.bin").unlink()
    status = worker.status
    assert status.state == "failed"
    assert str(status.message).startswith("The recording ended: the disk is almost full. ")
    assert str(path) in str(status.message)
    assert len(decode_times(path)) == status.frames > 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not remove a folder whose files are open")
def test_removed_folder_is_said_once_and_promises_no_film(tmp_path: Path) -> None:
    folder, at = tmp_path / "films", time.monotonic()
    folder.mkdir()
    worker = recorder_worker(folder / "film.mp4", predictions=folder / "film.csv")
    worker.start()
    for second in range(3):
        worker.offer(picture_at(at + second))
    wait_for_frames(worker, 3)
    shutil.rmtree(folder)
    for second in range(3, 10):
        worker.offer(picture_at(at + second))
    assert worker.join(PATIENCE_S)
    assert worker.status.state == "failed"
    assert str(worker.status.message) == (
        "The recording ended: the file or its folder was removed meanwhile. Choose a folder that stays. "
        "What was recorded went with it."
    )
    assert worker.status.size_bytes == 0


def test_error_that_nobody_foresaw_is_said_and_the_film_plays(tmp_path: Path) -> None:
    path, at = tmp_path / "film.mp4", time.monotonic()
    worker = recorder_worker(path)
    worker.start()
    worker.offer(picture_at(at))
    worker.offer(replace(picture_at(at + 0.1), picture=np.zeros((48, 0, 3), np.uint8)))
    assert worker.join(PATIENCE_S)
    status = worker.status
    assert (status.state, status.frames) == ("failed", 1)
    assert "report it" in str(status.message)
    assert decode_times(path) == [0.0]
    worker.offer(picture_at(at + 0.2))
    assert worker.status.dropped == 0


def test_recordings_that_start_at_once_share_no_name(tmp_path: Path) -> None:
    # As many windows would, each with its own container; a table that was there before counts as taken, too.
    (tmp_path / "film (2).csv").write_text("mine")
    at = time.monotonic()
    workers = [
        recorder_worker(tmp_path / f"film{suffix}", predictions=tmp_path / "film.csv", numbered=True)
        for suffix in (".mp4", ".mkv") * 3
    ]
    for number, worker in enumerate(workers):
        for step in range(number + 1):
            worker.offer(picture_at(at + 0.1 * step))
        worker.stop()
    for worker in workers:
        worker.start()
    for number, worker in enumerate(workers):
        assert worker.join(PATIENCE_S)
        status = worker.status
        assert (status.state, status.frames) == ("idle", number + 1), status.message
        assert status.path is not None
        assert len(decode_times(status.path)) == number + 1
    films = [worker.status.path for worker in workers]
    assert len(set(films)) == len(workers)
    made = {path.name for path in tmp_path.iterdir()}
    assert len(made) == 2 * len(workers) + 1
    assert (tmp_path / "film (2).csv").read_text() == "mine"
    counts = sorted(len({row["frame"] for row in csv.DictReader(path.open())}) for path in tmp_path.glob("*.csv"))
    assert counts == [0, 1, 2, 3, 4, 5, 6]


def test_a_name_that_was_asked_for_is_not_numbered(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"mine")
    worker = recorder_worker(path)
    worker.offer(picture_at(time.monotonic()))
    status = write_all(worker)
    assert status.state == "failed"
    assert "a file of that name exists already" in str(status.message)
    assert path.read_bytes() == b"mine"


def test_pictures_that_are_too_late_are_left_out_unless_they_are_the_last(tmp_path: Path) -> None:
    path, at = tmp_path / "film.mkv", time.monotonic()
    worker = recorder_worker(path)
    # As if the encoder had been busy for long: three that are old, and one that is not.
    for age_s in (9.0, 8.0, 7.0, -60.0):
        worker.offer(picture_at(at - age_s))
    worker.start()
    wait_for_frames(worker, 1)
    worker.stop()
    assert worker.join(PATIENCE_S)
    assert (worker.status.frames, worker.status.dropped) == (1, 3)


@pytest.mark.slow
def test_a_picture_that_stands_still_is_on_the_disk_while_it_does(tmp_path: Path) -> None:
    # One picture, and none for long: what a kill would leave is looked at while the recording runs.
    path, at = tmp_path / "film.mkv", time.monotonic()
    worker = recorder_worker(path)
    worker.start()
    worker.offer(picture_at(at))
    wait_for_frames(worker, 4)
    assert len(decode_times(path)) >= 4
    worker.stop()
    assert worker.join(PATIENCE_S)
