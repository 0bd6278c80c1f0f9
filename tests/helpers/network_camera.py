"""A camera in the network, on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from desktop_app.sources.demo import DemoSource


class NetworkCamera(ThreadingHTTPServer):
    """A camera on loopback that shows the demo's faces as motion JPEG until it is switched off."""

    daemon_threads = True

    def __init__(self, frames: int) -> None:
        super().__init__(("127.0.0.1", 0), CameraHandler)
        self.off = threading.Event()
        self.pictures = _demo_pictures(frames)

    @property
    def address(self) -> str:
        """Where its pictures are."""
        return f"http://127.0.0.1:{self.server_port}/video"


class CameraHandler(BaseHTTPRequestHandler):
    """Sends pictures, 30 a second; nothing once the camera is off."""

    server: NetworkCamera

    def do_GET(self) -> None:
        """Answer with an endless series of pictures."""
        try:
            if self.server.off.is_set():
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            number = 0
            while not self.server.off.wait(1 / 30):
                jpeg = self.server.pictures[number % len(self.server.pictures)]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                number += 1
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""


@contextmanager
def network_camera(*, frames: int = 15) -> Iterator[NetworkCamera]:
    """A camera that is switched on and shows so many frames of the demo, over and over."""
    with NetworkCamera(frames) as camera:
        threading.Thread(target=camera.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield camera
        camera.off.set()
        camera.shutdown()


@cache
def _demo_pictures(frames: int) -> list[bytes]:
    with DemoSource(frame_count=frames) as demo:
        return [cv2.imencode(".jpg", frame.image)[1].tobytes() for frame in iter(demo.read, None)]
