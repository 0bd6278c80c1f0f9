"""Makes the parts of a dataset on many machines, with Dask: its scheduler hands out, tries again and balances."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final
from uuid import uuid4

from desktop_app.closeable import Closeable
from desktop_app.engine.archive.plan import Task
from desktop_app.engine.archive.sources import ArchiveError
from desktop_app.engine.archive.task import ArchiveSettings, TaskResult, TaskRunner, failed_task
from desktop_app.engine.archive.workers import TaskProgress
from desktop_app.errors import AgelensError, reason_of
from desktop_app.messages import Message
from desktop_app.stopping import StopRequest

AHEAD: Final = 1000
"""Parts that the scheduler knows of at once: enough for hundreds of machines, and little to remember."""
_CONNECT_S: Final = 20


class ClusterWorkers(Closeable):
    """Processes of a Dask cluster, which see the dataset's folder and the sources under the same names as this machine.

    Args:
        settings: how parts are made.
        address: of the scheduler, as `tcp://head:8786`, or the file that it was told to write its address into.

    Raises:
        ArchiveError: the scheduler cannot be reached, or the package for it is not installed.
    """

    def __init__(self, settings: ArchiveSettings, address: str) -> None:
        try:
            import distributed
        except ImportError:
            raise ArchiveError(
                "Cannot use a cluster: that needs the package distributed. Install it with `pip install "
                "'agelens[cluster]'`."
            ) from None
        quiet_log()
        self._settings = settings
        where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
        try:
            self._client: Any = distributed.Client(**where, timeout=_CONNECT_S)
        except (OSError, ValueError, TimeoutError) as error:
            raise ArchiveError(
                "Cannot reach the cluster at “{address}”: {reason}. Start `dask scheduler` and `dask worker`, and "
                "check the address.",
                address=address,
                reason=reason_of(error),
            ) from error

    def run(self, tasks: Sequence[Task], stop: StopRequest) -> Iterator[TaskResult | TaskProgress]:
        """Make parts; see `Workers.run`. A part in which several processes died is reported as failed."""
        ended: SimpleQueue[Any] = SimpleQueue()
        stop.then(lambda: ended.put(None))
        coming, known = iter(tasks), dict[str, tuple[Any, Task]]()
        # Names of parts come again in later runs, whose sources may be others.
        run = uuid4().hex

        def submit(most: int) -> None:
            for task in islice(coming, most):
                future = self._client.submit(make_part, task, self._settings, key=f"{task.name}-{run}", pure=False)
                known[future.key] = future, task
                future.add_done_callback(ended.put)

        submit(AHEAD)
        while known:
            future = ended.get()
            if future is None:
                return
            _, task = known.pop(future.key)
            submit(1)
            yield _result(future, task)

    def close(self) -> None:
        """Withdraw what was not begun, and leave the cluster."""
        self._client.close()


def quiet_log() -> None:
    """Keep Dask's own words about its connections from standard error, unless a log was asked for."""
    if not os.environ.get("AGELENS_LOG"):
        logging.getLogger("distributed").setLevel(logging.CRITICAL)


def _result(future: Any, task: Task) -> TaskResult:
    from distributed import KilledWorker

    try:
        result = future.result()
    except KilledWorker:
        return failed_task(
            task,
            Message("Cannot read it: each process of the cluster that tried it ended. Check the file and the memory."),
        )
    except AgelensError:
        raise
    except Exception as error:
        raise ArchiveError(
            "Cannot continue on the cluster: {reason}. Check that all of its machines have the same version of "
            "Agelens, and see what their workers print.",
            reason=reason_of(error),
        ) from error
    assert isinstance(result, TaskResult)
    return result


_here = threading.local()
"""Each thread of a worker has models of its own, for they belong to the thread that loaded them."""


def make_part(task: Task, settings: ArchiveSettings) -> TaskResult:
    """Make a part on a machine of a cluster.

    Raises:
        AgelensError: it cannot be made here: no model, no such folder, no room.
    """
    if not settings.folder.is_dir():
        raise ArchiveError(
            "Cannot write into “{folder}”: a machine of the cluster has no such folder. Name one that all of them "
            "share.",
            folder=settings.folder,
        )
    kept: tuple[ArchiveSettings, TaskRunner] | None = getattr(_here, "runner", None)
    if kept is None or kept[0] != settings:
        if kept is not None:
            kept[1].close()
        kept = _here.runner = settings, TaskRunner(settings)
    return kept[1].run(task, lambda *_: None)
