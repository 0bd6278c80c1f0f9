"""Source protocol and what all sources share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, NamedTuple, Protocol, Self

from desktop_app.closeable import Closeable
from desktop_app.errors import AgelensError
from desktop_app.messages import Message, list_names
from desktop_app.sources.frame import Frame

MAX_PIXELS: Final = 120_000_000
"""Pixels of the largest picture that any source may give; phones take pictures of 108 million."""

SourceKind = Literal["camera", "file", "image", "folder", "stream", "demo"]


class SourceError(AgelensError):
    """A source cannot be opened or read."""


class SourceStalledError(SourceError):
    """A live source that was open gives no more pictures; opening it again may help."""


class PictureFile(NamedTuple):
    """A file of a folder, and the index of its first frame."""

    path: Path
    first_frame: int


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known about a source.

    Attributes:
        kind: what sort of source it is.
        name: for people; never holds a password.
        spec: what the source was opened with, so that it can be opened again.
        width: of the first picture, upright, in pixels.
        height: of the first picture, upright, in pixels.
        rate: nominal frames per second; 0.0 where unknown.
        frame_count: None where it is endless or unknown.
        live: True for cameras and streams: the newest frame counts, not every frame.
        length_s: how long it lasts, in seconds, where frames are not evenly spaced; None where they are.
        has_sound: whether there is sound beside the pictures.
        pictures: the files of a folder that are not known to be unreadable; empty for other sources.
        entries: the files of a playlist, of which one is described here; empty for other sources.
    """

    kind: SourceKind
    name: str
    spec: str
    width: int
    height: int
    rate: float
    frame_count: int | None
    live: bool
    length_s: float | None = None
    has_sound: bool = False
    pictures: tuple[PictureFile, ...] = ()
    entries: tuple[Path, ...] = ()

    @property
    def title(self) -> str:
        """The name of all that is played: of a playlist, those of its first files."""
        names = [path.name for path in self.entries]
        return list_names(names) if names else self.name

    @property
    def duration_s(self) -> float | None:
        """Length in seconds; None where it is endless or unknown."""
        if self.length_s is not None:
            return self.length_s
        if self.frame_count is None or self.rate <= 0:
            return None
        return self.frame_count / self.rate


class Source(Protocol):
    """A sequence of frames; one thread reads it, any thread may close it."""

    @property
    def info(self) -> SourceInfo:
        """What is known about the source by now."""
        ...

    @property
    def dropped_count(self) -> int:
        """Frames of a live source that were replaced before they were read, so far; 0 for other sources."""
        ...

    @property
    def notice(self) -> Message | None:
        """What could not be read so far; complete at the end."""
        ...

    def read(self) -> Frame | None:
        """The next frame; None when the source has ended or was closed.

        Live sources give the newest frame, wait for one that was not given yet, and stamp it with the
        monotonic clock. The others give every frame, at once, stamped with media time.

        Raises:
            SourceStalledError: a live source went silent or broke off.
            SourceError: the source cannot be read on.
        """
        ...

    def skip(self, count: int) -> int:
        """Skip up to `count` frames, at little cost; returns how many. Live sources skip none."""
        ...

    def seek(self, index: int) -> None:
        """Make `index` the next frame, kept within the source. Live sources ignore it."""
        ...

    def choose(self, entry: int) -> None:
        """Make the first frame of an entry of a playlist the next one; other sources have one entry."""
        ...

    def close(self) -> None:
        """End the source, from any thread; a read that waits elsewhere returns None at once."""
        ...

    def __enter__(self) -> Self:
        """Return the source itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the source."""
        ...


class SourceBase(Closeable):
    """What is the same for most sources: nothing is dropped, and it closes at the end of a `with` block."""

    def choose(self, entry: int) -> None:
        """Do nothing: there is one entry; see `Source.choose`."""

    @property
    def dropped_count(self) -> int:
        """Frames that were replaced before they were read; see `Source.dropped_count`."""
        return 0

    @property
    def notice(self) -> Message | None:
        """What could not be read; see `Source.notice`."""
        return None
