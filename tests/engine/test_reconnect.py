from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from desktop_app.engine.session import Session, SessionSettings

PATIENCE_S = 60.0


class FailingCamera(ThreadingHTTPServer):
    """An IP camera on loopback that hangs up after every thirty pictures, until it is told to stay."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = 0
        self.stay = threading.Event()
        self.closing = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: FailingCamera

    def do_GET(self) -> None:
        self.server.connections += 1
        jpeg = cv2.imencode(".jpg", np.full((96, 128, 3), 90, np.uint8))[1].tobytes()
        part = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode() + jpeg + b"\r\n"
        try:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            sent = 0
            while not self.server.closing.is_set() and (sent < 30 or self.server.stay.is_set()):
                self.wfile.write(part)
                sent += 1
                self.server.closing.wait(0.01)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""


@pytest.fixture
def camera() -> Iterator[FailingCamera]:
    with FailingCamera() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.closing.set()
        running.shutdown()


def test_a_stream_that_breaks_off_comes_back_by_itself(camera: FailingCamera) -> None:
    states: list[str] = []
    changed = threading.Condition()

    def note() -> None:
        with changed:
            states.append(session.status().state)
            changed.notify_all()

    def ring() -> None:
        with changed:
            changed.notify_all()

    session = Session(
        SessionSettings(source=f"http://127.0.0.1:{camera.server_port}/video"), on_status=note, on_picture=ring
    )
    session.start()
    try:
        with changed:
            assert changed.wait_for(lambda: "reconnecting" in states, PATIENCE_S)
            camera.stay.set()
            assert changed.wait_for(lambda: states[-1] == "live" and camera.connections > 1, PATIENCE_S)
            before = session.latest()
            assert before is not None
            assert changed.wait_for(lambda: session.latest() is not before, PATIENCE_S)
    finally:
        session.stop()
    assert states[-1] == "stopped"
    assert "failed" not in states
