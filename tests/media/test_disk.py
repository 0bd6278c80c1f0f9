from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from desktop_app.media.disk import NewFile, explain, free_space


def test_free_space_of_a_folder_that_does_not_exist_yet_is_its_disk_s(tmp_path: Path) -> None:
    free = free_space(tmp_path / "not" / "yet" / "film.mp4")

    total = shutil.disk_usage(tmp_path).total
    assert 0 < free <= total
    assert abs(free - free_space(tmp_path)) < total / 10


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "the disk is full; free some space or choose another folder"),
        (errno.EACCES, "writing there is not allowed; choose another folder"),
        (errno.ENOENT, "the folder does not exist; create it or choose another one"),
        (errno.ENXIO, "the system says “No such device or address”; choose another folder"),
    ],
)
def test_errors_are_explained(code: int, said: str) -> None:
    message = "No such device or address" if code == errno.ENXIO else "whatever"

    assert explain(OSError(code, message)) == said


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


def test_staged_file_takes_its_name_in_commit(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    file = NewFile(path, staged=True)
    file.write(b"content")

    assert file.path == tmp_path / "a.part.bin"
    assert path.read_bytes() == b""
    with pytest.raises(FileExistsError):
        NewFile(path)
    file.commit()
    file.commit()

    assert file.path == path
    assert path.read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("staged", [False, True])
def test_discard_leaves_nothing(tmp_path: Path, staged: bool) -> None:
    file = NewFile(tmp_path / "a.bin", staged=staged)
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
