"""Files that replace nothing by accident, and sentences for what can go wrong with a disk."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final

_CLAUSES: Final[dict[int, str]] = {
    errno.EEXIST: "a file of that name exists already; choose another name or allow overwriting",
    errno.ENOENT: "the folder does not exist; create it or choose another one",
    errno.ENOTDIR: "a part of the path is not a folder; choose another folder",
    errno.EISDIR: "there is a folder of that name; choose another name",
    errno.EACCES: "writing there is not allowed; choose another folder",
    errno.EPERM: "writing there is not allowed; choose another folder",
    errno.EROFS: "the disk is write-protected; choose another folder",
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file became larger than this disk allows; choose another disk",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EIO: "the disk reports an error; check it or choose another one",
    errno.ESTALE: "the file or its folder was removed meanwhile; choose a folder that stays",
}

ALMOST_FULL: Final = "the disk is almost full; free some space or choose another folder"
"""What to say where there is little room left, see `has_room`."""


def explain(error: OSError) -> str:
    """Say what is wrong with a file and what to do, as a clause without a full stop."""
    known = _CLAUSES.get(error.errno or 0)
    return known or f"the system says “{error.strerror or error}”; choose another folder"


def free_space(path: Path) -> int:
    """Bytes that can still be written where `path` is or would be.

    Raises:
        OSError: the disk cannot be asked, for example because it was unplugged.
    """
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def has_room(path: Path, wanted_bytes: int) -> bool:
    """Whether so many bytes can still be written where `path` is or would be; True where nobody can tell."""
    try:
        return free_space(path) >= wanted_bytes
    except OSError:
        # A disk that is gone is said by the write that fails.
        return True


def write_whole(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a file whole or not at all.

    Args:
        path: its name.
        data: all of its bytes.
        overwrite: replace an existing file.

    Raises:
        OSError: it cannot be written; FileExistsError if it exists and `overwrite` is not set.
    """
    file = NewFile(path, overwrite=overwrite, staged=True)
    try:
        file.write(data)
        file.commit()
    except OSError:
        file.discard()
        raise


class NewFile:
    """A binary file that is made anew: whole writes, a mark to fall back to, nothing lost by accident.

    A name that is free is created exclusively, so that two programs cannot share it. Where an existing file
    is to be overwritten, or with `staged`, the bytes go to a part file in the same folder
    (`film.part.mp4`), which takes over the name in `commit`; a program that is killed before leaves the
    existing file as it was and the part file beside it. Writes are unbuffered: what `write` returned from
    outlives the program.

    Args:
        path: the file's final name.
        overwrite: replace an existing file, in `commit` and not before.
        staged: write to a part file even if the name is free, so that the name never shows half a file.

    Raises:
        OSError: the file cannot be made; FileExistsError if it exists and `overwrite` is not set.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, staged: bool = False) -> None:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        self._target = path
        self._reserved = False
        if overwrite and path.exists():
            # A link keeps pointing where it did: the file behind it is the one that is replaced.
            self._target = path.resolve()
            if not os.access(self._target, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            self._file, self._path = _open_part(self._target)
        elif staged:
            FileIO(path, "x").close()
            self._reserved = True
            try:
                self._file, self._path = _open_part(path)
            except OSError:
                path.unlink()
                raise
        else:
            self._file, self._path = FileIO(path, "x"), path
        self._size = 0
        self._marked_size = 0
        self._finished = False

    @property
    def path(self) -> Path:
        """Where the bytes are now: the part file's name until `commit`, then the final one."""
        return self._path

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._size

    @property
    def is_present(self) -> bool:
        """Whether the file, not closed yet, can still be found under its name."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except OSError:
            return False

    def write(self, data: bytes) -> None:
        """Write all of `data` at the current position.

        Raises:
            OSError: the disk is full, gone or broken; a part of `data` may have been written.
        """
        rest = memoryview(data)
        while rest:
            count = self._file.write(rest)
            rest = rest[count:]
            self._size = max(self._size, self._file.tell())

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position of the next `write`, as `io.IOBase.seek`."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position of the next `write`, in bytes."""
        return self._file.tell()

    def mark(self) -> None:
        """Remember that everything until here is whole."""
        self._marked_size = self._size

    def roll_back(self) -> None:
        """Cut off what was written after the last `mark`."""
        # A disk that is gone cannot be tidied either, and that was reported by the write that failed.
        with suppress(OSError):
            self._file.truncate(self._marked_size)
            self._file.seek(self._marked_size)
            self._size = self._marked_size

    def check_present(self) -> None:
        """Take a file that is not there any more for an error: what is written to it would vanish silently.

        Raises:
            OSError: it was removed or its folder was moved, ESTALE.
        """
        if not self.is_present:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(self._path))

    def commit(self) -> None:
        """Close the file and give it its final name; does nothing the second time.

        Raises:
            OSError: the name could not be taken over; the bytes stay in `path`.
        """
        if self._finished:
            return
        self._file.close()
        if self._path != self._target:
            self._path.replace(self._target)
            self._path = self._target
        self._finished = True

    def keep(self) -> None:
        """Close the file and leave it under the name it has now, a part file beside what it should replace."""
        if self._finished:
            return
        self._file.close()
        self._release_name()
        self._finished = True

    def discard(self) -> None:
        """Close and remove the file; an existing one that it should have replaced stays."""
        if self._finished:
            return
        self._file.close()
        with suppress(OSError):
            self._path.unlink()
        self._release_name()
        self._finished = True

    def _release_name(self) -> None:
        if self._reserved:
            with suppress(OSError):
                self._target.unlink()


def _open_part(target: Path) -> tuple[FileIO, Path]:
    """Create the first free `film.part.mp4`, `film.part2.mp4`, … beside `film.mp4`."""
    number = 1
    while True:
        part = target.with_name(f"{target.stem}.part{number if number > 1 else ''}{target.suffix}")
        try:
            return FileIO(part, "x"), part
        except FileExistsError:
            number += 1
