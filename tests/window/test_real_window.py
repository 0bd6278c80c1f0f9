"""The program as a person meets it: a real window on a real display, driven by keys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from desktop_app.output.snapshots import read_snapshot_rows
from tests.helpers.programs import PATIENCE_S, wait_until

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="needs Debian's xvfb and xdotool"
    ),
]


@pytest.fixture
def display() -> Iterator[str]:
    """A screen that nobody sees; the server chooses its number."""
    read, write = os.pipe()
    server = subprocess.Popen(
        # Without -noreset it starts anew when a client leaves, and answers nobody meanwhile.
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as numbers:
        number = numbers.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(10)


def count_frames(film: Path) -> int:
    with av.open(str(film)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_open_record_screenshot_and_quit_by_keys(display: str, tmp_path: Path) -> None:
    places = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CONFIG", "CACHE", "DATA")}
    dropped = {"QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "XDG_VIDEOS_DIR", "XDG_PICTURES_DIR"}
    environment = {key: value for key, value in os.environ.items() if key not in dropped}
    environment |= {**places, "HOME": str(tmp_path), "DISPLAY": display}
    settings = tmp_path / "CONFIG" / "Agelens" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"welcomed": true}')

    def press(*keys: str) -> None:
        # Without a window manager nobody gives the window the focus; Qt takes keys only when it has it.
        command = ["xdotool", "windowfocus", window(), "key", "--window", window(), *keys]
        # Not checked: the window may be gone before the key that closes it is let go.
        subprocess.run(command, env=environment, check=False, stderr=subprocess.DEVNULL)

    def made(suffix: str) -> list[Path]:
        return sorted(tmp_path.rglob(f"Agelens*{suffix}"))

    def window() -> str:
        command = ["xdotool", "search", "--onlyvisible", "--name", "Agelens"]
        found = subprocess.run(command, env=environment, capture_output=True, text=True).stdout.split()
        return found[-1] if found else ""

    def press_until(key: str, suffix: str) -> None:
        for _ in range(int(PATIENCE_S / 10)):
            press(key)
            # A second press would end what the first began: a film has its name only once it is playable.
            for _ in range(100):
                if made(suffix):
                    return
                time.sleep(0.1)
        pytest.fail(f"{key} made no {suffix}")

    process = subprocess.Popen(
        [sys.executable, "main.py", "demo"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(window, process)
        # Keys are pressed until they take effect: nothing else tells when the first picture is there.
        press_until("r", ".mp4")
        # A film plays while it is being recorded.
        wait_until(lambda: count_frames(made(".mp4")[0]) > 10, process)
        press_until("s", ".png")
        press("r")
        press("ctrl+q")
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        errors = process.communicate()[1]
    assert "Traceback" not in errors
    assert count_frames(made(".mp4")[0]) > 10
    rows = read_snapshot_rows(made(".png")[0])
    assert all(row.width > 0 for row in rows)
