"""Parts of a dataset, and which of them are made anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from desktop_app.engine.archive.plan import LARGEST_CHUNK, Record, Task, plan, plan_missing
from desktop_app.engine.archive.sources import ArchiveSource, look_at


def picture(name: str, folder: str = "/pictures") -> ArchiveSource:
    return ArchiveSource(f"{folder}/{name}.jpg", f"{name}.jpg", 1000, 7)


def records_of(tasks: Sequence[Task], options: str = "o") -> dict[str, Record]:
    return {one.path: Record(task.name, one.size, one.modified_ns, options) for task in tasks for one in task.sources}


PICTURES = [picture(f"p{number:04}") for number in range(1000)]


def test_pictures_are_put_together_and_films_are_not() -> None:
    films = [ArchiveSource(f"/films/{number}.mp4", f"{number}.mp4", 10**6, 7) for number in range(3)]
    tasks = plan([*PICTURES, *films, picture("other", "/elsewhere")])
    assert sorted(one.path for task in tasks for one in task.sources) == sorted(
        [*(one.path for one in [*PICTURES, *films]), "/elsewhere/other.jpg"]
    )
    assert len({task.name for task in tasks}) == len(tasks)
    assert max(len(task.sources) for task in tasks) <= LARGEST_CHUNK
    assert 8 <= len([task for task in tasks if task.sources[0].path.startswith("/pictures")]) <= 40
    assert [len(task.sources) for task in tasks[:3]] == [1, 1, 1]


def test_the_order_that_sources_come_in_does_not_matter() -> None:
    assert plan(PICTURES) == plan(PICTURES[::-1])


@pytest.mark.parametrize("at", [0, 1, 500, 999])
def test_one_picture_that_comes_or_goes_changes_few_parts(at: int) -> None:
    before = plan(PICTURES)
    added = plan(
        [*PICTURES[:at], replace(PICTURES[at], path=PICTURES[at].path.replace(".jpg", "+.jpg")), *PICTURES[at:]]
    )
    removed = plan([*PICTURES[:at], *PICTURES[at + 1 :]])
    assert len({task.sources for task in added} - {task.sources for task in before}) <= 4
    assert len({task.sources for task in removed} - {task.sources for task in before}) <= 4


def test_what_is_done_is_not_done_again() -> None:
    records = records_of(plan(PICTURES))
    assert plan_missing(PICTURES, records, "o") == []
    # A part of what is done is done, too.
    assert plan_missing(PICTURES[40:50], records, "o") == []
    assert len(plan_missing(PICTURES, records, "o", overwrite=True)) == len(plan(PICTURES))


@pytest.mark.parametrize("new", [replace(PICTURES[500], size=1001), replace(PICTURES[500], modified_ns=8)])
def test_a_changed_picture_is_done_again(new: ArchiveSource) -> None:
    tasks = plan(PICTURES)
    changed = [new if one is PICTURES[500] else one for one in PICTURES]
    due = plan_missing(changed, records_of(tasks), "o")
    assert [task.name for task in due] == [task.name for task in tasks if PICTURES[500] in task.sources]


def test_failures_are_read_again_only_when_that_is_asked_for() -> None:
    records = records_of(plan(PICTURES))
    records[PICTURES[3].path] = replace(records[PICTURES[3].path], error="damaged")
    assert plan_missing(PICTURES, records, "o") == []
    (task,) = plan_missing(PICTURES, records, "o", retry_failed=True)
    assert PICTURES[3] in task.sources


def test_a_part_that_is_replaced_takes_all_of_its_pictures_along(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}.jpg").write_bytes(b"x")
    sources = [look_at(str(path), path.name) for path in sorted(tmp_path.iterdir())]
    records = records_of(plan(sources))
    changed = replace(sources[100], size=2)
    due = plan_missing([changed], records, "o")
    part = records[changed.path].task
    assert {one.path for task in due for one in task.sources} == {
        path for path, record in records.items() if record.task == part
    }
    # What is gone leaves with its part.
    Path(sources[101].path).unlink()
    due = plan_missing([changed], records, "o")
    assert sources[101].path not in {one.path for task in due for one in task.sources}
    # All of a dataset is made with the same options.
    due = plan_missing([sources[0]], records, "others")
    assert sum(len(task.sources) for task in due) == 299
