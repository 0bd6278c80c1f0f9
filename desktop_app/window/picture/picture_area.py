"""Picture area: picture, messages over it, and the bars below, which float in full screen."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QEvent, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

from desktop_app.window.dialogs.welcome import WelcomePage
from desktop_app.window.picture.empty_state import PictureMessage
from desktop_app.window.picture.file_manager import show_in_folder
from desktop_app.window.picture.toast import Toast
from desktop_app.window.picture.video_view import VideoView
from desktop_app.window.style.translation import tr
from desktop_app.window.style.widgets import restyle

BARS_SHOWN_MS: Final = 2500
COUNTDOWN_SIDE: Final = 150


class PictureArea(QWidget):
    """Places the picture and its companions.

    Attributes:
        view: the picture.
        message: what is said where there is no picture.
        welcome: the first page.
        toast: short notes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.view = VideoView(self)
        self._name_view()
        self.message = PictureMessage(self)
        self.welcome = WelcomePage(self)
        self.welcome.hide()
        self.welcome.installEventFilter(self)
        self.toast = Toast(self)
        self._recording = QLabel(self)
        self._recording.setObjectName("recordingPill")
        self._recording.hide()
        self._countdown = QLabel(self)
        self._countdown.setObjectName("countdown")
        self._countdown.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._countdown.hide()
        self._bars: tuple[QWidget, ...] = ()
        self._floating = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(BARS_SHOWN_MS)
        self._timer.timeout.connect(self._hide_floating)
        self.view.moved_over.connect(self._on_moved_over)

    def show_welcome(self, *, accepted: bool) -> None:
        """Cover all with the first page.

        Args:
            accepted: it was accepted before, and can be left.
        """
        self.welcome.set_accepted(accepted)
        self.welcome.show()
        self.welcome.raise_()
        self.toast.raise_()
        self.welcome.start_button.setFocus()

    def note(self, text: str, *, path: Path | None = None) -> None:
        """Show a short note.

        Args:
            text: one sentence.
            path: a file that can be shown in its folder.
        """
        if path is None:
            self.toast.show_note(text)
            return
        self.toast.show_note(text, button=tr("Show in folder"), do=lambda: show_in_folder(path))

    def set_bars(self, *bars: QWidget) -> None:
        """Put bars below the picture, from top to bottom."""
        self._bars = bars
        for bar in bars:
            bar.setParent(self)
            bar.installEventFilter(self)
        self.arrange()

    def want_bar(self, bar: QWidget, wanted: bool) -> None:
        """Say whether a bar belongs to what is shown."""
        if self._is_wanted(bar) == wanted:
            return
        bar.setProperty("wanted", wanted)
        bar.setVisible(wanted)
        self.arrange()

    def show_recording(self, elapsed: str) -> None:
        """Show over the picture in full screen, where the bars go away, that it is being recorded; empty for not."""
        self._recording.setText(f"●  {elapsed}")
        self._recording.setVisible(bool(elapsed) and self._floating)
        self._recording.adjustSize()
        self._recording.move(16, 16)

    def show_countdown(self, seconds: int) -> None:
        """Show how many seconds are left until a screenshot; 0 for none. Screenshots do not show it."""
        self._countdown.setText(str(seconds))
        self._countdown.setVisible(seconds > 0)
        self._place_countdown()

    def _place_countdown(self) -> None:
        self._countdown.resize(max(self._countdown.sizeHint().width(), COUNTDOWN_SIDE), COUNTDOWN_SIDE)
        self._countdown.move(self.view.geometry().center() - self._countdown.rect().center())
        self._countdown.raise_()

    def set_floating(self, floating: bool) -> None:
        """Let the bars float over the picture and go away by themselves, or stand below it."""
        self._floating = floating
        for bar in self._bars:
            bar.setProperty("floating", floating)
            restyle([bar, *bar.findChildren(QWidget)])
        self._show_bars()
        if floating:
            self._timer.start()
        else:
            self._timer.stop()
            self.view.unsetCursor()
        self.arrange()

    def arrange(self) -> None:
        """Place everything for the present size and the bars that are wanted."""
        bottom = self.height()
        for bar in reversed(self._bars):
            if bar.isVisibleTo(self):
                height = bar.sizeHint().height()
                bottom -= height
                bar.setGeometry(0, bottom, self.width(), height)
        picture = QRect(0, 0, self.width(), self.height() if self._floating else bottom)
        for widget in (self.view, self.message, self.welcome):
            widget.setGeometry(picture)
        for bar in self._bars:
            bar.raise_()
        self._place_countdown()
        self.toast.place(self.height() - bottom)
        self.toast.raise_()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._name_view()
        super().changeEvent(event)

    def _name_view(self) -> None:
        self.view.setAccessibleName(tr("Picture"))
        self.view.setAccessibleDescription(tr("The video with the faces that were found"))

    def sizeHint(self) -> QSize:  # noqa: N802
        """Room for a 720p picture at three quarters of its size."""
        return QSize(960, 620)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Room for the bars and a small picture."""
        heights = sum(bar.minimumSizeHint().height() for bar in self._bars)
        widths = [bar.minimumSizeHint().width() for bar in self._bars]
        return QSize(max([480, *widths]), 240 + heights)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Place everything anew."""
        super().resizeEvent(event)
        self.arrange()

    def eventFilter(self, watched: QWidget, event: QEvent) -> bool:  # type: ignore[override]  # noqa: N802
        """Place everything anew when a bar comes or goes; keep the bars under the pointer; cover what is covered."""
        if watched is self.welcome:
            if event.type() in {QEvent.Type.ShowToParent, QEvent.Type.HideToParent}:
                # What the first page covers must not take the keyboard.
                for covered in (self.view, self.message):
                    covered.setEnabled(self.welcome.isHidden())
            return False
        if event.type() in {QEvent.Type.ShowToParent, QEvent.Type.HideToParent, QEvent.Type.LayoutRequest}:
            self.arrange()
        if event.type() == QEvent.Type.Enter and self._floating:
            self._timer.stop()
        if event.type() == QEvent.Type.Leave and self._floating:
            self._timer.start()
        return False

    def _on_moved_over(self) -> None:
        if not self._floating:
            return
        self.view.unsetCursor()
        self._show_bars()
        self._timer.start()

    def _show_bars(self) -> None:
        for bar in self._bars:
            if self._is_wanted(bar) and not bar.isVisibleTo(self):
                bar.show()

    @staticmethod
    def _is_wanted(bar: QWidget) -> bool:
        return bar.property("wanted") is not False

    def _hide_floating(self) -> None:
        if not self._floating:
            return
        for bar in self._bars:
            bar.hide()
        self.view.setCursor(Qt.CursorShape.BlankCursor)
