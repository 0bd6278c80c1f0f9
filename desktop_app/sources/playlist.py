"""Several files that are played one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from desktop_app.messages import Message, join_lines, list_names
from desktop_app.sources.base import Source, SourceBase, SourceError, SourceInfo
from desktop_app.sources.frame import Frame

_MAX_NOTICES: Final = 3
"""Damaged entries that a notice describes; the newest ones."""


class PlaylistSource(SourceBase):
    """Films and pictures one after the other, each as if it had been opened alone.

    What is known, read and sought is always of one entry: frames keep their index and their time, and say in `entry`
    which file they are from. An entry that cannot be opened, or read on, is skipped. An entry is opened when it is its
    turn, so that a long list opens as fast as a short one.

    Args:
        paths: the files, in this order; one may occur twice.
        open_one: opens one of them.
        spec: what names them as one source.

    Raises:
        SourceError: none of them can be opened.
    """

    def __init__(self, paths: Sequence[Path], open_one: Callable[[Path], Source], *, spec: str) -> None:
        self._paths, self._open_one, self._spec = tuple(paths), open_one, spec
        self._lock = threading.Lock()
        self._closed = False
        self._skipped: dict[int, Message] = {}
        self._notices: dict[int, Message] = {}
        self._broken = False
        self._place, self._source = self._open_first(range(len(self._paths)))

    @property
    def info(self) -> SourceInfo:
        """What is known of the entry that is read now, and the files of all entries."""
        return replace(self._source.info, spec=self._spec, entries=self._paths)

    @property
    def notice(self) -> Message | None:
        """One line on entries that were skipped, and what there is to say of the newest damaged ones."""
        self._take_notice()
        return join_lines(self._skipped_notice(), *list(self._notices.values())[-_MAX_NOTICES:])

    def read(self) -> Frame | None:
        """The next frame of this entry, else the first one of the next; see `Source.read`."""
        while not self._closed:
            try:
                frame = None if self._broken else self._source.read()
            except SourceError as error:
                self._skipped[self._place] = error.message
                frame = None
            if frame is not None:
                return replace(frame, entry=self._place)
            if not self._enter(range(self._place + 1, len(self._paths))):
                return None
        return None

    def skip(self, count: int) -> int:
        """Skip up to `count` frames of this entry; returns how many there were."""
        return 0 if self._broken else self._source.skip(count)

    def seek(self, index: int) -> None:
        """Make frame `index` of this entry the next one; where that fails, the first one of the next entry."""
        try:
            self._source.seek(index)
            self._broken = False
        except SourceError as error:
            self._skipped[self._place] = error.message
            self._broken = True

    def choose(self, entry: int) -> None:
        """Make the first frame of an entry the next one; where that cannot be opened, of one beyond it."""
        count, place = len(self._paths), self._place
        entry = min(max(entry, 0), count - 1)
        beyond, others = range(entry, count), range(entry - 1, -1, -1)
        if entry < place:
            beyond, others = range(entry, -1, -1), range(entry + 1, count)
        self._enter([*beyond, *others])

    def close(self) -> None:
        """End the source; see `Source.close`."""
        with self._lock:
            self._closed = True
            source = self._source
        source.close()

    def _enter(self, places: Iterable[int]) -> bool:
        """Go to the first of these entries that can be opened; returns whether there is one."""
        try:
            place, source = self._open_first(places)
        except SourceError:
            return False
        self._take_notice()
        with self._lock:
            before, self._source, self._place = self._source, source, place
            closed = self._closed
        before.close()
        if closed:
            source.close()
        self._broken = False
        return True

    def _open_first(self, places: Iterable[int]) -> tuple[int, Source]:
        for place in places:
            try:
                source = self._open_finite(self._paths[place])
            except SourceError as error:
                self._skipped[place] = error.message
            else:
                self._skipped.pop(place, None)
                return place, source
        raise SourceError(
            "Cannot open these %n file(s): none can be read. {reason}",
            None,
            len(self._paths),
            reason=next(iter(self._skipped.values()), ""),
        )

    def _open_finite(self, path: Path) -> Source:
        source = self._open_one(path)
        if source.info.live:
            source.close()
            raise SourceError("Cannot play “{path}” in a list: it never ends. Open it alone.", path=path)
        return source

    def _take_notice(self) -> None:
        notice = self._source.notice
        if notice is not None:
            self._notices[self._place] = notice

    def _skipped_notice(self) -> Message | None:
        places = sorted(self._skipped)
        if not places:
            return None
        if len(places) == 1:
            return Message("Skipped a file. {reason}", reason=self._skipped[places[0]])
        names = [self._paths[place].name for place in places]
        return Message("Skipped %n file(s) that cannot be read: {names}", None, len(names), names=list_names(names))
