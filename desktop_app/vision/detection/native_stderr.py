"""Keeps native libraries from writing to stderr."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

_lock = threading.Lock()


@contextlib.contextmanager
def silence_native_stderr() -> Iterator[None]:
    """Send what native code writes to standard error nowhere, for a moment.

    MediaPipe's runtime prints some fifty lines when a model is loaded and takes no setting that stops it. The file
    descriptor belongs to the whole process, so use this around short calls only.
    """
    with _lock:
        try:
            kept = os.dup(2)
        except OSError:
            # A windowed program on Windows has no standard error.
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
