"""Network streams: http(s), rtsp, rtmp, udp and tcp."""

from __future__ import annotations

import errno
import threading
import time
from typing import Final

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from desktop_app.messages import Message
from desktop_app.sources.base import Source, SourceError, SourceInfo, SourceStalledError
from desktop_app.sources.films.decoding import (
    MOST_PIXELS,
    DecodingRecord,
    PictureConverter,
    choose_video_stream,
    decode_frames,
    nominal_rate,
)
from desktop_app.sources.live import STALL_TIMEOUT_S, Capture, Captured, LiveSource
from desktop_app.sources.network.addresses import redact_url, split_credentials
from desktop_app.sources.network.http_pictures import damage_notice, open_pictures
from desktop_app.sources.pictures.stills import PictureSource

OPEN_TIMEOUT_S: Final = 10.0

# Not "file": a playlist from the network must not make us read this machine's files.
_PROTOCOLS: Final = "http,https,httpproxy,tls,tcp,udp,rtp,rtsp,rtsps,rtmp,rtmps,crypto,data"
_BOUNDED: Final = {"max_pixels": str(MOST_PIXELS)}
_SEGMENTED_FORMATS: Final = frozenset({"hls", "dash"})
_GRACE_S: Final = 1.0
_MOST_LATE_S: Final = 1.0
_MOST_EARLY_S: Final = 10.0


def open_stream(
    url: str,
    *,
    open_timeout_s: float = OPEN_TIMEOUT_S,
    stall_timeout_s: float = STALL_TIMEOUT_S,
    cancel: threading.Event | None = None,
) -> Source:
    """Open a network stream, or the picture that an address gives.

    Args:
        url: with one of the schemes in `STREAM_SCHEMES`; may hold a user name and password.
        open_timeout_s: how long connecting may take.
        stall_timeout_s: how long a read waits for a picture.
        cancel: when set, opening is given up.

    Raises:
        SourceError: nothing answers there, it refuses, or it sends neither video nor pictures.
    """

    def open_capture(stop: threading.Event) -> Capture:
        # Not before there is an address to ask: urllib3 makes a socket as soon as it is imported.
        from desktop_app.sources.network.http_client import request

        if url.lower().startswith(("http:", "https:")):
            response = request(url, timeout_s=open_timeout_s)
            try:
                pictures = open_pictures(response, url, stop)
            except SourceError:
                response.close()
                raise
            if pictures is not None:
                return pictures
            response.close()
        return StreamCapture(url, stop, open_timeout_s=open_timeout_s, read_timeout_s=stall_timeout_s)

    source = LiveSource(
        open_capture,
        name=redact_url(url),
        # The time-outs of the connection, which know the reason, come first.
        open_timeout_s=open_timeout_s + _GRACE_S,
        hint=Message("Check the address and the network"),
        stall_timeout_s=stall_timeout_s,
        cancel=cancel,
    )
    return source if source.info.live else _keep_picture(source)


def _keep_picture(source: LiveSource) -> PictureSource:
    """Keep the single picture of an address."""
    with source:
        frame = source.read()
        assert frame is not None
        return PictureSource(frame.image, source.info, source.notice)


