from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.sources.frame import Frame
from desktop_app.sources.network.addresses import redact_url
from desktop_app.sources.network.streams import StreamCapture, open_stream
from desktop_app.sources.opening import SourceError, SourceStalledError, open_source
from tests.helpers.rtsp_camera import SDP, RtspCamera

PATIENCE_S = 20.0
PICTURES = 40


class StreamServer(ThreadingHTTPServer):
    """An IP camera on loopback; `/slow` and `/silent` wait for `go_on`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), CameraHandler)
        self.go_on = threading.Event()
        self.base = f"http://127.0.0.1:{self.server_port}"


class CameraHandler(BaseHTTPRequestHandler):
    server: StreamServer

    def do_GET(self) -> None:
        try:
            self.answer()
        except OSError:
            self.close_connection = True

    def answer(self) -> None:
        if self.path == "/silent":
            self.server.go_on.wait(PATIENCE_S)
        if self.path in ("/gone", "/locked"):
            self.send_error(404 if self.path == "/gone" else 401)
            return
        self.send_response(200)
        if self.path == "/page":
            page = b"<html>hello</html>" * 300
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
            return
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(PICTURES):
            self.send_picture(number)
        if self.path == "/slow":
            self.server.go_on.wait(PATIENCE_S)
            for number in range(PICTURES, 2 * PICTURES):
                self.send_picture(number)

    def send_picture(self, number: int) -> None:
        jpeg = cv2.imencode(".jpg", grey_picture(number * 3))[1].tobytes()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""


def grey_picture(level: int) -> NDArray[np.uint8]:
    return np.full((48, 64, 3), level, np.uint8)


@pytest.fixture
def server() -> Iterator[StreamServer]:
    with StreamServer() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.go_on.set()
        running.shutdown()


@pytest.fixture
def recordings(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which a web server offers it."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def write_recording(path: Path, frames: int, *, container_format: str | None = None) -> None:
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream("libx264", rate=50)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey_picture(number * 4), format="bgr24")))
        container.mux(stream.encode())


def level(frame: Frame) -> int:
    return int(frame.image.mean())


def test_mjpeg_over_http_gives_pictures_until_the_server_dies(server: StreamServer) -> None:
    frames: list[Frame] = []
    with open_source(f"{server.base}/video?user=ann&pwd=secret") as source:
        info = source.info
        with pytest.raises(SourceStalledError, match="broke off"):  # noqa: PT012 - the loop ends by it
            while frame := source.read():
                frames.append(frame)
    assert (info.kind, info.live, info.frame_count) == ("stream", True, None)
    assert info.name == f"{server.base}/video"
    assert (info.width, info.height) == (64, 48)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    levels = [level(frame) for frame in frames]
    assert levels == sorted(levels)
    assert levels[-1] >= (PICTURES - 2) * 3 - 2
    times = [frame.captured_at for frame in frames]
    assert times == sorted(times)


def test_a_stream_that_goes_silent_is_told(server: StreamServer) -> None:
    with open_stream(f"{server.base}/slow", stall_timeout_s=0.2) as source:
        with pytest.raises(SourceStalledError) as caught:  # noqa: PT012 - the loop ends by it
            while source.read():
                pass
        server.go_on.set()
    assert str(caught.value).startswith(f"Cannot continue with “{server.base}/slow”: ")


def test_close_frees_a_reader_of_a_silent_stream(server: StreamServer) -> None:
    source = open_stream(f"{server.base}/slow", stall_timeout_s=PATIENCE_S)
    ended = threading.Event()

    def read_on() -> None:
        while source.read():
            pass
        ended.set()

    threading.Thread(target=read_on, daemon=True).start()
    source.close()
    assert ended.wait(PATIENCE_S / 4)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/gone", "the server answers 404"),
        ("/locked", "does not accept this user name and password"),
        ("/page", "sends no video that can be decoded"),
        ("/silent", "no answer came within 0.3 seconds"),
    ],
)
def test_addresses_without_a_stream_give_one_sentence(server: StreamServer, path: str, says: str) -> None:
    url = f"http://ann:secret@127.0.0.1:{server.server_port}{path}"
    with pytest.raises(SourceError) as caught:
        open_stream(url, open_timeout_s=0.3 if path == "/silent" else PATIENCE_S)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"Cannot open “{server.base}{path}”: ")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_address_without_a_password_is_told_how_to_have_one(server: StreamServer) -> None:
    with pytest.raises(
        SourceError, match=r"/locked”: it asks for a user name and password. Write them as scheme://user:"
    ):
        open_stream(f"{server.base}/locked")


def test_nobody_there_gives_one_sentence() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), CameraHandler) as freed:
        port = freed.server_port
    with pytest.raises(SourceError, match=rf"^Cannot open “http://127\.0\.0\.1:{port}/x”: Connection refused\."):
        open_stream(f"http://127.0.0.1:{port}/x")
    with pytest.raises(SourceError, match=r"^Cannot open “rtsp://.*”: Connection refused\."):
        open_stream(f"rtsp://127.0.0.1:{port}/x")


@pytest.mark.parametrize("name", ["clip.mp4", "list.m3u8"])
def test_recordings_on_a_server_play_at_their_own_pace(recordings: tuple[Path, str], name: str) -> None:
    folder, base = recordings
    write_recording(folder / name, 40, container_format="hls" if name.endswith("m3u8") else None)
    capture = StreamCapture(f"{base}/{name}", threading.Event(), open_timeout_s=PATIENCE_S, read_timeout_s=PATIENCE_S)
    pictures = list(iter(capture.read, None))
    capture.close()
    assert len(pictures) >= 38
    # 40 frames at 50 a second: waiting cannot be too short, only too long.
    assert pictures[-1].captured_at - pictures[0].captured_at > 0.5


def test_a_recording_on_a_server_ends(recordings: tuple[Path, str]) -> None:
    folder, base = recordings
    write_recording(folder / "clip.mp4", 12)
    with open_source(f"{base}/clip.mp4") as source:
        frames = list(iter(source.read, None))
        assert source.read() is None
    assert frames
    assert level(frames[-1]) == pytest.approx(44, abs=3)


def test_a_playlist_from_the_network_cannot_read_local_files(recordings: tuple[Path, str]) -> None:
    folder, base = recordings
    write_recording(folder / "private.ts", 10)
    (folder / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{folder}/private.ts\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(SourceError):
        open_stream(f"{base}/list.m3u8", open_timeout_s=2.0)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("rtsp://ann:secret@cam.local:554/live?token=1", "rtsp://cam.local:554/live"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("http://host:99999999/x", "http://host/x"),
        ("HTTP://Host", "http://host"),
        ("http://host/@channel?mail=a@b", "http://host/@channel"),
        ("http://ann:a/b@cam:80/x", "http://cam:80/x"),
        ("http://ann:a#b@cam/x", "http://cam/x"),
        ("http://ann:12/b@cam/x", "http://cam/x"),
        ("http://ann@mail.com:a/b@cam/x", "http://cam/x"),
        ("http://ann:secret@[::1/x", "http://…"),
    ],
)
def test_names_hold_no_secrets(url: str, name: str) -> None:
    assert redact_url(url) == name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("takes_tcp", "takes_udp", "asked"), [(True, True, ["tcp"]), (True, False, ["tcp"]), (False, True, ["tcp", "udp"])]
)
def test_rtsp_comes_by_tcp_and_by_udp_where_tcp_is_refused(takes_tcp: bool, takes_udp: bool, asked: list[str]) -> None:
    with RtspCamera(takes_tcp=takes_tcp, takes_udp=takes_udp) as camera, open_source(camera.url) as source:
        frame = source.read()
        assert (source.info.width, source.info.height) == (64, 48)
    assert frame is not None
    assert level(frame) == pytest.approx(90, abs=3)
    assert camera.asked == asked


@pytest.mark.parametrize("scheme", ["rtsp", "http", "rtmp"])
def test_a_server_that_says_nothing_gives_one_sentence(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://ann:hush@127.0.0.1:{silent.getsockname()[1]}/live"
        with pytest.raises(
            SourceError, match=r"/live”: no answer came within 0\.3 seconds\. Check the address"
        ) as caught:
            open_stream(url, open_timeout_s=0.3)
    assert "hush" not in str(caught.value)


def test_rtsp_that_takes_neither_gives_one_sentence() -> None:
    with RtspCamera(takes_tcp=False, takes_udp=False) as camera, pytest.raises(SourceError, match="Cannot open"):
        open_source(camera.url)


@pytest.mark.slow
def test_what_announces_pictures_and_sends_none_gives_one_sentence(recordings: tuple[Path, str]) -> None:
    folder, base = recordings
    (folder / "camera.sdp").write_text(SDP.replace("video 0", "video 45678"), newline="")
    with pytest.raises(
        SourceError, match=r"camera\.sdp”: no answer came within 0\.5 seconds\. Check the address and the net"
    ):
        open_stream(f"{base}/camera.sdp", open_timeout_s=0.5, stall_timeout_s=0.5)
