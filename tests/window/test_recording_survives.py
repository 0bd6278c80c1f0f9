"""However the window ends while it records, what was recorded plays."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import av
import pytest

from desktop_app.output.predictions import FIELDS

ROOT = Path(__file__).resolve().parents[2]
STILL = str(ROOT / "resources" / "demo_portrait.jpg")
PATIENCE_S = 90.0
KEYFRAME_S = 1.0

pytestmark = pytest.mark.slow
on_unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals, limits and folders")


class RecordingProgram:
    """The whole program in a process of its own, at work."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process, self.folder = process, folder
        self.notes: list[str] = []
        self.offers_folder = False
        self.state = ""
        self.frames = 0
        self.duration_s = 0.0
        self.pictures = 0

    @property
    def film(self) -> Path:
        (path,) = (self.folder / "films").glob("*.m[kp]*")
        return path

    @property
    def table(self) -> Path:
        (path,) = (self.folder / "films").glob("*.csv")
        return path

    def read_until(self, holds: Callable[[], bool]) -> None:
        """Follow what the program tells until a condition holds."""
        while not holds():
            assert self.follow(), f"the program ended: {self.errors()}"

    def follow(self) -> bool:
        """Take the next thing that the program tells; False where it has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.endswith("\n"):
            return False
        told = json.loads(line)
        if "note" in told:
            self.notes.append(told["note"])
            self.offers_folder = told["shows"]
        elif "pictures" in told:
            self.pictures = told["pictures"]
        elif told["state"] != "idle" or told["frames"]:
            self.state, self.frames, self.duration_s = told["state"], told["frames"], told["duration_s"]
        return True

    def see_the_picture_go_on(self) -> None:
        before = self.pictures
        self.read_until(lambda: self.pictures >= before + 10)

    def order(self, what: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()

    def finish(self) -> int:
        """Wait for the end; everything that was told before is taken."""
        while self.follow():
            pass
        return self.process.wait(PATIENCE_S)

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()


@contextmanager
def recording_program(
    folder: Path, source: str = "demo", container: str = "mp4", *, predictions: str = "none", limit: int | None = None
) -> Iterator[RecordingProgram]:
    command = [sys.executable, "-m", "tests.helpers.recording_window", str(folder), source, container, predictions]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*command, *([str(limit)] if limit else [])], cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        watchdog = threading.Timer(PATIENCE_S, process.kill)
        watchdog.start()
        try:
            yield RecordingProgram(process, folder)
        finally:
            watchdog.cancel()
            process.kill()


def decode_times(path: Path) -> list[float]:
    """The moment of each frame, every one decoded."""
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


def duration_of(path: Path) -> float:
    with av.open(str(path)) as container:
        assert container.duration is not None
        return container.duration / av.time_base


@pytest.mark.parametrize(("source", "container"), [("demo", "mp4"), ("demo", "mkv"), (STILL, "mp4")])
def test_killed_window_leaves_a_film_and_predictions(tmp_path: Path, source: str, container: str) -> None:
    with recording_program(tmp_path, source, container, predictions="csv") as program:
        program.read_until(lambda: program.duration_s > 3.5)
        program.process.kill()
        program.process.wait()
    with program.table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert all(set(row) == set(FIELDS) and None not in row.values() for row in rows)
    assert int(rows[-1]["frame"]) >= program.frames - 1
    # The moment of the last frame, which the duration holds as well.
    assert float(rows[-1]["time_s"]) >= program.duration_s - 0.05
    longest_s = max(later - earlier for earlier, later in pairwise(sorted({float(row["time_s"]) for row in rows})))
    times = decode_times(program.film)
    # What is lost: the second since the last keyframe, and the frame whose length was not known yet.
    assert times[-1] > program.duration_s - KEYFRAME_S - 3 * longest_s


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("close", 0),
        ("log out", 0),
        pytest.param(signal.SIGTERM, 130, marks=on_unix),
        pytest.param(signal.SIGINT, 130, marks=on_unix),
        pytest.param("SIGHUP", 130, marks=on_unix),
    ],
)
def test_film_is_whole_however_the_window_is_asked_to_close(
    tmp_path: Path, ending: str | signal.Signals, code: int
) -> None:
    with recording_program(tmp_path, predictions="csv") as program:
        program.read_until(lambda: program.frames >= 10)
        if isinstance(ending, signal.Signals) or ending == "SIGHUP":
            program.process.send_signal(getattr(signal, ending) if isinstance(ending, str) else ending)
        else:
            program.order(ending)
        assert program.finish() == code
        assert "Traceback" not in program.errors()
    assert program.state == "idle"
    times = decode_times(program.film)
    assert len(times) == program.frames
    assert duration_of(program.film) == pytest.approx(program.duration_s, abs=0.002)
    assert len(program.table.read_text(encoding="utf-8").splitlines()) > len(times)


@on_unix
def test_a_signal_ends_a_window_in_which_nothing_happens(tmp_path: Path) -> None:
    # The notice at the first start: no picture arrives, and no Python runs that would see the signal.
    code = """
import os, signal, sys, threading
from desktop_app import cli
from desktop_app.window.main_window import MainWindow

begin = MainWindow.begin

def begin_and_be_killed(self, **options):
    begin(self, **options)
    threading.Timer(2, os.kill, (os.getpid(), signal.SIGTERM)).start()

MainWindow.begin = begin_and_be_killed
sys.argv[1:] = ["demo"]
cli.run()
"""
    places = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **places}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130, done.stderr
    assert "interrupted" not in done.stderr


@on_unix
def test_a_signal_ends_a_window_that_waits_for_its_source(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/live"
        with recording_program(tmp_path, address) as program:
            connection, _ = server.accept()
            program.process.send_signal(signal.SIGTERM)
            assert program.finish() == 130
            assert "Traceback" not in program.errors()
            connection.close()


@on_unix
def test_full_disk_is_said_once_and_the_film_plays(tmp_path: Path) -> None:
    with recording_program(tmp_path, limit=700_000) as program:
        program.read_until(lambda: bool(program.notes))
        program.see_the_picture_go_on()
        program.order("close")
        assert program.finish() == 0
        film = program.film
    (note,) = program.notes
    assert program.offers_folder
    assert note.startswith("The recording ended: the file became larger than this disk allows. Choose another disk. ")
    assert f"before is “{film}”" in note
    assert program.state == "failed"
    assert len(decode_times(film)) == program.frames > 0
    assert film.stat().st_size <= 700_000


@on_unix
def test_lost_folder_is_said_once_and_the_film_plays(tmp_path: Path) -> None:
    with recording_program(tmp_path, predictions="csv") as program:
        program.read_until(lambda: program.duration_s > 2.5)
        moved = (tmp_path / "films").rename(tmp_path / "elsewhere")
        program.read_until(lambda: bool(program.notes))
        program.see_the_picture_go_on()
        program.order("close")
        assert program.finish() == 0
    (note,) = program.notes
    assert note.startswith("The recording ended: the file or its folder was removed meanwhile. ")
    assert program.state == "failed"
    assert not program.offers_folder
    (film,), (table,) = moved.glob("*.mp4"), moved.glob("*.csv")
    assert len(decode_times(film)) == program.frames > 0
    assert len(table.read_text(encoding="utf-8").splitlines()) > 1
