"""What tests of programs in processes of their own share."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

PATIENCE_S = 60.0


def wait_until(holds: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until a program did something that it announces to nobody, such as to write a file or to show a window."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
