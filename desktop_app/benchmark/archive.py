"""Archive benchmark: many pictures and films, by one process, by one a core, by a cluster, and the usual way."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import statistics as averages
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import psutil

from desktop_app.benchmark.clip import CrowdScene, write_crowd_clip
from desktop_app.benchmark.offline import BenchmarkError
from desktop_app.benchmark.per_face_baseline import PerFaceBaseline
from desktop_app.catalogue.catalogue import ModelChoice
from desktop_app.engine.archive.archive import cores
from desktop_app.engine.archive.cluster import ClusterWorkers, quiet_log
from desktop_app.engine.archive.done_list import DoneList
from desktop_app.engine.archive.part import TableFormat
from desktop_app.engine.archive.plan import Task, plan
from desktop_app.engine.archive.sources import find_sources
from desktop_app.engine.archive.task import ArchiveSettings, TaskResult
from desktop_app.engine.archive.workers import LocalWorkers, Workers
from desktop_app.output.tables import has_parquet
from desktop_app.stopping import StopRequest

_SIZE: Final = (640, 480)
_FACES: Final = (1, 2, 3)
_LOOK_EVERY_S: Final = 0.5
_MB: Final = 1e6

HOURS_PER_MS: Final = 1 / 3.6
"""Hours of a core for a million pictures of one millisecond each."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSize:
    """How much is gone through.

    Attributes:
        pictures: at the most, where they are given.
        films: of 1280×720 with two faces.
        film_frames: of each film.
        turns: of each way, between those of the others; figures are medians.
    """

    pictures: int = 500
    films: int = 8
    film_frames: int = 90
    turns: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveWay:
    """One way to go through the archive.

    Attributes:
        name: of the way.
        jobs: processes.
        pictures_per_s: of the whole, without the start.
        frames_per_s: of the films.
        core_ms_per_picture: processor time of all its processes over pictures.
        core_ms_per_frame: the same over frames.
        memory_mb: of the largest process: its own, and on Linux its part of what processes have in common.
    """

    name: str
    jobs: int
    pictures_per_s: float
    frames_per_s: float
    core_ms_per_picture: float
    core_ms_per_frame: float
    memory_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFigures:
    """The ways side by side.

    Attributes:
        pictures: in the archive.
        frames: of its films.
        ways: one process first.
        usual_pictures_per_s: of the usual way: detect, then two networks for each face, one by one.
        usual_core_ms_per_picture: its processor time over pictures.
        usual_runtime: what ran its networks.
        usual_faces: faces a picture that it found.
        faces: faces a picture that Agelens found.
    """

    pictures: int
    frames: int
    ways: Sequence[ArchiveWay]
    usual_pictures_per_s: float
    usual_core_ms_per_picture: float
    usual_runtime: str
    usual_faces: float
    faces: float


def measure_archive(
    folder: Path, choice: ModelChoice, *, pictures: Path | None = None, size: ArchiveSize, tell: Tell
) -> ArchiveFigures:
    """Measure how fast an archive is gone through.

    The ways take turns over the same files, so that their ratios hold on a machine that others use a little, too.
    Processes are started, and models loaded, before the clock runs.

    Args:
        folder: for what is written meanwhile.
        choice: the model.
        pictures: a folder whose pictures are taken in place of made-up ones.
        size: how much is gone through.
        tell: called with a few words before each part.

    Raises:
        AgelensError: there are no pictures, or the model cannot be used.
    """
    tell("writing pictures and films")
    archive = _Archive.make(folder, pictures, size)
    with ExitStack() as stack:
        ways = [
            stack.enter_context(_Way.local(folder, choice, 1)),
            stack.enter_context(_Way.local(folder, choice, max(cores(), 2))),
        ]
        if importlib.util.find_spec("distributed") is not None:
            ways.append(stack.enter_context(_Way.cluster(folder, choice, max(cores(), 2))))
        usual = stack.enter_context(PerFaceBaseline(stills=True))
        for way in ways:
            way.warm_up(archive)
        usual.seconds_for(str(archive.pictures), frames=1)
        usual_faces: list[int] = []
        usual_s: list[float] = []
        usual_core_s: list[float] = []
        for turn in range(size.turns):
            for way in ways:
                tell(f"{way.name}, turn {turn + 1} of {size.turns}")
                way.measure(archive)
            tell(f"the usual way, turn {turn + 1} of {size.turns}")
            before_s = time.process_time()
            seconds, usual_faces = usual.seconds_for(str(archive.pictures), frames=archive.count)
            usual_s.append(seconds)
            usual_core_s.append(time.process_time() - before_s)
    return ArchiveFigures(
        pictures=archive.count,
        frames=archive.frames,
        ways=[way.figures(archive) for way in ways],
        usual_pictures_per_s=archive.count / averages.median(usual_s),
        usual_core_ms_per_picture=1000 * averages.median(usual_core_s) / archive.count,
        usual_runtime=usual.runtime,
        usual_faces=sum(usual_faces) / archive.count,
        faces=ways[0].faces / archive.count,
    )


