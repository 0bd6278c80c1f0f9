"""Tries an unknown network in a process of its own, where it can neither fill the memory nor run for ever.

A network is a program: a few bytes of it can ask for gigabytes, for hours, or crash ONNX Runtime, while it is loaded
already. What comes with the app is known and not tried.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from desktop_app.catalogue.manifest import ModelError
from desktop_app.errors import reason_of
from desktop_app.messages import Message
from desktop_app.paths import ROOT
from desktop_app.vision.onnx_graph import fields

MEMORY_BYTES: Final = 250 << 20
"""For a network without weights, Python and ONNX Runtime included."""
MEMORY_PER_BYTE: Final = 6
PROCESSOR_S: Final = 1.5
PROCESSOR_S_PER_BYTE: Final = 0.1 / (1 << 20)
HANG_S: Final = 120.0
"""A process that takes no processor time must not be waited for, either."""
_LOOK_EVERY_S: Final = 0.02

_HAS_LOOP, _HAS_FILES = 3, 4
_REASONS: Final[dict[int, Message]] = {
    _HAS_LOOP: Message("it contains a loop, which may never end. Export it without loops"),
    _HAS_FILES: Message("its weights are in other files or packed. Export it as one plain file"),
}

# Field numbers of onnx.proto.
_MODEL_GRAPH, _MODEL_FUNCTION = 7, 25
_GRAPH_NODE, _GRAPH_TENSOR, _GRAPH_SPARSE = 1, 5, 15
_NODE_OP_TYPE, _NODE_ATTRIBUTE = 4, 5
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_TENSOR_EXTERNAL, _FUNCTION_NODE = 13, 7

_accepted: set[str] = set()


def try_network(file: Path, checksum: str) -> None:
    """Refuse a network that asks for too much; one that was accepted is not tried again.

    Args:
        file: the `.onnx` file.
        checksum: its SHA-256, known to be right.

    Raises:
        ModelError: it takes more memory or time than a network of its size needs, crashes, holds a loop, or has its
            weights elsewhere. Other faults are found when it is loaded.
    """
    # A packed program starts no Python of its own.
    if checksum in _accepted or getattr(sys, "frozen", False) or not sys.executable:
        return
    # Not one thread a core: the program that waits shows a picture meanwhile.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "desktop_app.vision.classification.network_trial", str(file.absolute())],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        reason = _watch(process, file.stat().st_size)
    except OSError as error:
        reason = Message("it cannot be tried ({reason})", reason=reason_of(error))
    if reason is not None:
        raise ModelError("Cannot use the network “{file}”: {reason}.", file=file, reason=reason)
    _accepted.add(checksum)


def _watch(process: subprocess.Popen[bytes], size: int) -> Message | None:
    """Wait for the end of the trial; returns the reason to refuse the network, or None."""
    import psutil

    until = time.monotonic() + HANG_S
    try:
        watched = psutil.Process(process.pid)
        while True:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(_LOOK_EVERY_S)
                crashed = code < 0 or code > 255
                return Message("it crashes ONNX Runtime. Export it again") if crashed else _REASONS.get(code)
            with suppress(psutil.Error):
                used, times = watched.memory_info().rss, watched.cpu_times()
                if used > MEMORY_BYTES + MEMORY_PER_BYTE * size:
                    return Message("it takes far more memory than a network of its size needs. Export it again")
                slow = times.user + times.system > PROCESSOR_S + PROCESSOR_S_PER_BYTE * size
                if slow or time.monotonic() > until:
                    return Message("it takes far more time than a network of its size needs. Export it again")
    finally:
        process.kill()
        process.wait()


def _inspect(data: memoryview) -> int:
    """What a network may not hold, as the number of a reason; 0 for nothing of that kind.

    Raises:
        ValueError: the bytes are no protobuf message.
    """
    for op_type, tensor in _parts(data):
        if op_type == b"Loop":
            return _HAS_LOOP
        if tensor is not None and any(number == _TENSOR_EXTERNAL for number, _ in fields(tensor)):
            return _HAS_FILES
    return 0


def _parts(data: memoryview) -> Iterator[tuple[bytes, memoryview | None]]:
    """Operations and tensors of a network, including those of functions and inner graphs."""
    graphs: list[memoryview] = []
    nodes: list[memoryview] = []
    for number, payload in fields(data):
        if number == _MODEL_GRAPH:
            graphs.append(payload)
        elif number == _MODEL_FUNCTION:
            nodes += [inner for part, inner in fields(payload) if part == _FUNCTION_NODE]
    while graphs or nodes:
        for number, payload in fields(graphs.pop()) if graphs else ():
            if number == _GRAPH_NODE:
                nodes.append(payload)
            elif number == _GRAPH_TENSOR:
                yield b"", payload
            elif number == _GRAPH_SPARSE:
                yield b"", _EXTERNAL
        while nodes:
            for number, payload in fields(nodes.pop()):
                if number == _NODE_OP_TYPE:
                    yield bytes(payload), None
                elif number == _NODE_ATTRIBUTE:
                    for part, value in fields(payload):
                        if part in _ATTRIBUTE_GRAPHS:
                            graphs.append(value)
                        elif part in _ATTRIBUTE_TENSORS:
                            yield b"", value
                        elif part in _ATTRIBUTE_SPARSE:
                            yield b"", _EXTERNAL


_EXTERNAL: Final = memoryview(bytes([_TENSOR_EXTERNAL << 3 | 2, 0]))
"""A tensor in another file: stands for a sparse one, which can be of any size, too."""


def _run(path: str) -> int:
    """The trial, in its own process: load the network as the app does, and run it once."""
    with Path(path).open("rb") as stream:
        found = _inspect(memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)))
    if found:
        return found
    import numpy as np
    import onnxruntime

    from desktop_app.vision.onnx_sessions import session_options

    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(path, session_options(), providers=["CPUExecutionProvider"])
    wanted = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in wanted.shape]
    session.run(None, {wanted.name: np.full(shape, 0.5, np.float32)})
    return 0


if __name__ == "__main__":
    code = 1
    # Other faults are reported by the program itself, when it loads the network.
    with suppress(Exception):
        code = _run(sys.argv[1])
    os._exit(code)
