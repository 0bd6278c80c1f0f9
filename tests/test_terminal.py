"""The program as a process: signals, closed and full streams, odd environments."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import av
import cv2
import pytest

from desktop_app.terminal import ending_in_order, say
from tests.helpers.portrait import astronaut_bgr
from tests.helpers.programs import wait_until

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and streams of POSIX")


def shell(line: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of sh in which `$AGELENS` is the program and `$1`, … are the arguments."""
    program = f"{sys.executable} {ROOT / 'main.py'}"
    return subprocess.run(
        ["sh", "-c", line.replace("$AGELENS", program), "sh", *map(str, arguments)],
        capture_output=True,
        encoding=environment.get("PYTHONIOENCODING", "utf-8"),
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


# The program with a signal to itself at a chosen moment.
INJECTED = """
import os, signal, sys, threading
from desktop_app import cli
from desktop_app.output import recorder
from desktop_app.sources import opening as sources
from desktop_app.output import encoder as video_output

number = signal.Signals[sys.argv[1]]
calls = 0

def sends(function, nth):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == nth:
            os.kill(os.getpid(), number)
        return function(*arguments, **options)
    return call

moment, nth = sys.argv[2], int(sys.argv[3])
if moment == "write":
    video_output.FileSink.write = sends(video_output.FileSink.write, nth)
elif moment == "finish":
    recorder.Recorder.finish = sends(recorder.Recorder.finish, nth)
elif moment == "open":
    from desktop_app.engine import annotate as annotation
    annotation.open_source = sends(annotation.open_source, nth)
elif moment == "hang":
    # Killed by the first one, and by the second while it waits for a disk that does not answer.
    video_output.FileSink.write = sends(video_output.FileSink.write, nth)
    recorder.Recorder.finish = lambda self: (os.kill(os.getpid(), number), threading.Event().wait())
sys.argv[1:] = sys.argv[4:]
cli.run()
"""


def injected(number: signal.Signals, moment: str, nth: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", INJECTED, number.name, moment, str(nth), "annotate", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def count_frames(film: Path) -> int:
    with av.open(str(film)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "moment", "nth", "suffix"),
    [
        (signal.SIGINT, "write", 9, "mp4"),
        (signal.SIGTERM, "write", 12, "mkv"),
        (signal.SIGHUP, "finish", 1, "mp4"),
        (signal.SIGINT, "hang", 9, "mkv"),
    ],
)
def test_no_signal_tears_what_is_being_written(
    number: signal.Signals, moment: str, nth: int, suffix: str, tmp_path: Path
) -> None:
    film, table = tmp_path / f"out.{suffix}", tmp_path / "out.csv"
    source = "demo" if moment != "finish" else ROOT / "resources" / "demo_portrait.jpg"
    done = injected(number, moment, nth, source, "--output", film, "--predictions", table)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert int(rows[-1]["frame"]) < count_frames(film)
    facts = tmp_path / "out.csv.meta.json"
    if moment != "hang":
        assert json.loads(facts.read_text(encoding="utf-8"))["run"]["complete"] is (moment == "finish")
    assert {path.name for path in tmp_path.iterdir()} <= {film.name, table.name, facts.name}


@pytest.mark.slow
def test_a_signal_while_the_source_is_opened_leaves_nothing(tmp_path: Path) -> None:
    done = injected(signal.SIGTERM, "open", 1, "demo", "--output", tmp_path / "out.mp4")
    assert done.returncode == 130, done.stderr
    assert done.stderr == "agelens: interrupted; what was written so far is kept\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["silent", "stalled"])
def test_a_stream_that_does_not_answer_is_given_up(kind: str, tmp_path: Path) -> None:
    film = tmp_path / "out.mkv"
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/live"
        command = [sys.executable, "main.py", "annotate", address, "--output", str(film)]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            connection, _ = server.accept()
            if kind == "stalled":
                jpeg = cv2.imencode(".jpg", astronaut_bgr())[1].tobytes()
                part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)
                kind_line = b"Content-Type: multipart/x-mixed-replace; boundary=frame"
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + kind_line + b"\r\n\r\n")

                def sent_until_written() -> bool:
                    # Where the program is gone, the wait says what it said.
                    with contextlib.suppress(ConnectionError):
                        connection.sendall(part)
                    return film.exists()

                wait_until(sent_until_written, process)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1].startswith(("agelens: interrupted", "agelens: Pictures skipped"))
    if kind == "stalled":
        assert count_frames(film) > 0


