from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from desktop_app.thread_priority import work_in_background

ON_LINUX = sys.platform.startswith("linux")


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(not ON_LINUX, reason="niceness is the whole program's")
def test_a_thread_in_the_background_yields_and_no_other_does() -> None:
    before = niceness()
    with ThreadPoolExecutor(1, initializer=work_in_background) as background, ThreadPoolExecutor(1) as other:
        assert background.submit(niceness).result() > before
        assert other.submit(niceness).result() == before
    assert niceness() == before
