"""Pictures from the network: http(s), rtsp, rtmp, udp, tcp, by FFmpeg."""

from __future__ import annotations

import errno
import re
import threading
import time
from typing import Final
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from desktop_app.media.base import SourceError, SourceInfo, SourceStalledError
from desktop_app.media.decoding import PictureConverter, choose_video_stream, decode_frames, nominal_rate
from desktop_app.media.live import STALL_TIMEOUT_S, Captured, LiveSource

OPEN_TIMEOUT_S: Final = 10.0
STREAM_SCHEMES: Final = frozenset({"http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp"})

# Not "file": a playlist from the network must not make us read this machine's files.
_PROTOCOLS: Final = "http,https,httpproxy,tls,tcp,udp,rtp,rtsp,rtsps,rtmp,rtmps,crypto,data"
# What can begin with a user name: no "/", "?" or "#" comes before its end.
_CREDENTIALS: Final = re.compile(r"[^/?#]*[:@]")
_SEGMENTED_FORMATS: Final = frozenset({"hls", "dash"})
_MOST_LATE_S: Final = 1.0
_MOST_EARLY_S: Final = 10.0


def open_stream(
    url: str,
    *,
    open_timeout_s: float = OPEN_TIMEOUT_S,
    stall_timeout_s: float = STALL_TIMEOUT_S,
    cancel: threading.Event | None = None,
) -> LiveSource:
    """Open a network stream.

    Args:
        url: with one of the schemes in `STREAM_SCHEMES`; may hold a user name and password.
        open_timeout_s: how long connecting may take.
        stall_timeout_s: how long a read waits for a picture.
        cancel: when set, opening is given up.

    Raises:
        SourceError: nothing answers there, it refuses, or it sends no video.
    """
    return LiveSource(
        lambda stop: StreamCapture(url, stop, open_timeout_s=open_timeout_s, read_timeout_s=stall_timeout_s),
        name=public_name(url),
        # FFmpeg's own time-out, which knows the reason, comes first.
        open_timeout_s=2 * open_timeout_s,
        stall_timeout_s=stall_timeout_s,
        cancel=cancel,
    )


def public_name(url: str) -> str:
    """The address without user name, password and query, for people to see; any text will do."""
    scheme, _, rest = _split_credentials(url)
    try:
        parts = urlsplit(f"{scheme}://{rest}")
    except ValueError:
        return f"{scheme.lower()}://…"
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def _split_credentials(url: str) -> tuple[str, str, str]:
    """The scheme of an address, its user name and password ("" where there is none), and what comes after them."""
    scheme, _, rest = url.partition(":")
    rest = rest.lstrip("/")
    if not _CREDENTIALS.match(rest):
        return scheme, "", rest
    # What stands before the last @: a password that holds "/" or "#", though it should be escaped, is one as well.
    credentials, _, place = rest.rpartition("@")
    return scheme, credentials, place


class StreamCapture:
    """A connection; everything happens on the thread that made it.

    Raises:
        SourceError: it could not be made.
    """

    def __init__(self, url: str, stop: threading.Event, *, open_timeout_s: float, read_timeout_s: float) -> None:
        self._name = public_name(url)
        self._stop = stop
        self._container = _connect(url, self._name, open_timeout_s, read_timeout_s)
        stream = choose_video_stream(self._container)
        if stream is None:
            self._container.close()
            raise SourceError(f"{self._name} sends no video; give the address of a video stream")
        self._converter = PictureConverter(stream.sample_aspect_ratio)
        self._frames = decode_frames(self._container.demux(stream), stream)
        # Recordings and playlists come faster than they are to be seen.
        self._paced = bool(self._container.duration) or self._container.format.name in _SEGMENTED_FORMATS
        self._zero_at: float | None = None
        self._info = SourceInfo(
            kind="stream",
            name=self._name,
            spec=url,
            width=stream.width,
            height=stream.height,
            rate=nominal_rate(stream),
            frame_count=None,
            live=True,
        )

    @property
    def info(self) -> SourceInfo:
        """What the stream says about itself."""
        return self._info

    def read(self) -> Captured | None:
        """Wait for the next picture; None at the stream's regular end.

        Raises:
            SourceStalledError: the connection broke off or went silent.
        """
        try:
            frame = next(self._frames, None)
        except av.FFmpegError as error:
            raise SourceStalledError(f"{self._name} broke off ({_reason(error)}); check the connection") from error
        if frame is None:
            return None
        if self._paced:
            self._wait_for_turn(frame)
        return Captured(self._converter.to_bgr(frame), time.monotonic())

    def close(self) -> None:
        """End the connection."""
        self._container.close()

    def _wait_for_turn(self, frame: VideoFrame) -> None:
        if frame.pts is None or not frame.time_base:
            return
        media_s = float(frame.pts * frame.time_base)
        now = time.monotonic()
        late_s = now - media_s - self._zero_at if self._zero_at is not None else 0.0
        if self._zero_at is None or not -_MOST_EARLY_S < late_s < _MOST_LATE_S:
            # The start, a pause of the network, or a jump of the stream's clock.
            self._zero_at = now - media_s
        elif late_s < 0:
            self._stop.wait(-late_s)


def _connect(url: str, name: str, open_timeout_s: float, read_timeout_s: float) -> InputContainer:
    options = {"protocol_whitelist": _PROTOCOLS}
    if url.lower().startswith("rtsp"):
        # Over UDP, which FFmpeg tries first, lost packets smear the picture and firewalls eat all of them.
        options["rtsp_transport"] = "tcp"
    try:
        return av.open(url, options=options, timeout=(open_timeout_s, read_timeout_s), metadata_errors="replace")
    except av.error.ExitError:
        raise SourceError(
            f"{name} did not answer within {open_timeout_s:g} seconds; check the address and the network"
        ) from None
    except av.error.HTTPUnauthorizedError:
        if _split_credentials(url)[1]:
            raise SourceError(
                f"{name} does not accept this user name and password; check them, and write @, : or / in them as %40, "
                "%3A or %2F"
            ) from None
        raise SourceError(
            f"{name} asks for a user name and password; write them as scheme://user:password@host/path"
        ) from None
    except av.error.InvalidDataError:
        raise SourceError(f"{name} sends no video that can be read; give a video stream's address") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{name} cannot be opened ({_reason(error)}); check the address") from error


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.ExitError):
        return "no data came in time"
    if getattr(error, "errno", None) == errno.EIO:
        # All that FFmpeg says when a name is unknown, or when a connection ends too early.
        return "nothing that can be read came from there"
    # Only the system's words: FFmpeg's message repeats the address, password and all.
    return str(getattr(error, "strerror", None) or type(error).__name__)
