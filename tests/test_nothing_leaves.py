"""The real program where asking for the network is deadly: no telemetry, no look-up, not at its end either."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest

from tests.helpers import no_network
from tests.helpers.portrait import astronaut_bgr

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow
COMMANDS = {
    "annotate": ["annotate", "portrait.png", "--output", "out.mp4", "--predictions", "out.csv"],
    "benchmark": ["benchmark", "portrait.png", "--seconds", "0.5"],
    "cameras": ["cameras"],
    "models": ["models"],
}


def start(arguments: Sequence[object], folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.helpers.no_network", *map(str, arguments)]
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.fixture(scope="module", autouse=True)
def can_forbid(tmp_path_factory: pytest.TempPathFactory) -> None:
    if not no_network.AVAILABLE:
        pytest.skip("needs Linux's filter for system calls")
    with start(["-c", ""], tmp_path_factory.getbasetemp()) as process:
        _, errors = process.communicate(timeout=60)
    if process.returncode:
        pytest.skip(f"this machine takes no filter for system calls: {errors}")


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.create_connection(('::1', 9))",
        "socket.getaddrinfo('play.googleapis.com', 443)",
        "threading.Thread(target=socket.getaddrinfo, args=('example.org', 80)).run()",
    ],
)
def test_an_attempt_is_seen(attempt: str, tmp_path: Path) -> None:
    # As a library would that expects no answer: whatever comes back is passed over.
    code = f"import socket, threading\ntry:\n    {attempt}\nexcept Exception:\n    pass"
    with start(["-c", code], tmp_path) as process:
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGSYS


def test_sockets_of_this_machine_are_allowed(tmp_path: Path) -> None:
    with start(["-c", "import socket; socket.socketpair()"], tmp_path) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_asks_for_the_network(name: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "portrait.png"), astronaut_bgr())
    with start([ROOT / "main.py", *COMMANDS[name]], tmp_path) as process:
        _, errors = process.communicate(timeout=110)
    assert process.returncode == 0, errors


def test_the_window_does_not_ask_for_the_network(tmp_path: Path) -> None:
    arguments = ["-m", "tests.helpers.recording_window", tmp_path, "demo", "mp4", "csv"]
    with start(arguments, tmp_path) as process:
        assert process.stdout is not None
        while '"pictures": 5}' not in process.stdout.readline():
            assert process.poll() is None, process.communicate()[1]
        _, errors = process.communicate("close\n", timeout=100)
    assert process.returncode == 0, errors
