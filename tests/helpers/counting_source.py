"""A source of numbered pictures, for tests of what comes after it."""

from __future__ import annotations

import numpy as np

from desktop_app.sources.base import SourceBase, SourceInfo
from desktop_app.sources.frame import Frame


class CountingSource(SourceBase):
    """Pictures whose pixels all hold their index; 1000 a second, so that tests need not wait."""

    def __init__(self, count: int = 10, *, rate: float = 1000.0) -> None:
        self.info = SourceInfo("file", "counting", "counting", 64, 48, rate, count, live=False)
        self.next_index = 0
        self.closed = False

    def read(self) -> Frame | None:
        index = self.next_index
        if self.closed or index >= (self.info.frame_count or 0):
            return None
        self.next_index += 1
        return Frame(np.full((48, 64, 3), index, np.uint8), index, index / self.info.rate, "counting")

    def skip(self, count: int) -> int:
        before = self.next_index
        self.next_index = min(before + count, self.info.frame_count or 0)
        return self.next_index - before

    def seek(self, index: int) -> None:
        self.next_index = min(max(index, 0), (self.info.frame_count or 1) - 1)

    def close(self) -> None:
        self.closed = True