class StreamCapture:
    """A connection that FFmpeg reads; everything happens on the thread that made it.

    Raises:
        SourceError: it could not be made, or gives no picture.
    """

    def __init__(self, url: str, stop: threading.Event, *, open_timeout_s: float, read_timeout_s: float) -> None:
        self._name = redact_url(url)
        self._stop = stop
        self._container = _connect(url, self._name, open_timeout_s, read_timeout_s)
        stream = choose_video_stream(self._container)
        if stream is None:
            self._container.close()
            raise SourceError(
                "Cannot open “{name}”: it sends no video. Give the address of a video stream.", name=self._name
            )
        stream.codec_context.options = _BOUNDED
        self._converter = PictureConverter(stream.sample_aspect_ratio)
        self._record = DecodingRecord()
        self._frames = decode_frames(self._container.demux(stream), stream, self._record)
        # Recordings and playlists come faster than they are to be seen.
        self._paced = bool(self._container.duration) or self._container.format.name in _SEGMENTED_FORMATS
        self._zero_at: float | None = None
        # A connection alone is no stream: what announces pictures (SDP, a silent relay) need not send any.
        try:
            self._first = next(self._frames, None)
        except av.FFmpegError as error:
            self._container.close()
            raise _refusal(error, url, self._name, read_timeout_s) from error
        # What came before the first picture was not damaged, it lacked its beginning.
        self._incomplete_count = len(self._record.lost)
        if self._first is None:
            self._container.close()
            raise _no_video(self._name)
        height, width = self._converter.to_bgr(self._first).shape[:2]
        rate = nominal_rate(stream)
        self._info = SourceInfo("stream", self._name, url, width, height, rate, None, live=True)

    @property
    def info(self) -> SourceInfo:
        """What the stream says about itself."""
        return self._info

    @property
    def notice(self) -> Message | None:
        """Where pictures were damaged."""
        return damage_notice(self._name, len(self._record.lost) - self._incomplete_count)

    def read(self) -> Captured | None:
        """Wait for the next picture; None at the stream's regular end.

        Raises:
            SourceStalledError: the connection broke off or went silent.
        """
        frame, self._first = self._first, None
        if frame is None:
            frame = self._next_frame()
        if frame is None:
            return None
        if self._paced:
            self._wait_for_turn(frame)
        return Captured(self._converter.to_bgr(frame), time.monotonic())

    def interrupt(self) -> None:
        """Do nothing: FFmpeg's own time-outs end a read that waits."""

    def close(self) -> None:
        """End the connection."""
        self._container.close()

    def _next_frame(self) -> VideoFrame | None:
        try:
            return next(self._frames, None)
        except av.FFmpegError as error:
            raise SourceStalledError(
                "Cannot continue with “{name}”: the connection broke off ({reason}). Check the network.",
                name=self._name,
                reason=_reason(error),
            ) from error

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
    options = {"protocol_whitelist": _PROTOCOLS, **_BOUNDED}
    if url.lower().startswith("rtsp"):
        # Over UDP, lost packets smear the picture and firewalls eat all of them: only where TCP is refused.
        options["rtsp_flags"] = "prefer_tcp"
    timeouts = (open_timeout_s, read_timeout_s)
    started = time.monotonic()
    try:
        return av.open(url, options=options, timeout=timeouts, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        # FFmpeg's RTSP says that the answer was wrong where none came.
        late = time.monotonic() - started >= open_timeout_s
        raise _refusal(av.error.ExitError(errno.ETIMEDOUT, "") if late else error, url, name, open_timeout_s) from error


def _refusal(error: Exception, url: str, name: str, timeout_s: float) -> SourceError:
    """The error for a stream that gives no first picture."""
    if isinstance(error, av.error.ExitError):
        return SourceError(
            "Cannot open “{name}”: no answer came within {seconds} seconds. Check the address and the network.",
            name=name,
            seconds=f"{timeout_s:g}",
        )
    if isinstance(error, av.error.HTTPUnauthorizedError):
        from desktop_app.sources.network.http_client import unauthorized

        return unauthorized(name, has_credentials=bool(split_credentials(url)[1]))
    if isinstance(error, av.error.InvalidDataError):
        return _no_video(name)
    return SourceError("Cannot open “{name}”: {reason}. Check the address.", name=name, reason=_reason(error))


def _no_video(name: str) -> SourceError:
    return SourceError(
        "Cannot open “{name}”: it sends no video that can be decoded. Give the address of a video stream.", name=name
    )


def _reason(error: Exception) -> Message | str:
    if isinstance(error, av.error.ExitError):
        return Message("no data came in time")
    if getattr(error, "errno", None) == errno.EIO:
        # All that FFmpeg says when a name is unknown, or when a connection ends too early.
        return Message("nothing that can be read came from there")
    # Only the system's words: FFmpeg's message repeats the address, password and all.
    return str(getattr(error, "strerror", None) or type(error).__name__)
