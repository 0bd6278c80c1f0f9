"""Processes of this machine that make the parts of a dataset.

Each has a pipe of its own and shares no lock with the others, so that one that is killed at any moment costs only
itself. (An executor of `concurrent.futures` or loky is broken as a whole when one of its processes dies; pebble's
processes share a lock, which one that is killed while it waits for work takes with it.)
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, cast

from desktop_app.closeable import Closeable
from desktop_app.engine.archive.plan import Task
from desktop_app.engine.archive.task import ArchiveSettings, TaskResult, TaskRunner, failed_task
from desktop_app.errors import AgelensError, describe_error
from desktop_app.messages import Message
from desktop_app.stopping import StopRequest

if TYPE_CHECKING:
    PipeEnd = Connection[Any, Any]

TRIES: Final = 2
"""A source in which a process dies so often is left out."""
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_TELL_EVERY_S: Final = 0.2
_LEAVE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far the parts are that are being made.

    Attributes:
        frames: read for parts that are not whole yet.
    """

    frames: int


@dataclass(frozen=True, slots=True)
class Step:
    """What a process says of its task: which source it begins or is in, and the frames done."""

    index: int
    frames: int


_NOWHERE: Final = Step(-1, 0)


class Workers(Protocol):
    """Makes parts of a dataset, here or elsewhere."""

    def run(self, tasks: Sequence[Task], stop: StopRequest) -> Iterator[TaskResult | TaskProgress]:
        """Make parts, in any order.

        Yields:
            The result of each part that was made, and the progress of the others now and then.

        Raises:
            AgelensError: nothing can be made: the model cannot be loaded, or the dataset cannot be written.
        """
        ...

    def close(self) -> object:
        """End the processes, or withdraw from them."""
        ...

    def __enter__(self) -> Self:
        """Return the workers themselves."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        ...


class LocalWorkers(Closeable):
    """Processes of this machine. Closing ends them at once; what they did not finish is not there.

    Args:
        settings: how parts are made.
        jobs: how many processes at the most.
    """

    def __init__(self, settings: ArchiveSettings, jobs: int) -> None:
        self._settings, self._jobs = settings, jobs
        self._workers: list[_Worker] = []

    @property
    def pids(self) -> tuple[int, ...]:
        """Numbers of the processes that run."""
        return tuple(worker.pid for worker in self._workers)

    def run(self, tasks: Sequence[Task], stop: StopRequest) -> Iterator[TaskResult | TaskProgress]:
        """Make parts; see `Workers.run`.

        A process that dies is replaced and its part begun again; a source in which two died is left out of it.
        """
        waiting = deque(tasks)
        deaths: Counter[tuple[str, int]] = Counter()
        woken, alarm = multiprocessing.Pipe(duplex=False)
        stop.then(alarm.close)
        while not stop.is_set():
            for worker in self._idle(len(waiting)):
                worker.begin(waiting.popleft())
            busy = {worker.pipe: worker for worker in self._workers if worker.task is not None}
            if not busy:
                return
            for ready in connection.wait([woken, *busy]):
                if ready is woken:
                    return
                worker = busy[cast("PipeEnd", ready)]
                try:
                    said = worker.read()
                except (EOFError, OSError):
                    again = self._bury(worker, deaths)
                    if isinstance(again, Task):
                        waiting.appendleft(again)
                    else:
                        yield again
                    continue
                if said is not None:
                    yield said
            yield TaskProgress(sum(one.step.frames for one in self._workers))

    def close(self) -> None:
        """End the processes at once."""
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def _idle(self, wanted: int) -> list[_Worker]:
        """As many free processes as there is work for, new ones where there may be more."""
        idle = [worker for worker in self._workers if worker.task is None]
        for _ in range(min(wanted - len(idle), self._jobs - len(self._workers))):
            worker = _Worker(self._settings)
            self._workers.append(worker)
            idle.append(worker)
        return idle[:wanted]

    def _bury(self, worker: _Worker, deaths: Counter[tuple[str, int]]) -> Task | TaskResult:
        """What is to be done about the part in which a process died."""
        self._workers.remove(worker)
        ending = worker.ending()
        task, index = worker.task, worker.step.index
        assert task is not None
        deaths[task.name, index] += 1
        if deaths[task.name, index] < TRIES:
            return task
        reason = Message(
            "Cannot read it: the process that tried it ended {tries} times ({ending}). Check the file and the free "
            "memory.",
            tries=TRIES,
            ending=ending,
        )
        if index < 0 or index in task.skipped:
            return failed_task(task, reason)
        return replace(task, skipped={**task.skipped, index: str(reason)})


class _Worker:
    """A process and the part that it makes."""

    def __init__(self, settings: ArchiveSettings) -> None:
        # Begun anew rather than forked: threads and models of the parent would not survive that.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, settings), name="agelens worker", daemon=True)
        self.task: Task | None = None
        self.step = _NOWHERE
        with _one_thread_each(), _without_interrupts():
            self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def begin(self, task: Task) -> None:
        self.task, self.step = task, _NOWHERE
        try:
            self.pipe.send(task)
        except OSError:
            # It has died, which the next read finds out.
            return

    def read(self) -> TaskResult | None:
        """What the process says next; None for a step of its task.

        Raises:
            EOFError, OSError: it has died.
            AgelensError: it cannot make any part.
        """
        said = self.pipe.recv()
        if isinstance(said, Step):
            self.step = said
            return None
        self.task, self.step = None, _NOWHERE
        if isinstance(said, Message):
            raise AgelensError.from_message(said)
        assert isinstance(said, TaskResult)
        return said

    def ending(self) -> str:
        """How a process ended that closed its pipe, for people."""
        self._process.join(_LEAVE_S)
        self.kill()
        code = self._process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """End the process at once."""
        self.pipe.close()
        self._process.kill()
        self._process.join()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that are started here have no threads for linear algebra."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let processes that are started here never hear of Ctrl+C, not even while they begin: the parent ends them."""
    if sys.platform == "win32":
        yield
        return
    # Which unblocks the signal once it is started.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, settings: ArchiveSettings) -> None:
    """What a process does: make parts until the pipe is closed."""
    # The parent alone decides what a signal to all of them means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    last_at = 0.0
    last_index = -1

    def tell(index: int, frames: int) -> None:
        nonlocal last_at, last_index
        now = time.monotonic()
        if index != last_index or now - last_at >= _TELL_EVERY_S:
            last_at, last_index = now, index
            pipe.send(Step(index, frames))

    try:
        with TaskRunner(settings) as runner:
            while True:
                task = pipe.recv()
                last_index = -1
                pipe.send(runner.run(task, tell))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        with suppress(OSError):
            pipe.send(describe_error(error))


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, however that was."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
