"""MJPEG cameras and single pictures over HTTP, from a real server on loopback."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from desktop_app.sources.base import SourceError, SourceStalledError
from desktop_app.sources.network.http_client import request
from desktop_app.sources.network.http_pictures import HttpPictures, open_pictures
from desktop_app.sources.opening import open_source

PATIENCE_S = 20.0
LEVELS = [20, 60, 100, 140]
MJPEG = "multipart/x-mixed-replace; boundary=frame"


def encoded(level: int, suffix: str = ".jpg") -> bytes:
    return cv2.imencode(suffix, np.full((48, 64, 3), level, np.uint8))[1].tobytes()


def noise() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def multipart(pictures: list[bytes], content_type: str = "image/jpeg") -> bytes:
    head = f"--frame\r\nContent-Type: {content_type}\r\n\r\n".encode()
    return b"".join(head + picture + b"\r\n" for picture in pictures) + b"--frame--"


@dataclass
class Answer:
    body: bytes = b""
    content_type: str = MJPEG
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False


class Camera(ThreadingHTTPServer):
    """Gives the answer that a test put under a path, and notes what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.go_on = threading.Event()

    def __enter__(self) -> Camera:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Camera
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        authorization = self.headers.get("Authorization", "")
        self.server.asked.append((self.path, authorization))
        answer = self.server.answers[self.path]
        if answer.status == 401 and authorization:
            answer = self.server.answers["/inside"]
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.content_type:
            self.send_header("Content-Type", answer.content_type)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            if answer.chunked:
                for start in range(0, len(answer.body), 999):
                    piece = answer.body[start : start + 999]
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.wfile.write(answer.body)
            if self.path == "/silent":
                self.server.go_on.wait(PATIENCE_S)
        except OSError:
            pass
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""


@pytest.fixture
def camera() -> Iterator[Camera]:
    with Camera() as running:
        yield running


def opened(url: str) -> HttpPictures:
    pictures = open_pictures(request(url, timeout_s=PATIENCE_S), url, threading.Event())
    assert pictures is not None
    return pictures


def levels(camera: Camera, answer: Answer) -> tuple[list[int], str]:
    """The brightness of the pictures that a stream gives to its end, and its notice."""
    camera.answers["/"] = answer
    capture = opened(f"{camera.base}/")
    shown = [round(captured.image.mean() / 10) * 10 for captured in iter(capture.read, None)]
    capture.close()
    return shown, str(capture.notice or "")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
@pytest.mark.parametrize("part_type", ["image/jpg", "image/pjpeg", "application/octet-stream", "IMAGE/JPEG;x=y"])
def test_pictures_come_whatever_their_part_is_called(camera: Camera, suffix: str, part_type: str) -> None:
    pictures = [encoded(level, suffix) for level in LEVELS]
    assert levels(camera, Answer(multipart(pictures, part_type))) == (LEVELS, "")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/octet-stream", "image/jpeg"])
def test_a_stream_is_known_by_its_first_bytes_too(camera: Camera, content_type: str) -> None:
    body = multipart([encoded(level) for level in LEVELS])
    assert levels(camera, Answer(body, content_type))[0] == LEVELS


def test_chunks_are_put_together(camera: Camera) -> None:
    assert levels(camera, Answer(multipart([encoded(level) for level in LEVELS]), chunked=True))[0] == LEVELS


def test_damaged_pictures_are_left_out_and_counted(camera: Camera, capfd: pytest.CaptureFixture[str]) -> None:
    pictures = [encoded(level) for level in LEVELS]
    damaged = bytearray(noise())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 40] = bytes(40)
    pictures[3:3] = [bytes(damaged), b"\xff\xd8 no picture", b"\xff\xd8\xff\xd9"]
    pictures[1:1] = [noise()[:1000]]
    shown, notice = levels(camera, Answer(multipart(pictures)))
    assert shown == LEVELS
    assert notice == f"Skipped 4 damaged pictures of “{camera.base}/”."
    assert capfd.readouterr().err == ""


def test_a_stream_that_sends_nothing_but_odd_pictures_is_shown(camera: Camera) -> None:
    # Many cameras write bytes between the last pixel and the end.
    odd = [encoded(level)[:-2] + b"\x12\x34" * 8 + b"\xff\xd9" for level in LEVELS]
    assert levels(camera, Answer(multipart(odd)))[0] == LEVELS


def test_other_parts_are_not_pictures(camera: Camera) -> None:
    body = multipart([encoded(20)]).removesuffix(b"--")
    body += b'\r\nContent-Type: application/json\r\n\r\n{"motion": true}\r\n' + multipart([encoded(60)])
    assert levels(camera, Answer(body)) == ([20, 60], "")


def lying_jpeg(side: int) -> bytes:
    return encoded(9).replace(struct.pack(">HH", 48, 64), struct.pack(">HH", side, side))


@pytest.mark.parametrize("content_type", [MJPEG, "image/jpeg"])
def test_pictures_of_too_many_pixels_are_refused_by_their_header(camera: Camera, content_type: str) -> None:
    body = lying_jpeg(16_000)
    camera.answers["/"] = Answer(multipart([body]) if content_type == MJPEG else body, content_type)
    with pytest.raises(SourceError, match="its pictures have more than 120 million pixels"):
        opened(f"{camera.base}/")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("content_type", ["image/jpeg", ""])
