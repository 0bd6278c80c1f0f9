from __future__ import annotations

import errno
import functools
import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from desktop_app.output.atomic_files import NewFile, NotRegularError, explain, free_space


def test_free_space_of_a_folder_that_does_not_exist_yet_is_its_disk_s(tmp_path: Path) -> None:
    free = free_space(tmp_path / "not" / "yet" / "film.mp4")

    total = shutil.disk_usage(tmp_path).total
    assert 0 < free <= total
    assert abs(free - free_space(tmp_path)) < total / 10


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "the disk is full. Free some space or choose another folder"),
        (errno.EACCES, "writing there is not allowed. Choose another folder"),
        (errno.ENOENT, "the folder does not exist. Create it or choose another one"),
        (errno.ENXIO, "the system reports “No such device or address”. Choose another folder"),
    ],
)
def test_errors_are_explained(code: int, said: str) -> None:
    message = "No such device or address" if code == errno.ENXIO else "whatever"

    assert str(explain(OSError(code, message))) == said


def test_roll_back_cuts_to_the_mark_and_goes_on_there(tmp_path: Path) -> None:
    file = NewFile(tmp_path / "a.bin")
    file.write(b"whole")
    file.mark()
    file.write(b"half")
    file.roll_back()
    file.write(b"!")
    file.commit()

    assert (tmp_path / "a.bin").read_bytes() == b"whole!"
    assert file.size == 6


def test_of_two_that_want_a_name_the_first_to_be_ready_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    first, second = NewFile(path, deferred=True), NewFile(path, deferred=True)
    first.write(b"first")
    second.write(b"second")
    second.commit()
    with pytest.raises(FileExistsError):
        first.commit()
    first.discard()

    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture(params=[False, True], ids=["as here", "as where each file has a name"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file is made by before it has its name: some systems and disks know none without."""
    nameless, really_open = getattr(os, "O_TMPFILE", 0), os.open

    def named_open(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if nameless and flags & nameless == nameless:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return really_open(path, flags, *arguments, **options)

    if request.param:
        monkeypatch.setattr(os, "open", named_open)


@pytest.mark.usefixtures("way")
def test_a_deferred_file_appears_with_all_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    file = NewFile(path, deferred=True)
    file.write(b"header")
    file.write_tail(b"tail")
    assert list(tmp_path.iterdir()) == []
    file.appear()
    assert path.read_bytes() == b"headertail"
    file.write(b"body")
    assert path.read_bytes() == b"headerbody"
    file.write_tail(b"a longer tail")
    file.write_tail(b"tail")
    assert path.read_bytes() == b"headerbodytail"
    file.commit()

    assert path.read_bytes() == b"headerbody"


@pytest.mark.usefixtures("way")
def test_a_deferred_file_that_replaces_takes_the_first_free_part_name(tmp_path: Path) -> None:
    path, left = tmp_path / "a.bin", tmp_path / "a.part.bin"
    path.write_bytes(b"old")
    left.write_bytes(b"left by a crash")
    file = NewFile(path, overwrite=True, deferred=True)
    file.write(b"new")
    file.appear()
    assert file.path == tmp_path / "a.part2.bin"
    file.commit()

    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {
        "a.bin": b"new",
        "a.part.bin": b"left by a crash",
    }


@pytest.mark.usefixtures("way")
def test_a_deferred_file_whose_name_is_taken_meanwhile_leaves_the_other(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    file = NewFile(path, deferred=True)
    file.write(b"mine")
    path.write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        file.appear()
    file.discard()

    assert path.read_bytes() == b"theirs"


@pytest.mark.parametrize("deferred", [False, True])
def test_discard_leaves_nothing(tmp_path: Path, deferred: bool) -> None:
    file = NewFile(tmp_path / "a.bin", deferred=deferred)
    file.write(b"content")
    file.discard()

    assert not list(tmp_path.iterdir())


def test_keep_leaves_the_part_file_and_what_it_should_have_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    file = NewFile(path, overwrite=True)
    file.write(b"new")
    file.keep()

    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"a.bin": b"old", "a.part.bin": b"new"}


def test_overwriting_through_a_link_replaces_the_file_behind_it(tmp_path: Path) -> None:
    (tmp_path / "real.bin").write_bytes(b"old")
    link = tmp_path / "link.bin"
    try:
        link.symlink_to("real.bin")
    except OSError:
        pytest.skip("links need a privilege here")
    file = NewFile(link, overwrite=True)
    file.write(b"new")
    file.commit()

    assert link.is_symlink()
    assert (tmp_path / "real.bin").read_bytes() == b"new"


def test_folder_of_that_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        NewFile(tmp_path, overwrite=True)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def make_link_to_pipe(path: Path) -> None:
    make_pipe(path.with_name("pipe"))
    path.symlink_to("pipe")


SPECIAL: Final[dict[str, Callable[[Path], None]]] = {
    "a pipe": make_pipe,
    "a socket": make_socket,
    "a link to a device": functools.partial(Path.symlink_to, target=os.devnull),
    "a link to a pipe": make_link_to_pipe,
    "a link that leads nowhere": functools.partial(Path.symlink_to, target="nothing"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="files of POSIX")
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("overwrite", [False, True])
def test_only_regular_files_are_replaced(kind: str, overwrite: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    SPECIAL[kind](path)
    before = {one.name: one.lstat().st_mode for one in tmp_path.iterdir()}
    with pytest.raises(NotRegularError) as caught:
        NewFile(path, overwrite=overwrite)
    assert "only files are replaced" in str(explain(caught.value))
    assert {one.name: one.lstat().st_mode for one in tmp_path.iterdir()} == before
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.skipif(sys.platform == "win32", reason="files of POSIX")
def test_what_became_a_pipe_meanwhile_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    file = NewFile(path, overwrite=True)
    file.write(b"new")
    path.unlink()
    make_pipe(path)
    with pytest.raises(NotRegularError):
        file.commit()
    file.keep()

    assert path.is_fifo()
    assert (tmp_path / "a.part.bin").read_bytes() == b"new"
