"""The program as a process: signals, closed and full streams, odd environments."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import cv2
import pytest
from skimage import data

from desktop_app.terminal import ending_in_order, say

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and streams of POSIX")


def shell(line: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of sh in which `$AGELENS` is the program and `$1`, … are the arguments."""
    program = f"{sys.executable} {ROOT / 'main.py'}"
    return subprocess.run(
        ["sh", "-c", line.replace("$AGELENS", program), "sh", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_polite_kill_keeps_what_was_written(number: signal.Signals, tmp_path: Path) -> None:
    video, table = tmp_path / "out.mp4", tmp_path / "out.csv"
    video.write_bytes(b"to be replaced")
    process = subprocess.Popen(
        [sys.executable, "main.py", "annotate", "demo", "--output", video, "--predictions", table, "--overwrite"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and (not table.exists() or table.stat().st_size < 2000):
        pass
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1] == "agelens: interrupted; what was written so far is kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.mp4"]
    with av.open(str(video)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    with table.open(newline="", encoding="utf-8") as stream:
        assert int(list(csv.DictReader(stream))[-1]["frame"]) < frames


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


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(closed: str, tmp_path: Path) -> None:
    portrait, output = tmp_path / "in.png", tmp_path / "out.png"
    cv2.imwrite(str(portrait), data.astronaut()[..., ::-1])
    assert shell(f'$AGELENS annotate "$1" --output "$2" {closed}', portrait, output).returncode == 0
    written = cv2.imread(str(output))
    assert written is not None
    assert written.shape == (512, 512, 3)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_behind_the_output_is_one_sentence(buffered: str) -> None:
    done = shell("$AGELENS models > /dev/full", PYTHONUNBUFFERED=buffered)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("agelens: this cannot be done: the system says “No space left")
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert shell("$AGELENS annotate nothing.mp4 --predictions x.csv 2> /dev/full").returncode == 2


def test_an_unknown_log_level_is_one_sentence() -> None:
    done = shell("$AGELENS models", AGELENS_LOG="loud")
    assert done.returncode == 2
    assert done.stderr == "agelens: AGELENS_LOG is 'loud'; set it to DEBUG, INFO, WARNING or ERROR\n"


def test_an_empty_name_does_not_mean_the_present_folder(tmp_path: Path) -> None:
    done = shell('cd "$1" && $AGELENS annotate demo --output "" --overwrite', tmp_path)
    assert done.returncode == 2
    assert "the name of the file is empty" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_names_hold_does_not_reach_the_terminal_as_commands(capsys: pytest.CaptureFixture[str]) -> None:
    say("there is no file a\n\x1b[2Jb\udcff é 视频.mp4")
    assert capsys.readouterr().err == "agelens: there is no file a��[2Jb� é 视频.mp4\n"