def test_the_address_of_a_picture_gives_a_picture(camera: Camera, suffix: str, content_type: str) -> None:
    camera.answers["/a.jpg?token=1"] = Answer(encoded(60, suffix), content_type)
    with open_source(f"{camera.base}/a.jpg?token=1") as source:
        info, frame = source.info, source.read()
        assert source.read() is None
        source.seek(0)
        assert source.read() is not None
    assert (info.kind, info.live, info.frame_count, info.width) == ("image", False, 1, 64)
    assert info.name == f"{camera.base}/a.jpg"
    assert frame is not None
    assert frame.image.mean() == pytest.approx(60, abs=2)


def test_a_picture_is_upright(camera: Camera) -> None:
    exif, file = Image.Exif(), BytesIO()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(file, "JPEG", exif=exif)
    for body, content_type in ((file.getvalue(), "image/jpeg"), (multipart([file.getvalue()]), MJPEG)):
        camera.answers["/"] = Answer(body, content_type)
        with open_source(camera.base + "/") as source:
            assert (source.info.width, source.info.height) == (48, 64)


@pytest.mark.parametrize(
    "body", [b"", b"--frame\r\n\r\nno picture\r\n--frame--", b"no boundary at all"], ids=["empty", "text", "bare"]
)
def test_a_stream_without_pictures_gives_one_sentence(camera: Camera, body: bytes) -> None:
    camera.answers["/"] = Answer(body, "multipart/mixed")
    with pytest.raises(SourceError, match=r"/”: it sends no picture that can be read. Give the address of|broke off"):
        open_source(f"{camera.base}/")


def test_close_ends_a_read_of_a_silent_stream(camera: Camera) -> None:
    camera.answers["/silent"] = Answer(multipart([encoded(60)]).removesuffix(b"--") + b"\r\n")
    capture = opened(f"{camera.base}/silent")
    assert capture.read() is not None
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(SourceStalledError):
            capture.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    capture.interrupt()
    assert ended.wait(PATIENCE_S / 4)
    capture.close()


def test_a_password_is_sent_when_it_is_asked_for(camera: Camera) -> None:
    camera.answers["/"] = Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="cam"'})
    camera.answers["/inside"] = Answer(multipart([encoded(60)]))
    opened(camera.base.replace("://", "://ann:a%2Fb:c@") + "/").close()
    assert camera.asked == [("/", ""), ("/", f"Basic {base64.b64encode(b'ann:a/b:c').decode()}")]


def test_a_digest_is_sent_rather_than_the_password(camera: Camera) -> None:
    challenge = 'Digest realm="cam", nonce="abc", qop="auth", algorithm=MD5, Basic realm="cam"'
    camera.answers["/live"] = Answer(status=401, headers={"WWW-Authenticate": challenge})
    camera.answers["/inside"] = Answer(multipart([encoded(60)]))
    opened(camera.base.replace("://", "://ann:hush@") + "/live").close()
    (_, first), (_, second) = camera.asked
    assert first == ""
    told = dict(re.findall(r'(\w+)="?([^",]+)', second))
    assert second.startswith("Digest ")
    assert "hush" not in second

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    rest = f"abc:{told['nc']}:{told['cnonce']}:auth:{md5('GET:/live')}"
    assert told["response"] == md5(f"{md5('ann:cam:hush')}:{rest}")


def test_passwords_do_not_follow_a_redirection_to_another_server(camera: Camera) -> None:
    with Camera() as other:
        other.answers["/"] = Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="cam"'})
        camera.answers["/"] = Answer(b"x" * 10_000, status=302, headers={"Location": f"{other.base}/"})
        with pytest.raises(SourceError, match="user name and password"):
            opened(camera.base.replace("://", "://ann:hush@") + "/")
        assert other.asked == [("/", "")]


@pytest.mark.parametrize("location", ["/there", "there", "{base}/there"])
def test_redirections_are_followed(camera: Camera, location: str) -> None:
    camera.answers["/"] = Answer(status=307, headers={"Location": location.format(base=camera.base)})
    camera.answers["/there"] = Answer(multipart([encoded(60)]))
    opened(f"{camera.base}/").close()


@pytest.mark.parametrize("location", ["/", "file:///etc/passwd", "rtsp://127.0.0.1/x", "http://[::1/"])
def test_redirections_that_lead_nowhere_give_one_sentence(camera: Camera, location: str) -> None:
    camera.answers["/"] = Answer(status=302, headers={"Location": location})
    with pytest.raises(SourceError, match="it leads nowhere"):
        open_source(f"{camera.base}/")


@pytest.mark.parametrize("status", [404, 500, 599])
def test_a_refusal_gives_one_sentence(camera: Camera, status: int) -> None:
    camera.answers["/"] = Answer(b"<html>", "text/html", status=status)
    with pytest.raises(SourceError, match=rf"/”: the server answers {status}.*\. Check the address\.$"):
        open_source(f"{camera.base}/")
