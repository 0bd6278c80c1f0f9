from __future__ import annotations

import errno
import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from desktop_app.output.predictions import FaceRow, PredictionFileError
from desktop_app.output.standard_output import PredictionStream
from desktop_app.stopping import StopRequest

ROW = FaceRow(0, 0.0, "演示.mp4", 1, 0.0, 0.0, 1.0, 1.0, 1.0, ages={"0-2": 1.0})

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes that can be waited for")


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield Pipe(reading, stream, monkeypatch)


@dataclass
class Pipe:
    reader: int
    writer: TextIO
    monkeypatch: pytest.MonkeyPatch

    def stream(self, stop: StopRequest) -> PredictionStream:
        """What writes to this pipe."""
        self.monkeypatch.setattr(sys, "stdout", self.writer)
        return PredictionStream(stop)


def test_rows_come_out_with_their_frame(pipe: Pipe) -> None:
    with pipe.stream(StopRequest()) as stream:
        for _ in range(2):
            stream.write([ROW, ROW])
            lines = os.read(pipe.reader, 1 << 16).decode().splitlines()
            assert [json.loads(line)["file"] for line in lines] == ["演示.mp4"] * 2
            assert json.loads(lines[0])["ages"] == {"0-2": 1.0}
    os.close(pipe.reader)


def test_a_reader_that_ended_is_noticed_without_a_face(pipe: Pipe) -> None:
    stream = pipe.stream(StopRequest())
    stream.write([])
    os.close(pipe.reader)
    with pytest.raises(BrokenPipeError):
        stream.write([])


def test_a_reader_that_ended_with_the_run_is_no_error(pipe: Pipe) -> None:
    stop = StopRequest()
    stop.set()
    os.close(pipe.reader)
    pipe.stream(stop).write([ROW])


def test_a_reader_that_stands_still_does_not_keep_the_run_from_ending(pipe: Pipe) -> None:
    stop = StopRequest()
    stream = pipe.stream(stop)
    ended = threading.Event()

    def write() -> None:
        stream.write([ROW] * 1000)
        ended.set()

    threading.Thread(target=write, daemon=True).start()
    # More than the pipe holds: it waits.
    assert not ended.wait(0.1)
    stop.set()
    assert ended.wait(30)
    os.close(pipe.reader)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_full_disk_behind_standard_output_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(PredictionFileError, match="standard output: the disk is full") as caught:
            PredictionStream(StopRequest()).write([ROW])
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC
