"""Settings model: the settings in use, told of when they change and kept a little later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from desktop_app.messages import Message
from desktop_app.settings import Settings, SettingsStore
from desktop_app.window.background import Background

SAVE_DELAY_MS: Final = 1000


class SettingsModel(QObject):
    """Holds the settings in use. Whoever applies one of them follows `changed`, whoever changed it.

    Args:
        settings: to start with.
        store: where they are kept.
        background: the thread that writes them.
        parent: the Qt owner.
    """

    changed = Signal(object)
    """Something is different now: the `Settings` from before, to compare `value` with."""
    failed = Signal(object)
    """A `Message`, once, where they cannot be kept: it would come again with every change."""

    def __init__(
        self, settings: Settings, store: SettingsStore, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._value, self._store, self._background = settings, store, background
        self._has_failed = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SAVE_DELAY_MS)
        self._timer.timeout.connect(self._on_timer)

    @property
    def value(self) -> Settings:
        """The settings as they are now."""
        return self._value

    def change(self, **changes: Any) -> bool:
        """Change fields of the settings and keep them, a little later and on a thread.

        Args:
            changes: new values by the names of the fields.

        Returns:
            Whether any field has another value now.
        """
        return self.put(replace(self._value, **changes))

    def put(self, settings: Settings) -> bool:
        """Use other settings, and keep them a little later; returns whether they differ."""
        before, self._value = self._value, settings
        if self._value == before:
            return False
        self._timer.start()
        self.changed.emit(before)
        return True

    def change_style(self, **changes: Any) -> None:
        """Change fields of what is drawn, see `OverlayStyle`."""
        self.change(style=replace(self._value.style, **changes))

    def close(self) -> None:
        """Keep the settings now, and nothing later.

        Raises:
            SettingsError: they cannot be kept.
        """
        self._timer.stop()
        self._store.save(self._value)

    @Slot()
    def _on_timer(self) -> None:
        # What is newest when its turn comes: one that waited would overwrite the last one.
        self._background.submit(lambda: self._store.save(self._value), failed=self._on_failed)

    def _on_failed(self, message: Message) -> None:
        if not self._has_failed:
            self._has_failed = True
            self.failed.emit(message)
