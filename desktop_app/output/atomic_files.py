"""Files that are written whole or not at all, and clear messages for disk errors."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO, FileIO
from itertools import chain, count
from pathlib import Path
from typing import Final

from desktop_app.errors import reason_of
from desktop_app.messages import Message

_CLAUSES: Final[dict[int, Message]] = {
    errno.EEXIST: Message("a file of that name exists already. Choose another name or allow overwriting"),
    errno.ENOENT: Message("the folder does not exist. Create it or choose another one"),
    errno.ENOTDIR: Message("a part of the path is not a folder. Choose another folder"),
    errno.EISDIR: Message("there is a folder of that name. Choose another name"),
    errno.EACCES: Message("writing there is not allowed. Choose another folder"),
    errno.EPERM: Message("writing there is not allowed. Choose another folder"),
    errno.EROFS: Message("the disk is write-protected. Choose another folder"),
    errno.ENOSPC: Message("the disk is full. Free some space or choose another folder"),
    errno.EDQUOT: Message("your disk quota is used up. Free some space or choose another folder"),
    errno.EFBIG: Message("the file became larger than this disk allows. Choose another disk"),
    errno.ENAMETOOLONG: Message("the name is too long. Choose a shorter one"),
    errno.EIO: Message("the disk reports an error. Check it or choose another one"),
    errno.ESTALE: Message("the file or its folder was removed meanwhile. Choose a folder that stays"),
}

ALMOST_FULL: Final = Message("the disk is almost full. Free some space or choose another folder")
"""What to say where there is little room left, see `has_room`."""


class NotRegularError(OSError):
    """What is there is no regular file: a device, a pipe, a socket, or a link that leads nowhere."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, "not a regular file", str(path))


def explain(error: OSError) -> Message:
    """What is wrong with a file and what to do, to be put after "Cannot …:" and before a full stop."""
    if isinstance(error, NotRegularError):
        return Message(
            "a device, a pipe or a broken link has that name, and only files are replaced. Choose another name"
        )
    known = _CLAUSES.get(error.errno or 0)
    return known or Message("the system reports “{reason}”. Choose another folder", reason=reason_of(error))


def free_space(path: Path) -> int:
    """Bytes that can still be written where `path` is or would be.

    Raises:
        OSError: the disk cannot be queried, for example because it was unplugged.
    """
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def has_room(path: Path, wanted_bytes: int) -> bool:
    """Whether so many bytes can still be written where `path` is or would be; True where that is unknown."""
    try:
        return free_space(path) >= wanted_bytes
    except OSError:
        # A write to a disk that is gone reports it.
        return True


def check_target(path: Path) -> None:
    """Find out whether a file of that name may be made, or replaced by one.

    A link to a regular file counts as that file.

    Raises:
        IsADirectoryError: there is a folder of that name.
        NotRegularError: there is a device, a pipe, a socket or a broken link, which is never replaced.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise NotRegularError(path) from None
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise NotRegularError(path)


def numbered(path: Path) -> Iterator[Path]:
    """`film.mp4`, `film (2).mp4`, `film (3).mp4` and so on, without an end."""
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")
        number += 1


def write_whole(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a file whole or not at all.

    Args:
        path: its name.
        data: all of its bytes.
        overwrite: replace an existing file.

    Raises:
        OSError: it cannot be written; FileExistsError if it exists and `overwrite` is not set.
    """
    file = NewFile(path, overwrite=overwrite, deferred=True)
    try:
        file.write(data)
        file.commit()
    except OSError:
        file.discard()
        raise


