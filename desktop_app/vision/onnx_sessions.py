"""How ONNX Runtime runs the app's networks: one set of options, and one copy of a network for the whole process."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

_SILENT: Final = 4


def session_options(*, threads: int = 1) -> Any:
    """The options of each `onnxruntime.InferenceSession` of the app.

    Args:
        threads: CPU threads that one run may use.
    """
    # Imported late, so that importing this module stays cheap for the window.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # What cannot be used is reported as an exception, too.
    options.log_severity_level = _SILENT
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Planned ahead, the memory of each size of input is kept: for batches of 1 to 30 crops 245 instead of 155 MB, and
    # no faster. DirectML cannot do it at all.
    options.enable_mem_pattern = False
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Spinning threads would take the cores that capture and detection need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


class SharedNetwork:
    """A network on the CPU that is loaded once, with the first run, however many use it.

    Get it from `shared_network`. Thread-safe: runs wait for each other, so that the memory of one is enough. Freed when
    nothing refers to it any more.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._session: Any = None
        self._running = threading.Lock()

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """All outputs for the named inputs."""
        with self._running:
            if self._session is None:
                import onnxruntime

                self._session = onnxruntime.InferenceSession(
                    self._file, session_options(), providers=["CPUExecutionProvider"]
                )
            outputs: Sequence[NDArray[np.float32]] = self._session.run(None, dict(inputs))
            return outputs


_opening = threading.Lock()
_opened: WeakValueDictionary[Path, SharedNetwork] = WeakValueDictionary()


def shared_network(file: Path) -> SharedNetwork:
    """The process's one network of a file; thread-safe."""
    with _opening:
        network = _opened.get(file)
        if network is None:
            network = _opened[file] = SharedNetwork(file)
        return network
