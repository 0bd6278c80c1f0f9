"""Datasets of many sources: the same whatever happens on the way."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from desktop_app.catalogue.catalogue import Catalogue, ModelChoice
from desktop_app.cli import main
from desktop_app.engine.annotate import AnnotationRequest, annotate
from desktop_app.engine.archive.archive import (
    FACTS_NAME,
    REPORT_NAMES,
    ArchiveProgress,
    ArchiveRequest,
    annotate_archive,
)
from desktop_app.engine.archive.done_list import MANIFEST_NAME, DoneList
from desktop_app.engine.archive.part import TABLES, part_files, part_folder
from desktop_app.engine.archive.plan import Task, plan
from desktop_app.engine.archive.sources import ArchiveError, find_sources
from desktop_app.engine.archive.task import ArchiveSettings, SourceResult, TaskResult, TaskRunner
from desktop_app.engine.archive.workers import LocalWorkers, TaskProgress
from desktop_app.errors import AgelensError
from desktop_app.paths import ROOT
from desktop_app.stopping import StopRequest
from tests.helpers.archives import dataset_files, write_archive, write_film
from tests.helpers.programs import wait_until
from tests.helpers.tiny_model import MakeModel


@pytest.fixture
def choice(make_model: MakeModel, tmp_path: Path) -> ModelChoice:
    return ModelChoice(model=str(make_model(folder=tmp_path / "model")))


def request(archive: Path, choice: ModelChoice, **changes: Any) -> ArchiveRequest:
    values: dict[str, Any] = {"recursive": True, "table_format": "csv", "jobs": 1}
    return ArchiveRequest(specs=[str(archive)], choice=choice, **(values | changes))


def run(*arguments: Any, **changes: Any) -> ArchiveProgress:
    return list(annotate_archive(request(*arguments, **changes)))[-1]


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    return [
        row
        for path in part_files(folder, table)
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    ]


def settings(folder: Path, choice: ModelChoice) -> ArchiveSettings:
    folder.mkdir(exist_ok=True)
    return ArchiveSettings(folder=folder, table_format="csv", choice=choice)


def test_a_source_gives_the_same_rows_whatever_was_read_before(tmp_path: Path, choice: ModelChoice) -> None:
    archive = write_archive(tmp_path / "archive", pictures=2, films=2)
    tasks = plan(find_sources([str(archive)], recursive=True).sources)
    with TaskRunner(settings(tmp_path / "one", choice)) as runner:
        for task in tasks:
            runner.run(task, lambda *_: None)
    with TaskRunner(settings(tmp_path / "other", choice)) as runner:
        for task in reversed(tasks):
            result = runner.run(task, lambda *_: None)
            assert result.frames
    assert dataset_files(tmp_path / "one") == dataset_files(tmp_path / "other")
    assert rows(tmp_path / "one", "predictions")


def test_rows_are_those_of_a_run_over_that_source_alone(tmp_path: Path, choice: ModelChoice) -> None:
    archive = write_archive(tmp_path / "archive", pictures=1, films=1, frames=30)
    (tmp_path / "set").mkdir()
    tasks = plan(find_sources([str(archive)]).sources)
    with TaskRunner(settings(tmp_path / "set", choice)) as runner:
        for task in tasks:
            runner.run(task, lambda *_: None)
            alone = tmp_path / "alone.csv"
            source = task.sources[0].path
            list(annotate(AnnotationRequest(source=source, predictions=alone, choice=choice, overwrite=True)))
            part = part_folder(tmp_path / "set", "predictions", task.name)
            assert (part / "data.csv").read_bytes() == alone.read_bytes()


def test_damaged_and_missing_sources_are_noted_and_the_others_done(tmp_path: Path, choice: ModelChoice) -> None:
    archive = write_archive(tmp_path / "archive", pictures=1, films=0)
    (archive / "damaged.jpg").write_bytes(b"no picture")
    sources = find_sources([str(archive), str(archive / "missing.png")]).sources
    (task,) = plan(sources)
    with TaskRunner(settings(tmp_path / "set", choice)) as runner:
        result = runner.run(task, lambda *_: None)
    assert [(Path(one.path).name, bool(one.error), one.frames) for one in result.sources] == [
        ("damaged.jpg", True, 0),
        ("missing.png", True, 0),
        ("picture0.png", False, 1),
    ]
    table = {row["file"]: row for row in rows(tmp_path / "set", "sources")}
    assert "no such file" in table["missing.png"]["error"]
    assert table["picture0.png"]["faces"] == "1"
    assert [row["file"] for row in rows(tmp_path / "set", "people")] == ["picture0.png"]


def test_the_list_of_what_is_done_belongs_to_one_run(tmp_path: Path) -> None:
    with DoneList(tmp_path), pytest.raises(ArchiveError, match="another run writes there"):
        DoneList(tmp_path)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / MANIFEST_NAME).write_text("what is no list " * 100)
    with pytest.raises(ArchiveError, match="Cannot use the list"):
        DoneList(tmp_path / "text")


def test_folders_of_others_are_left_alone(tmp_path: Path, choice: ModelChoice) -> None:
    archive = write_archive(tmp_path / "archive", pictures=1, films=0)
    theirs = tmp_path / "theirs" / "predictions" / "source=1" / "data.csv"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("not ours")
    for changes in ({"dataset": tmp_path / "theirs", "overwrite": True}, {"output": tmp_path / "theirs"}):
        with pytest.raises(ArchiveError, match="it holds other files"):
            run(archive, choice, **changes)
    with pytest.raises(ArchiveError, match="it holds other files"):
        run(archive, choice, dataset=archive)
    assert dataset_files(tmp_path / "theirs") == {"predictions/source=1/data.csv": b"not ours"}


def test_results_need_a_place(tmp_path: Path, choice: ModelChoice) -> None:
    with pytest.raises(ArchiveError, match="no place for the results"):
        run(tmp_path, choice)


@pytest.mark.slow
def test_the_same_command_again_does_what_is_missing_or_changed(tmp_path: Path, choice: ModelChoice) -> None:
    archive, folder = write_archive(tmp_path / "archive"), tmp_path / "set"
    (archive / "damaged.jpg").write_bytes(b"no picture")
    first = run(archive, choice, dataset=folder, jobs=2)
    assert (first.files, first.earlier, first.failed) == (6, 0, 1)
    whole = dataset_files(folder)
    assert {path.split("/")[0] for path in whole} == {*TABLES, *REPORT_NAMES, FACTS_NAME}
    assert json.loads(whole[FACTS_NAME])["model"] == "tiny"
    counts = json.loads(whole["report.json"])
    assert counts["visits"] == sum(row["counted"] == "1" for row in rows(folder, "people"))
    assert (counts["frames"], counts["notices"]) == (first.frames, ["1 file could not be read."])

    again = run(archive, choice, dataset=folder)
    assert (again.files, again.earlier, again.failed) == (0, 6, 1)
    assert dataset_files(folder) == whole

    write_film(archive / "film0.mp4", frames=5, shift=1)
    changed = run(archive, choice, dataset=folder)
    assert (changed.files, changed.earlier, changed.frames) == (1, 5, 5)
    # As made anew, with other processes and in one go.
    run(archive, choice, dataset=tmp_path / "anew" / "set", jobs=2)
    assert dataset_files(folder) == dataset_files(tmp_path / "anew" / "set")
    # Another model: everything again.
    other = run(archive, ModelChoice(), dataset=folder)
    assert (other.files, other.earlier) == (6, 0)
    assert sorted(dataset_files(folder)) == sorted(whole)


@pytest.mark.slow
def test_media_are_written_beside_the_dataset_or_alone(tmp_path: Path, choice: ModelChoice) -> None:
    archive = write_archive(tmp_path / "archive", pictures=2, films=1)
    run(archive, choice, output=archive / "annotated")
    assert sorted(path for path in dataset_files(archive / "annotated")) == [
        "film0.mp4.mp4",
        "more/picture1.png.png",
        "picture0.png.png",
    ]
    # What was written is no source the next time.
    assert run(archive, choice, output=archive / "annotated").earlier == 3


@pytest.mark.slow
def test_the_exit_code_says_that_some_failed(
    tmp_path: Path, choice: ModelChoice, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = write_archive(tmp_path / "archive", pictures=1, films=0)
    (archive / "damaged.jpg").write_bytes(b"no picture")
    command = ["annotate", str(archive), "--dataset", str(tmp_path / "set"), "--format", "csv", "--model", choice.model]
    assert main(command) == 3
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("agelens")]
    assert "damaged.jpg" in lines[0]
    assert "wrote 2 files, 1 frame, 1 face, 1 visit, 1 failed" in lines[1]
    assert main(["annotate", str(archive / "picture0.png"), "--dataset", str(tmp_path / "set"), *command[4:]]) == 0


def kill_when(frames: int, workers: LocalWorkers, tasks: list[Task]) -> Iterator[TaskResult]:
    """Make parts, and kill the process each time that so many frames of one are done."""
    for event in workers.run(tasks, StopRequest()):
        if isinstance(event, TaskResult):
            yield event
        elif isinstance(event, TaskProgress) and event.frames >= frames:
            for pid in workers.pids:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills as Linux does")
def test_a_source_in_which_processes_die_is_left_out_and_the_others_done(tmp_path: Path, choice: ModelChoice) -> None:
    archive = write_archive(tmp_path / "archive", pictures=0, films=2, frames=300)
    (task, *_) = plan(find_sources([str(archive / "film0.mp4")]).sources)
    (other,) = plan(find_sources([str(archive / "film1.mp4")]).sources)
    both = Task("both", (*task.sources, *other.sources))
    with LocalWorkers(settings(tmp_path / "set", choice), 1) as workers:
        (result,) = kill_when(301, workers, [both])
    first, second = result.sources
    assert (first.frames, first.error) == (300, "")
    assert "ended 2 times (signal 9)" in second.error
    assert not second.remembered
    assert len(rows(tmp_path / "set", "sources")) == 2


def start(archive: Path, choice: ModelChoice, folder: Path) -> subprocess.Popen[str]:
    arguments = ["--dataset", str(folder), "--jobs", "2", "--format", "csv", "--recursive", "--model", choice.model]
    return subprocess.Popen(
        [sys.executable, "main.py", "annotate", str(archive), *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # So that a signal can be sent to all of its processes, as a terminal does.
        start_new_session=True,
    )


def parts(folder: Path) -> int:
    """How many parts are noted as done; read without the lock, which the run has."""
    return len(list(folder.glob("sources/*/data.*")))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills as Linux does")
@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_interrupted_goes_on_where_it_was(
    tmp_path: Path, choice: ModelChoice, way: signal.Signals
) -> None:
    archive = write_archive(tmp_path / "archive", pictures=2, films=6, frames=40)
    with start(archive, choice, tmp_path / "set") as process:
        wait_until(lambda: parts(tmp_path / "set") >= 2, process)
        if way is signal.SIGINT:
            os.killpg(process.pid, way)
        else:
            process.kill()
        said = process.communicate()[1]
    assert process.returncode == (130 if way is signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in said
    last = run(archive, choice, dataset=tmp_path / "set", jobs=2)
    assert last.earlier >= 1
    assert last.files + last.earlier == 8
    run(archive, choice, dataset=tmp_path / "whole" / "set")
    assert dataset_files(tmp_path / "set") == dataset_files(tmp_path / "whole" / "set")


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_ends_the_run(tmp_path: Path, choice: ModelChoice) -> None:
    archive = write_archive(tmp_path / "archive", pictures=1, films=0)
    network = Catalogue().find(choice.model).onnx_files[0]
    with LocalWorkers(settings(tmp_path / "set", choice), 1) as workers:
        network.unlink()
        with pytest.raises(AgelensError, match=network.name):
            list(workers.run(plan(find_sources([str(archive)]).sources), StopRequest()))


def test_names_that_are_no_text_are_noted(tmp_path: Path) -> None:
    odd = b"/odd/\xff\xfe.jpg".decode("utf-8", "surrogateescape")
    with DoneList(tmp_path) as manifest:
        source = SourceResult(odd, odd, 3, 4, 1, f"Cannot open {odd}", remembered=True)
        manifest.add(TaskResult("part", (source,), 1, 0, 0, 0.0), "o")
        assert manifest.records()[odd].size == 3
    with sqlite3.connect(tmp_path / MANIFEST_NAME) as base:
        assert base.execute("SELECT count(*) FROM sources").fetchone() == (1,)
