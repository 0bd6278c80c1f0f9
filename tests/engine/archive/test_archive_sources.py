"""Which files a command line names."""

from __future__ import annotations

from pathlib import Path

import pytest

from desktop_app.engine.archive.sources import ArchiveError, find_sources, is_many


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "a.jpg",
        "b.MP4",
        "notes.txt",
        ".hidden.jpg",
        "in/c.png",
        "in/deep/d.webm",
        "other/a.jpg",
        ".git/e.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))
    return tmp_path


def names(*specs: str, recursive: bool = False, without: Path | None = None) -> list[str]:
    return [source.name for source in find_sources(specs, recursive=recursive, without=without).sources]


def test_folders_are_looked_into_as_deep_as_asked(folder: Path) -> None:
    assert names(".") == ["a.jpg", "b.MP4"]
    found = names(".", recursive=True)
    assert found == ["a.jpg", "b.MP4", "in/c.png", "in/deep/d.webm", "other/a.jpg"]


def test_what_the_run_writes_is_no_source(folder: Path) -> None:
    assert names(".", recursive=True, without=folder / "in") == ["a.jpg", "b.MP4", "other/a.jpg"]


def test_patterns_lists_and_files_are_one_archive_without_doubles(folder: Path) -> None:
    (folder / "list.txt").write_text("# films\n\n  in/deep/d.webm\nin/*.png\nmissing\n", encoding="utf-8")
    assert names("@list.txt", "*.jpg", "a.jpg", "./a.jpg") == ["a.jpg", "c.png", "d.webm", "missing"]
    assert names("**/*.png") == ["c.png"]
    sources = find_sources(["a.jpg", "missing.mp4"]).sources
    assert [source.size for source in sources] == [len("a.jpg"), -1]


def test_equal_names_from_different_folders_stay_apart(folder: Path) -> None:
    found = names("a.jpg", "other/a.jpg")
    assert len(set(found)) == 2
    assert all(name.endswith("/a.jpg") for name in found)


def test_a_file_is_taken_by_its_name_even_if_that_looks_like_a_pattern(folder: Path) -> None:
    (folder / "x[1].jpg").write_bytes(b"")
    (folder / "@y.jpg").write_bytes(b"")
    assert not is_many(["x[1].jpg"])
    assert not is_many(["@y.jpg"])
    assert not is_many(["a.jpg"])
    assert all(map(is_many, (["@list.txt"], ["*.jpg"], ["a.jpg", "b.jpg"])))


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("*.tiff", "no file has such a name"),
        ("@none.txt", "the folder does not exist"),
        ("empty", "contains no picture or film"),
        ("demo", "only files and folders have an end"),
        ("rtsp://user:secret@camera/live", "only files and folders have an end"),
        ("0", "only files and folders have an end"),
    ],
)
def test_what_cannot_be_a_part_of_an_archive_is_refused(folder: Path, spec: str, part: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(ArchiveError, match=part) as refused:
        find_sources([spec])
    assert "secret" not in str(refused.value)
