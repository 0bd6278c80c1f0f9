"""Live sources: a reader thread keeps only the newest frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from desktop_app.errors import reason_of
from desktop_app.messages import Message
from desktop_app.sources.base import SourceBase, SourceError, SourceInfo, SourceStalledError
from desktop_app.sources.frame import Frame

OPEN_TIMEOUT_S: Final = 15.0
"""Some cameras take ten seconds to start through Media Foundation."""

STALL_TIMEOUT_S: Final = 5.0
_JOIN_TIMEOUT_S: Final = 0.3
_CANCEL_CHECK_S: Final = 0.05
_WARM_UP_S: Final = 2.0
_BLACK_MEAN: Final = 8.0


@dataclass(frozen=True, slots=True)
class Captured:
    """A picture that just arrived.

    Attributes:
        image: H×W×3 uint8, BGR; not written to any more.
        captured_at: when it arrived, in seconds of the monotonic clock.
    """

    image: NDArray[np.uint8]
    captured_at: float


class Capture(Protocol):
    """A device or connection; it is opened, read and closed on the reader thread of a `LiveSource`."""

    @property
    def info(self) -> SourceInfo:
        """What the device or the connection says about itself."""
        ...

    @property
    def notice(self) -> Message | None:
        """What could not be read so far."""
        ...

    def read(self) -> Captured | None:
        """Wait for the next picture; None at the regular end.

        Raises:
            SourceError: there will be no more pictures, and why.
        """
        ...

    def interrupt(self) -> None:
        """Make a read that waits end soon, where that is possible; called by another thread."""
        ...

    def close(self) -> None:
        """Let go of the device or connection."""
        ...


OpenCapture = Callable[[threading.Event], Capture]
"""Opens a capture; the event is set when the source is closed, and ends every wait of the capture."""


_CHECK_DEVICE: Final = Message("Check that it is connected and that no other program uses it")


class LiveSource(SourceBase):
    """The newest picture of a capture.

    Making one waits until the capture is open. A capture that hangs cannot be interrupted: it is left to its
    daemon thread, which closes it when the hanging call returns.

    Args:
        open_capture: opens the capture, on the reader thread.
        name: for messages.
        open_timeout_s: how long opening may take.
        hint: what to do where it takes longer, without a full stop.
        stall_timeout_s: how long `read` waits for a new picture.
        warm_up_frames: how many black pictures at the start are skipped; webcams send some until their
            exposure is set.
        cancel: when set, opening is given up.

    Raises:
        SourceError: the capture did not open, or opening was cancelled.
    """

    def __init__(
        self,
        open_capture: OpenCapture,
        *,
        name: str,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        hint: Message = _CHECK_DEVICE,
        stall_timeout_s: float = STALL_TIMEOUT_S,
        warm_up_frames: int = 0,
        cancel: threading.Event | None = None,
    ) -> None:
        self._name, self._hint = name, hint
        self._stall_timeout_s = stall_timeout_s
        self._warm_up_frames = warm_up_frames
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._info: SourceInfo | None = None
        self._capture: Capture | None = None
        self._newest: Captured | None = None
        self._error: SourceError | None = None
        self._ended = False
        self._read_count = 0
        self._dropped_count = 0
        self._thread = threading.Thread(target=self._run, args=(open_capture,), name=f"capture {name}", daemon=True)
        self._thread.start()
        self._wait_until_open(open_timeout_s, cancel)

    @property
    def info(self) -> SourceInfo:
        """What the capture stated when it was opened."""
        assert self._info is not None
        return self._info

    @property
    def dropped_count(self) -> int:
        """How many pictures were replaced by newer ones before anyone read them."""
        return self._dropped_count

    @property
    def notice(self) -> Message | None:
        """What could not be read; see `Source.notice`."""
        return self._capture.notice if self._capture is not None else None

    def read(self) -> Frame | None:
        """Wait for a picture that was not given yet; see `Source.read`.

        Raises:
            SourceStalledError: none came for `stall_timeout_s`, or the capture broke off.
        """
        with self._changed:
            self._changed.wait_for(self._has_news, self._stall_timeout_s)
            if self._stop.is_set():
                return None
            captured, self._newest = self._newest, None
            if captured is None:
                self._raise_silence()
                return None
            index, self._read_count = self._read_count, self._read_count + 1
        return Frame(captured.image, index, captured.captured_at, self.info.name)

    def skip(self, count: int) -> int:  # noqa: ARG002 - the protocol's name
        """Skip nothing: only the newest picture exists."""
        return 0

    def seek(self, index: int) -> None:
        """Do nothing: only the newest picture exists."""

    def close(self) -> None:
        """End the source.

        Waits a moment for the device, so that it can be opened again, but not for one that hangs.
        """
        with self._changed:
            self._stop.set()
            self._changed.notify_all()
        if self._capture is not None:
            self._capture.interrupt()
        if threading.current_thread() is not self._thread:
            self._thread.join(_JOIN_TIMEOUT_S)

    def _has_news(self) -> bool:
        return self._newest is not None or self._ended or self._stop.is_set()

    def _raise_silence(self) -> None:
        if self._error is not None:
            raise self._error
        if not self._ended:
            raise SourceStalledError(
                "Cannot continue with “{name}”: it sent no picture for {seconds} seconds. Check that it is still "
                "connected.",
                name=self._name,
                seconds=f"{self._stall_timeout_s:g}",
            )

    def _wait_until_open(self, timeout_s: float, cancel: threading.Event | None) -> None:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._info is None and not self._ended:
                remaining_s = deadline - time.monotonic()
                if remaining_s <= 0 or (cancel is not None and cancel.is_set()):
                    break
                # Setting `cancel` does not notify this condition: check it at intervals.
                self._changed.wait(remaining_s if cancel is None else min(remaining_s, _CANCEL_CHECK_S))
            if self._info is not None:
                return
            error = self._error
        self._stop.set()
        if error is not None:
            raise error
        if cancel is not None and cancel.is_set():
            raise SourceError("Cannot open “{name}”: that was cancelled.", name=self._name)
        raise SourceError(
            "Cannot open “{name}”: it did not start within {seconds} seconds. {hint}.",
            name=self._name,
            seconds=f"{timeout_s:g}",
            hint=self._hint,
        )

    def _run(self, open_capture: OpenCapture) -> None:
        capture: Capture | None = None
        try:
            capture = open_capture(self._stop)
            with self._changed:
                self._info, self._capture = capture.info, capture
                self._changed.notify_all()
            self._pump(capture)
        except SourceError as error:
            self._error = error
        except Exception as error:
            self._error = SourceError(
                "Cannot read “{name}”: {reason}. Open it again.", name=self._name, reason=reason_of(error)
            )
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            if capture is not None:
                capture.close()

    def _pump(self, capture: Capture) -> None:
        warm_up_left = self._warm_up_frames
        warm_until = time.monotonic() + _WARM_UP_S
        while not self._stop.is_set():
            captured = capture.read()
            if captured is None:
                return
            if warm_up_left > 0:
                warm_up_left -= 1
                if captured.captured_at < warm_until and _is_black(captured.image):
                    continue
                warm_up_left = 0
            with self._changed:
                self._dropped_count += self._newest is not None
                self._newest = captured
                self._changed.notify_all()


def _is_black(image: NDArray[np.uint8]) -> bool:
    # Every eighth pixel is enough, at a sixty-fourth of the cost.
    return float(image[::8, ::8].mean()) < _BLACK_MEAN
