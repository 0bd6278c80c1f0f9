"""Which of ONNX Runtime's execution providers runs the networks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from desktop_app.errors import AgelensError
from models.catalogue import ModelError

PROVIDERS: Final[dict[str, str]] = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""Short names and ONNX Runtime's, in the order in which `auto` prefers them."""

_HOW_TO_GET: Final[dict[str, str]] = {
    "cuda": "start with `uv run --no-group cpu --extra cuda main.py` on a machine with an NVIDIA GPU",
    "directml": "it comes with Agelens on Windows",
    "coreml": "it comes with Agelens on macOS",
    "openvino": "install onnxruntime-openvino in place of onnxruntime",
    "cpu": "install onnxruntime",
}


class ProviderError(AgelensError):
    """The execution provider that was asked for cannot be used."""


@dataclass(frozen=True, slots=True)
class OpenedSessions:
    """Loaded networks and what runs them.

    Attributes:
        sessions: one `onnxruntime.InferenceSession` a file, in the files' order.
        provider: short name of the provider in use.
        notice: one sentence where `auto` fell back from a better one, else empty.
    """

    sessions: tuple[Any, ...]
    provider: str
    notice: str


def available_providers() -> list[str]:
    """Short names of the providers that this ONNX Runtime lists; one that is listed need not load."""
    listed = _runtime().get_available_providers()
    return [short for short, name in PROVIDERS.items() if name in listed]


def open_sessions(files: Sequence[Path], *, provider: str = "auto", threads: int = 0) -> OpenedSessions:
    """Load networks with one execution provider.

    Args:
        files: the `.onnx` files.
        provider: a key of `PROVIDERS`, or `auto`.
        threads: CPU threads of ONNX Runtime; 0 for half the cores.

    Raises:
        ProviderError: the provider is unknown, not installed, or does not load.
        ModelError: a file is no network that ONNX Runtime can run.
    """
    if provider != "auto" and provider not in PROVIDERS:
        raise ProviderError(f"there is no provider {provider!r}; choose auto, {', '.join(PROVIDERS)}")
    available = available_providers()
    if provider != "auto" and provider not in available:
        raise ProviderError(
            f"the provider {provider!r} is not in this ONNX Runtime (it has {', '.join(available)}): "
            f"{_HOW_TO_GET[provider]}, or use `--provider auto`"
        )
    failed: list[str] = []
    for short in [provider] if provider != "auto" else available:
        sessions = [_open(file, short, threads) for file in files]
        if all(session is not None for session in sessions):
            notice = f"{', '.join(failed)} did not load, so {short} is used" if failed else ""
            return OpenedSessions(tuple(sessions), short, notice)
        failed.append(short)
    raise ProviderError(
        f"the provider {', '.join(failed)} is installed but does not load here (driver or library missing); "
        "use `--provider auto` or `--provider cpu`"
    )


def _open(file: Path, short: str, threads: int) -> Any:
    """A session that really uses the provider, or None where the provider does not load."""
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or max((os.cpu_count() or 2) // 2, 1)
    options.inter_op_num_threads = 1
    # Spinning threads would take the cores that capture and detection need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if short == "directml":
        options.enable_mem_pattern = False
        options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    if short == "cuda" and hasattr(runtime, "preload_dlls"):
        with contextlib.suppress(Exception):
            runtime.preload_dlls()
    chain = [PROVIDERS[short]] if short == "cpu" else [PROVIDERS[short], PROVIDERS["cpu"]]
    try:
        with _quiet():
            session = runtime.InferenceSession(str(file), options, providers=chain)
    except Exception as error:
        if short != "cpu":
            return None
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ModelError(f"the network {file} cannot be loaded ({reason}); install the model again") from error
    return session if session.get_providers()[0] == PROVIDERS[short] else None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep ONNX Runtime's own account of a provider that does not load off the terminal."""
    runtime = _runtime()
    runtime.set_default_logger_severity(4)
    try:
        yield
    finally:
        runtime.set_default_logger_severity(3)


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ProviderError(
            "ONNX Runtime is not installed; install `agelens[cpu]` or `agelens[cuda]`, or start with `uv run main.py`"
        ) from error
    # The environment says so already (see `desktop_app`); older builds know only this call.
    onnxruntime.disable_telemetry_events()
    return onnxruntime
