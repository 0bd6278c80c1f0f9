"""The newest reports of a session's threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from desktop_app.engine.inference import ModelInUse
from desktop_app.engine.recording import RecorderWorker
from desktop_app.engine.session_audience import SessionAudience
from desktop_app.engine.statistics import Statistics
from desktop_app.engine.types import UNFINISHED, RecordingStatus, RenderedFrame, SessionStatus, SourceState
from desktop_app.engine.worker import Worker
from desktop_app.errors import describe_error
from desktop_app.messages import Message, join_lines
from desktop_app.sources.opening import SourceInfo

_REMEMBERED_PICTURES: Final = 16


class SessionBoard:
    """The newest picture, status and recording of a session.

    Each fact has one thread that reports it: the state of the source is said by the capture thread, after the picture
    that it holds for. The board knows none of the threads that report to it, and the session's parts form no reference
    cycle: a session that is let go is freed at once, not when Python next looks for cycles.

    Args:
        statistics: where to note latencies.
        audience: counts who is shown.
        on_picture: called on the reporting thread when `latest` has a new picture.
        on_status: called on the reporting thread when `status` changed.
    """

    def __init__(
        self,
        statistics: Statistics,
        *,
        audience: SessionAudience,
        on_picture: Callable[[], None],
        on_status: Callable[[], None],
    ) -> None:
        self._statistics, self._audience = statistics, audience
        self._on_picture, self._on_status = on_picture, on_status
        self._lock = threading.Lock()
        self._status = SessionStatus()
        self._source_notice: Message | None = None
        self._model_notice: Message | None = None
        self._latest: RenderedFrame | None = None
        self._taken: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED_PICTURES)
        self._recorder: RecorderWorker | None = None
        self._closed = False

    @property
    def latest(self) -> RenderedFrame | None:
        """The newest finished picture; None after the end."""
        return self._latest

    @property
    def status(self) -> SessionStatus:
        """How the session is doing."""
        with self._lock:
            return self._status

    @property
    def recorder(self) -> RecorderWorker | None:
        """The recorder in use, or the last one."""
        with self._lock:
            return self._recorder

    @property
    def recording(self) -> RecordingStatus:
        """How the recording is doing: the running one, or the last."""
        recorder = self.recorder
        return recorder.status if recorder is not None else RecordingStatus()

    def start_recorder(self, make: Callable[[], RecorderWorker]) -> bool:
        """Start a recorder; returns False where one is at work or the session is over."""
        with self._lock:
            # By its state rather than its thread, which ends a moment after the front end was notified.
            if self._closed or (self._recorder is not None and self._recorder.status.state in UNFINISHED):
                return False
            self._recorder = make()
            self._recorder.start()
            return True

    def close(self) -> RecorderWorker | None:
        """Let no new recording begin; returns the recorder that there is."""
        with self._lock:
            self._closed = True
            return self._recorder

    def finish(self) -> None:
        """Say that the session is over, and keep no picture of it."""
        self.take_state("stopped")
        self._latest = None

    def painted(self, rendered_at: float) -> None:
        """Note that the picture that was finished at that moment is on the screen now."""
        with self._lock:
            taken_at = next((taken for rendered, taken in self._taken if rendered == rendered_at), None)
        if taken_at is not None:
            self._statistics.add_latency(time.monotonic() - taken_at, painted=True)

    def take_picture(self, rendered: RenderedFrame) -> None:
        """Show and record a finished picture."""
        with self._lock:
            if self._status.state == "stopped":
                # From a thread that was left behind.
                return
            self._latest = rendered
            self._taken.append((rendered.rendered_at, rendered.taken_at))
            recorder, info = self._recorder, self._status.info
        self._audience.add(rendered, live=info is not None and info.live)
        self._statistics.add_latency(rendered.rendered_at - rendered.taken_at, painted=False)
        if recorder is not None:
            recorder.offer(rendered)
        self._on_picture()

    def take_source(self, info: SourceInfo) -> None:
        """Note what the source that was opened, or another entry of it, says about itself."""
        with self._lock:
            self._status = replace(self._status, info=info)
        self._on_status()

    def take_state(self, state: SourceState, message: Message | None = None) -> None:
        """Note the state of the source; what failed or was stopped does not come back."""
        with self._lock:
            if self._status.state in {"failed", "stopped"} and state != "stopped":
                return
            self._status = replace(self._status, state=state, message=message)
        self._on_status()

    def take_notice(self, notice: Message) -> None:
        """Note what there is to say of the source."""
        with self._lock:
            self._source_notice = notice
            self._status = replace(self._status, notice=join_lines(self._model_notice, notice))
        self._on_status()

    def take_end(self, worker: Worker) -> None:
        """Note that a thread ended; an error is the end of the session's source."""
        if worker.error is not None:
            self.take_state("failed", describe_error(worker.error))

    def take_model(self, model: ModelInUse) -> None:
        """Note which model runs, and what there is to say of it."""
        if model.package is not None:
            self._audience.use(model.package.manifest)
        with self._lock:
            self._model_notice = model.notice
            self._status = replace(
                self._status,
                model=model.package.name if model.package is not None else "",
                provider=model.provider,
                notice=join_lines(model.notice, self._source_notice),
            )
        self._on_status()
