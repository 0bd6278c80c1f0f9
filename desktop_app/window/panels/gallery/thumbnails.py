"""Thumbnails, read when they are first to be seen."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QPixmap

from desktop_app.messages import Message
from desktop_app.sources.pictures.stills import load_image
from desktop_app.window.background import Background
from desktop_app.window.panels.crop_image import to_image

SIDE: Final = 192
"""Pixels of a thumbnail's longer side: those of a tile at 200 %."""
MOST_KEPT: Final = 256
MOST_AWAITED: Final = 48
"""What was scrolled past longest ago is not read."""


class Thumbnails(QObject):
    """Reads thumbnails on a thread of its own, what was asked for last first, and keeps the newest ones."""

    arrived = Signal(object)
    """The path of a thumbnail that is there now."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = Background("thumbnails", self)
        self._kept: OrderedDict[Path, QPixmap | None] = OrderedDict()
        self._awaited: OrderedDict[Path, None] = OrderedDict()
        self._reading = False
        self._hidden = False

    @property
    def is_hidden(self) -> bool:
        """Whether there are none, as pictures are not to be seen."""
        return self._hidden

    def set_hidden(self, hidden: bool) -> None:
        """Have no thumbnails, as pictures are not to be seen, or have them again."""
        self._hidden = hidden
        self._kept.clear()
        self._awaited.clear()

    def get(self, path: Path) -> QPixmap | None:
        """The thumbnail; None where it is not there yet, where there is none, or where it is hidden."""
        if self._hidden:
            return None
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        self._awaited[path] = None
        self._awaited.move_to_end(path)
        while len(self._awaited) > MOST_AWAITED:
            self._awaited.popitem(last=False)
        self._read_next()
        return None

    def end(self) -> None:
        """Read no more."""
        self._background.close()

    def _read_next(self) -> None:
        if self._reading or not self._awaited:
            return
        path, _ = self._awaited.popitem()
        self._reading = self._background.submit(
            partial(_read, path), partial(self._on_read, path), partial(self._on_failed, path)
        )

    def _on_read(self, path: Path, image: NDArray[np.uint8]) -> None:
        self._keep(path, QPixmap.fromImage(to_image(image)))

    def _on_failed(self, path: Path, _message: Message) -> None:
        # The session says which pictures cannot be read.
        self._keep(path, None)

    def _keep(self, path: Path, pixmap: QPixmap | None) -> None:
        self._reading = False
        if not self._hidden:
            self._kept[path] = pixmap
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            self.arrived.emit(path)
        self._read_next()


def _read(path: Path) -> NDArray[np.uint8]:
    """A picture in the size of a thumbnail; H×W×3 uint8, BGR."""
    image = load_image(path)
    height, width = image.shape[:2]
    scale = min(SIDE / max(height, width), 1.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