@dataclass(frozen=True, slots=True)
class _Archive:
    """What is gone through: parts of pictures, and films."""

    pictures: Path
    count: int
    frames: int
    stills: Sequence[Task]
    films: Sequence[Task]

    @staticmethod
    def make(folder: Path, given: Path | None, size: ArchiveSize) -> _Archive:
        pictures, films = folder / "pictures", folder / "films"
        pictures.mkdir()
        films.mkdir()
        if given is None:
            scenes = [CrowdScene(faces, width=_SIZE[0], height=_SIZE[1]) for faces in _FACES]
            for index in range(size.pictures):
                cv2.imwrite(str(pictures / f"{index}.jpg"), scenes[index % len(scenes)].render(index))
        else:
            found = [one for one in find_sources([str(given)], recursive=True).sources if one.is_picture]
            if not found:
                raise BenchmarkError(
                    "Cannot measure with “{source}”: it contains no picture. Choose another folder.", source=given
                )
            for index, one in enumerate(found[: size.pictures]):
                shutil.copyfile(one.path, pictures / f"{index}{Path(one.path).suffix}")
        first = write_crowd_clip(films / "0.mkv", faces=2, frames=size.film_frames)
        for index in range(1, size.films):
            shutil.copyfile(first, films / f"{index}.mkv")
        stills = plan(find_sources([str(pictures)]).sources)
        count = sum(len(task.sources) for task in stills)
        return _Archive(
            pictures, count, size.films * size.film_frames, stills, plan(find_sources([str(films)]).sources)
        )


@dataclass(slots=True)
class _Way:
    """A way to go through the archive, and what was measured of it."""

    name: str
    jobs: int
    workers: Workers
    done: DoneList
    pids: Callable[[], Sequence[int]]
    faces: int = 0
    _seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _core_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _bytes: int = 0

    @classmethod
    @contextmanager
    def local(cls, folder: Path, choice: ModelChoice, jobs: int) -> Iterator[_Way]:
        settings = _settings(folder / f"set-{jobs}", choice)
        with LocalWorkers(settings, jobs) as workers, DoneList(settings.folder) as done:
            yield cls(f"{jobs} process{'es' if jobs > 1 else ''}", jobs, workers, done, lambda: workers.pids)

    @classmethod
    @contextmanager
    def cluster(cls, folder: Path, choice: ModelChoice, jobs: int) -> Iterator[_Way]:
        import dask
        import distributed

        quiet_log()
        settings = _settings(folder / "set-cluster", choice)
        # As the guide starts them: the profiler looks at each process a hundred times a second.
        with dask.config.set({"distributed.worker.profile.enabled": False}):
            cluster: Any = distributed.LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                dashboard_address=":0",
                local_directory=str(folder / "dask"),
                silence_logs=logging.CRITICAL,
            )
        with (
            cluster,
            ClusterWorkers(settings, cluster.scheduler_address) as workers,
            DoneList(settings.folder) as done,
        ):
            yield cls(f"cluster of {jobs}", jobs, workers, done, lambda: [one.pid for one in cluster.workers.values()])

    def warm_up(self, archive: _Archive) -> None:
        """Load the models in each process."""
        for number in range(self.jobs):
            shutil.copyfile(archive.films[0].sources[0].path, archive.pictures.parent / f"warm-{number}.mkv")
        warm = find_sources([str(archive.pictures.parent / f"warm-{number}.mkv") for number in range(self.jobs)])
        self._run([*plan(warm.sources)])
        self._run(archive.stills[-self.jobs :])

    def measure(self, archive: _Archive) -> None:
        """One turn."""
        self.faces = self._timed("pictures", archive.stills)
        self._timed("films", archive.films)

    def figures(self, archive: _Archive) -> ArchiveWay:
        """The medians of the turns."""
        seconds = {name: averages.median(values) for name, values in self._seconds.items()}
        core_s = {name: averages.median(values) for name, values in self._core_s.items()}
        return ArchiveWay(
            name=self.name,
            jobs=self.jobs,
            pictures_per_s=archive.count / seconds["pictures"],
            frames_per_s=archive.frames / seconds["films"],
            core_ms_per_picture=1000 * core_s["pictures"] / archive.count,
            core_ms_per_frame=1000 * core_s["films"] / archive.frames,
            memory_mb=self._bytes / _MB,
        )

    def _timed(self, name: str, tasks: Sequence[Task]) -> int:
        with self._watched() as core_s:
            began_at = time.perf_counter()
            faces = self._run(tasks)
            self._seconds[name].append(time.perf_counter() - began_at)
        self._core_s[name].append(core_s())
        return faces

    def _run(self, tasks: Sequence[Task]) -> int:
        faces = 0
        for event in self.workers.run(tasks, StopRequest()):
            if isinstance(event, TaskResult):
                self.done.add(event, "")
                faces += event.faces
        return faces

    @contextmanager
    def _watched(self) -> Iterator[Callable[[], float]]:
        """Processor time of the processes, and the most memory that one of them has."""
        processes = [psutil.Process(pid) for pid in self.pids()]
        before = _core_seconds(processes)
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_LOOK_EVERY_S):
                for process in processes:
                    with suppress(psutil.Error):
                        memory = process.memory_full_info()
                        self._bytes = max(self._bytes, getattr(memory, "pss", memory.uss))

        thread = threading.Thread(target=watch, name="memory", daemon=True)
        thread.start()
        try:
            yield lambda: _core_seconds(processes) - before
        finally:
            over.set()
            thread.join()


def _core_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _settings(folder: Path, choice: ModelChoice) -> ArchiveSettings:
    folder.mkdir()
    table_format: TableFormat = "parquet" if has_parquet() else "csv"
    return ArchiveSettings(folder=folder, choice=choice, table_format=table_format)