class NewFile:
    """A binary file that is made anew: whole writes, a mark to fall back to, nothing lost by accident.

    A name that is free is created exclusively, so that two programs cannot share it. Where an existing file
    is to be overwritten, the bytes go to a part file in the same folder (`film.part.mp4`), which takes over
    the name in `commit`; a program that is killed before leaves the existing file as it was and the part file
    beside it. Only regular files are ever replaced; a link to one
    keeps pointing where it did, and the file behind it is replaced. Writes are unbuffered: what `write`
    returned from outlives the program.

    Args:
        path: the file's final name.
        overwrite: replace an existing file, in `commit` and not before.
        apart: write to a part file where the name is free, too: for content that is of no use until it is whole.
        deferred: keep what is written in memory until `appear`, so that no name shows a file that is of no
            use yet. That the folder can be written to is found out at once.

    Raises:
        OSError: the file cannot be made; FileExistsError if it exists and `overwrite` is not set.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, apart: bool = False, deferred: bool = False) -> None:
        check_target(path)
        self._replaces = path.exists()
        if self._replaces and not overwrite:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        self._target = path.resolve() if self._replaces else path
        if self._replaces and not os.access(self._target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        self._in_part = self._replaces or apart
        self._size = 0
        self._marked_size = 0
        self._has_tail = False
        self._finished = False
        self._file: FileIO | BytesIO
        self._path = self._target
        if deferred:
            # A file without a name that is gone at once.
            tempfile.TemporaryFile(dir=self._target.parent, prefix=".agelens").close()
            self._file = BytesIO()
        else:
            self._file, self._path = self._create()

    @property
    def path(self) -> Path:
        """Where the bytes are now: the part file's name until `commit`, then the final one."""
        return self._path

    @property
    def size(self) -> int:
        """Bytes in the file, without a tail."""
        return self._size

    @property
    def is_present(self) -> bool:
        """Whether the file, not closed yet, can still be found under its name."""
        if isinstance(self._file, BytesIO):
            return True
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except OSError:
            return False

    def appear(self) -> None:
        """Write what was kept in memory, tail and all, under the file's name; does nothing the second time.

        Raises:
            OSError: it cannot be written, and nothing is left of it; FileExistsError if the name was taken meanwhile.
        """
        if not isinstance(self._file, BytesIO):
            return
        content, position = self._file.getvalue(), self._file.tell()
        self._file, self._path = _create_whole(
            content, lambda: _part_names(self._target) if self._in_part else iter((self._target,))
        )
        self._file.seek(position)

    def write(self, data: bytes) -> None:
        """Write all of `data` at the current position.

        Raises:
            OSError: the disk is full, gone or broken; a part of `data` may have been written.
        """
        try:
            _write_all(self._file, data)
        finally:
            self._size = max(self._size, self._file.tell())

    def write_tail(self, data: bytes) -> None:
        """Write `data` behind the end, for the case that the program ends here; the next `write` goes over it.

        Raises:
            OSError: as `write`.
        """
        position = self._file.tell()
        self._has_tail = True
        self._file.seek(self._size)
        _write_all(self._file, data)
        self._file.truncate()
        self._file.seek(position)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position of the next `write`, as `io.IOBase.seek`."""
        if whence == os.SEEK_END:
            offset, whence = self._size + offset, os.SEEK_SET
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
        self.appear()
        self._close()
        if self._replaces:
            check_target(self._target)
            self._path.replace(self._target)
        elif self._in_part:
            _give_name(self._path, self._target)
        self._path = self._target
        self._finished = True

    def keep(self) -> None:
        """Close the file; it gets its name if that is free, else it stays a part file beside what it should replace."""
        if self._finished:
            return
        self._close()
        if self._in_part and not self._replaces and not isinstance(self._file, BytesIO):
            with suppress(OSError):
                _give_name(self._path, self._target)
                self._path = self._target
        self._finished = True

    def discard(self) -> None:
        """Close and remove the file; an existing one that it should have replaced stays."""
        if self._finished:
            return
        appeared = not isinstance(self._file, BytesIO)
        self._file.close()
        if appeared:
            with suppress(OSError):
                self._path.unlink()
        self._finished = True

    def _create(self) -> tuple[FileIO, Path]:
        return _open_part(self._target) if self._in_part else (FileIO(self._target, "x"), self._target)

    def _close(self) -> None:
        if self._has_tail and not self._file.closed:
            # A disk that is gone was reported by the write that failed.
            with suppress(OSError):
                self._file.truncate(self._size)
        self._file.close()


def _write_all(file: FileIO | BytesIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _give_name(part: Path, target: Path) -> None:
    """Rename a file, but never over another one.

    Raises:
        OSError: it cannot be done; FileExistsError if there is a file of that name.
    """
    if sys.platform == "win32":
        # Which refuses a name that is taken.
        part.rename(target)
        return
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        # A disk without second names for a file: reserve the name, then take it over.
        FileIO(target, "x").close()
        try:
            part.replace(target)
        except OSError:
            target.unlink()
            raise
    else:
        part.unlink()


def _part_names(target: Path) -> Iterator[Path]:
    """`film.part.mp4`, `film.part2.mp4`, … beside `film.mp4`."""
    return (target.with_name(f"{target.stem}.part{number if number > 1 else ''}{target.suffix}") for number in count(1))


def _open_part(target: Path) -> tuple[FileIO, Path]:
    for part in _part_names(target):
        with suppress(FileExistsError):
            return FileIO(part, "x"), part
    raise AssertionError("there is no last number")


def _create_whole(content: bytes, names: Callable[[], Iterator[Path]]) -> tuple[FileIO, Path]:
    """A file that has all of its content as soon as it has its name, which is the first one that is free.

    Raises:
        OSError: it cannot be made, and nothing is left of it; FileExistsError if no name is free.
    """
    file = _open_nameless(next(names()).parent)
    if file is None:
        return _create_by_part(content, names())
    try:
        _write_all(file, content)
        for name in names():
            with suppress(FileExistsError):
                # By its number, because it has no name; only with a folder's number given does Python follow that link.
                os.link(f"/proc/self/fd/{file.fileno()}", name, src_dir_fd=file.fileno())
                return file, name
    except OSError as error:
        file.close()
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}:
            raise
        return _create_by_part(content, names())
    file.close()
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(next(names())))


def _open_nameless(folder: Path) -> FileIO | None:
    """A file without a name, deleted at the program's end unless it is linked; None where not supported."""
    try:
        return FileIO(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666), "r+")
    except (AttributeError, OSError):
        return None


def _create_by_part(content: bytes, names: Iterator[Path]) -> tuple[FileIO, Path]:
    """Like `_create_whole`, through a part file, which remains where the program is killed meanwhile."""
    first = next(names)
    file, part = _open_part(first)
    try:
        _write_all(file, content)
        file.close()
        for name in chain((first,), names):
            with suppress(FileExistsError):
                _give_name(part, name)
                return FileIO(name, "r+"), name
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(first))
    except OSError:
        file.close()
        with suppress(OSError):
            part.unlink()
        raise
