"""Controller for screenshots, recordings and summaries of the session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtWidgets import QApplication, QFileDialog

from desktop_app.engine.session_audience import SessionCount
from desktop_app.engine.types import UNFINISHED, RecordingStatus, RenderedFrame
from desktop_app.messages import Message
from desktop_app.settings import Settings
from desktop_app.window.background import Background
from desktop_app.window.bars.actions import Actions
from desktop_app.window.bars.control_bar import ControlBar
from desktop_app.window.bridge import SessionBridge
from desktop_app.window.controllers.saving import save_pictures, save_summary, start_recording, summary_path
from desktop_app.window.picture.file_manager import open_folder
from desktop_app.window.picture.picture_area import PictureArea
from desktop_app.window.settings_model import SettingsModel
from desktop_app.window.style.translation import tr, translated

BURST_INTERVAL_MS: Final = 200


@dataclass(frozen=True, slots=True)
class Burst:
    """A burst that is going on.

    Attributes:
        settings: those when it began: where its pictures go, and how many are wanted.
        at: when it began.
        taken: what was caught so far.
    """

    settings: Settings
    at: datetime
    taken: list[RenderedFrame]


class Countdown:
    """Does something after some seconds, and shows each of them.

    Args:
        show: shows how many are left; 0 for none.
        parent: the Qt owner.
    """

    def __init__(self, show: Callable[[int], None], parent: QObject) -> None:
        self._show = show
        self._left = 0
        self._do: Callable[[], None] | None = None
        self._timer = QTimer(parent)
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self._on_second)

    @property
    def is_running(self) -> bool:
        """Whether something is still to be done."""
        return self._do is not None

    def start(self, seconds: int, do: Callable[[], None]) -> None:
        """Begin to count; at once where there is nothing to count."""
        if not seconds:
            do()
            return
        self._left, self._do = seconds, do
        self._show(seconds)
        self._timer.start()

    def cancel(self) -> None:
        """Do nothing after all."""
        self._timer.stop()
        self._do = None
        self._show(0)

    def _on_second(self) -> None:
        self._left -= 1
        if self._left:
            self._show(self._left)
            return
        do = self._do
        self.cancel()
        if do is not None:
            do()


class CaptureController(QObject):
    """What the control bar's buttons do.

    Args:
        settings: where and how is saved.
        bridge: whose session is recorded.
        actions: those of the control bar.
        stage: whose picture is saved, and where notes are shown.
        control_bar: shows how a recording is doing.
        guard: gives a picture as it may be shown by now.
        held: gives the counts that the user holds to look at, None for those of the moment.
        parent: the Qt owner.
    """

    def __init__(
        self,
        *,
        settings: SettingsModel,
        bridge: SessionBridge,
        actions: Actions,
        stage: PictureArea,
        control_bar: ControlBar,
        guard: Callable[[RenderedFrame], RenderedFrame],
        held: Callable[[], SessionCount | None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._settings, self._bridge, self._actions = settings, bridge, actions
        self._stage, self._control_bar = stage, control_bar
        self._announced = 0.0
        self._guard, self._held = guard, held
        self._background = Background("saving", self, finish_at_exit=True)
        self._burst: Burst | None = None
        self._burst_timer = QTimer(self)
        self._burst_timer.setInterval(BURST_INTERVAL_MS)
        self._burst_timer.timeout.connect(self._on_burst_timer)
        self._countdown = Countdown(stage.show_countdown, self)
        bridge.recording_ended.connect(self.announce)
        actions["screenshot"].triggered.connect(lambda: self._after_delay(self._on_screenshot))
        actions["burst"].triggered.connect(lambda: self._after_delay(self._on_burst))
        actions["copy"].triggered.connect(self._on_copy)
        actions["record"].triggered.connect(self._on_record)
        actions["pause_recording"].triggered.connect(self._on_pause_recording)
        actions["open_recordings"].triggered.connect(lambda: self._show(settings.value.recordings_folder))
        actions["open_screenshots"].triggered.connect(lambda: self._show(settings.value.screenshots_folder))
        actions["save_summary"].triggered.connect(self._on_save_summary)
        actions["count_anew"].triggered.connect(self._on_count_anew)

    def close(self) -> None:
        """Take nothing more; what was caught and what is being written is finished."""
        self._countdown.cancel()
        self._end_burst()
        self._background.close()

    @Slot(object)
    def show_recording(self, status: RecordingStatus) -> None:
        """Show how the recording is doing, and say where it is once it ended."""
        shown = self._bridge.status.state in {"live", "paused", "reconnecting", "ended"}
        self._control_bar.show_recording(status, enabled=shown)
        self._stage.show_recording(self._control_bar.elapsed_text)
        for name in ("screenshot", "burst", "copy"):
            self._actions[name].setEnabled(shown)
        if not shown:
            self._countdown.cancel()
        # What was counted stays when the source is stopped.
        for name in ("save_summary", "count_anew"):
            self._actions[name].setEnabled(self._bridge.status.info is not None)
        if status.state not in UNFINISHED:
            # One that failed at once was never seen to run.
            self.announce(status)

    @Slot(object, bool)
    def announce(self, status: RecordingStatus, switched: bool = False) -> None:
        """Say once how a recording ended.

        Args:
            status: of the recording.
            switched: whether it ended because another source was opened.
        """
        if status.path is None or status.started_at == self._announced:
            return
        self._announced = status.started_at
        if status.state == "failed":
            message = translated(status.message) if status.message else ""
            self._stage.note(message, path=status.path if status.size_bytes else None)
        elif switched:
            text = tr("The source changed, so the recording ended: {name}", name=status.path.name)
            self._stage.note(text, path=status.path)
        else:
            self._on_saved(status.path, 1)

    def _after_delay(self, take: Callable[[], None]) -> None:
        """Take a picture once the shutter's delay is over; asked for again meanwhile, it is called off."""
        if self._countdown.is_running:
            self._countdown.cancel()
        else:
            self._countdown.start(self._settings.value.shutter_delay_s, take)

    @Slot()
    def _on_screenshot(self) -> None:
        rendered = self._stage.view.rendered
        if rendered is not None:
            self._save([rendered], self._settings.value, datetime.now(), burst=False)

    @Slot()
    def _on_burst(self) -> None:
        if self._burst is None and self._stage.view.rendered is not None:
            self._burst = Burst(self._settings.value, datetime.now(), [])
            self._burst_timer.start()
            self._on_burst_timer()

    @Slot()
    def _on_burst_timer(self) -> None:
        burst, rendered = self._burst, self._stage.view.rendered
        if burst is None:
            self._burst_timer.stop()
            return
        if rendered is not None and all(rendered.frame is not other.frame for other in burst.taken):
            burst.taken.append(rendered)
        # A source that stands still gives no second picture; one that plays gives it, however busy the machine is.
        playing = rendered is not None and self._bridge.status.state == "live"
        if len(burst.taken) >= burst.settings.burst_count or not playing:
            self._end_burst()

    def _end_burst(self) -> None:
        """Save what was caught, as it may be shown by now: what is to be hidden may have changed meanwhile."""
        self._burst_timer.stop()
        burst, self._burst = self._burst, None
        if burst is not None:
            self._save([self._guard(one) for one in burst.taken], burst.settings, burst.at, burst=True)

    def _save(self, pictures: list[RenderedFrame], settings: Settings, at: datetime, *, burst: bool) -> None:
        info = self._bridge.status.info
        # From the first picture of a live source: nobody can do anything with this machine's own clock.
        zero_at = pictures[0].frame.captured_at if info is not None and info.live else 0.0
        metadata = self._describe()
        self._background.submit(
            lambda: save_pictures(pictures, settings, at=at, burst=burst, metadata=metadata, zero_at=zero_at),
            lambda path: self._on_saved(path, len(pictures)),
            self._on_failed,
        )

    def _on_failed(self, message: Message) -> None:
        self._stage.note(translated(message))

    def _on_saved(self, path: Path, count: int) -> None:
        if count > 1:
            self._stage.note(tr("Saved %n picture(s) in {folder}", None, count, folder=path.parent), path=path)
        else:
            self._stage.note(tr("Saved {name}", name=path.name), path=path)

    @Slot()
    def _on_save_summary(self) -> None:
        session = self._bridge.session
        if session is None:
            return
        kinds = {tr("Report"): "*.html", tr("Counts"): "*.json", tr("Table of visits"): "*.csv *.jsonl *.parquet"}
        chosen, kind = QFileDialog.getSaveFileName(
            self._stage,
            tr("Save session summary"),
            str(summary_path(self._settings.value, at=datetime.now())),
            ";;".join(f"{name} ({patterns})" for name, patterns in kinds.items()),
        )
        if chosen:
            path = Path(chosen)
            if not path.suffix:
                path = path.with_suffix(".csv" if "*.csv" in kind else ".json" if "*.json" in kind else ".html")
            held = self._held()
            self._background.submit(
                lambda: save_summary(session, path, held), lambda saved: self._on_saved(saved, 1), self._on_failed
            )

    @Slot()
    def _on_count_anew(self) -> None:
        if self._bridge.session is not None:
            self._bridge.session.audience.reset()
            self._stage.note(tr("Counting anew"))

    @Slot()
    def _on_copy(self) -> None:
        image = self._stage.view.picture()
        if image is not None:
            QApplication.clipboard().setImage(image)
            self._stage.note(tr("Copied the picture"))

    def _show(self, folder: Path) -> None:
        if not folder.is_dir():
            self._stage.note(tr("Cannot open “{folder}”: nothing was saved there yet.", folder=folder))
        elif not open_folder(folder):
            self._stage.note(tr("Cannot open “{folder}”: no file manager answers.", folder=folder))

    @Slot()
    def _on_record(self) -> None:
        session = self._bridge.session
        if session is None:
            return
        if session.recording().state in UNFINISHED:
            session.stop_recording()
        else:
            settings, at = self._settings.value, datetime.now()
            self._background.submit(lambda: start_recording(session, settings, at=at), None, self._on_failed)
            info = self._bridge.status.info
            if info is not None and info.entries:
                self._stage.note(
                    tr("The recording continues from file to file, without sound and in the size of the first picture.")
                )
            elif info is not None and info.has_sound:
                self._stage.note(tr("The sound of “{name}” is not recorded.", name=info.name))

    @Slot(bool)
    def _on_pause_recording(self, paused: bool) -> None:
        if self._bridge.session is not None:
            self._bridge.session.pause_recording(paused)

    def _describe(self) -> dict[str, str]:
        status = self._bridge.status
        source = status.info.name if status.info else ""
        return {"software": "Agelens", "model": status.model, "provider": status.provider, "source": source}
