"""The thread of what looks for faces beside the frames' way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from desktop_app.thread_priority import work_in_background


def look_executor(name: str, *, threaded: bool, background: bool = False) -> Executor:
    """One thread of this name; or what runs a task while it is submitted, with the same results.

    Args:
        name: of the thread.
        threaded: whether it is a thread.
        background: whether that yields to other threads, as nothing waits for it.
    """
    if not threaded:
        return _InPlace()
    return ThreadPoolExecutor(1, thread_name_prefix=name, initializer=work_in_background if background else None)


class _InPlace(Executor):
    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = Future[Any]()
        try:
            future.set_result(task(*args, **kwargs))
        except BaseException as error:  # Raised where the result is taken, as by every executor.
            future.set_exception(error)
        return future
