from __future__ import annotations

import threading

from desktop_app.engine.worker import Worker


class Waiting(Worker):
    def run(self) -> None:
        self.stopping.wait(30)


class Failing(Worker):
    def run(self) -> None:
        raise RuntimeError("the driver is gone")


def test_a_worker_has_a_name_and_ends_when_told() -> None:
    worker = Waiting("capture")
    worker.start()
    assert "capture" in {thread.name for thread in threading.enumerate()}
    assert not worker.join(0.0)
    worker.stop()
    assert worker.join(10)
    assert worker.error is None


def test_an_error_crosses_the_thread_as_a_value() -> None:
    ended: list[Worker] = []
    worker = Failing("inference", on_end=ended.append)
    worker.start()
    assert worker.join(10)
    assert str(worker.error) == "the driver is gone"
    assert ended == [worker]


def test_a_worker_that_never_started_can_be_joined() -> None:
    assert Waiting("recorder").join(0.0)
