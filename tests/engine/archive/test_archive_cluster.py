"""The same dataset from a cluster, and files elsewhere."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from desktop_app.catalogue.catalogue import ModelChoice
from desktop_app.engine.archive.archive import ArchiveRequest, annotate_archive
from desktop_app.engine.archive.cluster import ClusterWorkers
from desktop_app.engine.archive.plan import plan, plan_missing
from desktop_app.engine.archive.sources import ArchiveError, find_sources
from desktop_app.engine.archive.task import ArchiveSettings, TaskRunner
from tests.helpers.archives import dataset_files, write_archive
from tests.helpers.tiny_model import MakeModel


@pytest.fixture
def choice(make_model: MakeModel, tmp_path: Path) -> ModelChoice:
    return ModelChoice(model=str(make_model(folder=tmp_path / "model")))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Any]:
    """Files in a storage that fsspec reads: pictures and a film."""
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    archive = write_archive(tmp_path / "archive", pictures=2, films=1)
    system.put(str(archive), "/bucket", recursive=True)
    yield system
    system.rm("/bucket", recursive=True)


def test_files_elsewhere_give_the_same_rows(tmp_path: Path, choice: ModelChoice, elsewhere: Any) -> None:
    (tmp_path / "set").mkdir()
    settings = ArchiveSettings(folder=tmp_path / "set", table_format="csv", choice=choice)
    remote = find_sources(["memory://bucket"], recursive=True).sources
    assert sorted(source.name for source in remote) == ["film0.mp4", "more/picture1.png", "picture0.png"]
    pictures = find_sources(["memory://bucket/**/*.png"]).sources
    assert pictures == tuple(source for source in remote if source.is_picture)
    here = find_sources([str(tmp_path / "archive")], recursive=True).sources
    tables = []
    with TaskRunner(settings) as runner:
        for task in (*plan(remote), *plan(here)):
            assert not any(one.error for one in runner.run(task, lambda *_: None).sources)
            tables.append((tmp_path / "set" / "predictions" / f"source={task.name}" / "data.csv").read_bytes())
    assert sorted(tables[:3]) == sorted(tables[3:])
    assert [task.name for task in plan_missing(remote, {}, "o")] == [task.name for task in plan(remote)]
    elsewhere.rm("/bucket/film0.mp4")
    assert [source.size for source in find_sources(["memory://bucket/film0.mp4"]).sources] == [-1]


def test_a_cluster_that_is_not_there_is_one_sentence(tmp_path: Path, choice: ModelChoice) -> None:
    pytest.importorskip("distributed")
    settings = ArchiveSettings(folder=tmp_path, table_format="csv", choice=choice)
    with pytest.raises(ArchiveError, match="Cannot reach the cluster at “nonsense://x”"):
        ClusterWorkers(settings, "nonsense://x")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills as Linux does")
def test_a_cluster_in_which_a_process_is_killed_makes_the_same_dataset(tmp_path: Path, choice: ModelChoice) -> None:
    distributed = pytest.importorskip("distributed")
    archive = write_archive(tmp_path / "archive", pictures=3, films=6, frames=40)
    (archive / "damaged.jpg").write_bytes(b"no picture")

    def request(folder: Path, **changes: Any) -> ArchiveRequest:
        return ArchiveRequest(
            specs=[str(archive)], recursive=True, dataset=folder, table_format="csv", choice=choice, **changes
        )

    list(annotate_archive(request(tmp_path / "one" / "set", jobs=1)))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", local_directory=str(tmp_path / "dask")
    ) as cluster:
        killed = False
        for progress in annotate_archive(request(tmp_path / "many" / "set", cluster=cluster.scheduler_address)):
            if progress.files and not killed:
                killed = True
                pids = [worker.pid for worker in cluster.workers.values()]
                os.kill(pids[0], signal.SIGKILL)
    assert killed
    assert (progress.files, progress.failed) == (10, 1)
    assert dataset_files(tmp_path / "one" / "set") == dataset_files(tmp_path / "many" / "set")