@pytest.mark.slow
def test_a_terminal_that_takes_nothing_does_not_hold_up_the_end(tmp_path: Path) -> None:
    film = tmp_path / "out.mp4"
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 1024)
    os.set_blocking(write, True)
    command = [sys.executable, "main.py", "annotate", "demo", "--output", str(film)]
    with subprocess.Popen(command, cwd=ROOT, stdout=write, stderr=write, text=True) as process:
        wait_until(film.exists, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    os.close(read)
    os.close(write)
    assert count_frames(film) > 0


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
def test_no_character_stops_what_is_printed(encoding: str, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "年龄 → ½.toml").write_text("name = 3", encoding="utf-8")
    environment = {"PYTHONIOENCODING": encoding, "AGELENS_MODELS": str(models)}
    done = shell("$AGELENS annotate --help && $AGELENS cameras && $AGELENS models", **environment)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "\nagelens\t" in done.stdout
    assert "\\u5e74" in done.stderr


@pytest.mark.slow
def test_a_report_reaches_a_file_of_another_encoding(tmp_path: Path) -> None:
    portrait, report = tmp_path / "in.png", tmp_path / "report.txt"
    cv2.imwrite(str(portrait), astronaut_bgr())
    line = '$AGELENS benchmark "$1" --seconds 0.3 > "$2"'
    done = shell(line, portrait, report, PYTHONIOENCODING="cp1252", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert report.read_text(encoding="cp1252").strip()


def test_an_ignored_signal_stays_ignored_and_handlers_come_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_in_order():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        with pytest.raises(KeyboardInterrupt), ending_in_order():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(closed: str, tmp_path: Path) -> None:
    portrait, output = tmp_path / "in.png", tmp_path / "out.png"
    cv2.imwrite(str(portrait), astronaut_bgr())
    assert shell(f'$AGELENS annotate "$1" --output "$2" {closed}', portrait, output).returncode == 0
    written = cv2.imread(str(output))
    assert written is not None
    assert written.shape == (512, 512, 3)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_behind_the_output_is_one_sentence(buffered: str) -> None:
    done = shell("$AGELENS models > /dev/full", PYTHONUNBUFFERED=buffered)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("agelens: Cannot continue: the system reports “No space left")
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert shell("$AGELENS annotate nothing.mp4 --predictions x.csv 2> /dev/full").returncode == 2


@pytest.mark.slow
def test_an_unknown_log_level_is_one_sentence() -> None:
    done = shell("$AGELENS models", AGELENS_LOG="loud")
    assert done.returncode == 2
    assert done.stderr == "agelens: Cannot log at the level “loud”. Set AGELENS_LOG to DEBUG, INFO, WARNING or ERROR.\n"


@pytest.mark.slow
def test_an_empty_name_does_not_mean_the_present_folder(tmp_path: Path) -> None:
    done = shell('cd "$1" && $AGELENS annotate demo --output "" --overwrite', tmp_path)
    assert done.returncode == 2
    assert "the name of the file is empty" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_names_hold_does_not_reach_the_terminal_as_commands(capsys: pytest.CaptureFixture[str]) -> None:
    say("there is no file a\n\x1b[2Jb\udcff é 视频.mp4")
    assert capsys.readouterr().err == "agelens: there is no file a��[2Jb� é 视频.mp4\n"
