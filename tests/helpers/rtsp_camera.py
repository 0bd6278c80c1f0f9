"""A small RTSP camera on loopback that sends H.264 by UDP or by TCP, as a test wants."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from fractions import Fraction
from typing import BinaryIO, Final

import av
import numpy as np

SDP: Final = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track\r\n"
)
PICTURE_TYPE: Final = 96


class RtspCamera:
    """Answers one client at a time.

    Args:
        takes_tcp: whether it sends its pictures over the connection itself.
        takes_udp: whether it sends them by UDP.
    """

    def __init__(self, *, takes_tcp: bool, takes_udp: bool) -> None:
        self._takes = {"tcp": takes_tcp, "udp": takes_udp}
        self.asked: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._server.getsockname()[1]}/live"
        self._stop = threading.Event()

    def __enter__(self) -> RtspCamera:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._server.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as requests, suppress(OSError):
                self._answer(connection, requests)

    def _answer(self, connection: socket.socket, requests: BinaryIO) -> None:
        target: int | None = None
        while line := requests.readline():
            method = line.split()[0].decode()
            headers = {}
            while (header := requests.readline().decode().strip()) != "":
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            status, extra, content = "200 OK", "", ""
            if method == "DESCRIBE":
                extra, content = f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n", SDP
            elif method == "SETUP":
                transport = headers["transport"]
                kind = "tcp" if "TCP" in transport else "udp"
                self.asked.append(kind)
                if self._takes[kind]:
                    ports = re.search(r"client_port=(\d+)", transport)
                    target = int(ports[1]) if ports else None
                    server_ports = ";server_port=40000-40001" if ports else ""
                    extra = f"Transport: {transport}{server_ports}\r\n"
                else:
                    status = "461 Unsupported transport"
            answer = f"RTSP/1.0 {status}\r\nCSeq: {headers['cseq']}\r\nSession: 1\r\n{extra}\r\n{content}"
            connection.sendall(answer.encode())
            if method == "PLAY":
                threading.Thread(target=self._send, args=(connection, target), daemon=True).start()

    def _send(self, connection: socket.socket, port: int | None) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for packet in _rtp_packets():
                try:
                    if port is None:
                        connection.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
                    else:
                        udp.sendto(packet, ("127.0.0.1", port))
                except OSError:
                    return
                if self._stop.wait(0.01):
                    return


def _rtp_packets() -> list[bytes]:
    """Some seconds of grey pictures, one packet each."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = 64, 48, "yuv420p", Fraction(25)
    encoder.options = {"tune": "zerolatency", "g": "1", "x264-params": "repeat-headers=1:sliced-threads=0:aud=0"}
    packets: list[bytes] = []
    for number in range(250):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="bgr24")
        for encoded in encoder.encode(frame):
            units = [unit.strip(b"\0") for unit in re.split(rb"\x00\x00\x01", bytes(encoded)) if unit]
            for place, unit in enumerate(units):
                marker = 0x80 if place == len(units) - 1 else 0
                head = bytes([0x80, marker | PICTURE_TYPE]) + len(packets).to_bytes(2, "big")
                packets.append(head + (number * 3600).to_bytes(4, "big") + b"\0\0\0\1" + unit)
    return packets
