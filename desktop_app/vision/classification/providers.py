"""Choice of ONNX Runtime's execution provider."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from desktop_app.catalogue.catalogue import ModelError
from desktop_app.errors import AgelensError, reason_of
from desktop_app.messages import Message
from desktop_app.vision.onnx_sessions import session_options

PROVIDERS: Final[dict[str, str]] = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""Short names and ONNX Runtime's, in the order in which `auto` tries them; of those that load it takes the fastest."""

_HOW_TO_GET: Final[dict[str, Message]] = {
    "cuda": Message("Start with `uv run --no-group cpu --extra cuda main.py` on a machine with an NVIDIA GPU"),
    "directml": Message("Use Agelens on Windows"),
    "coreml": Message("Use Agelens on macOS"),
    "openvino": Message("Install onnxruntime-openvino in place of onnxruntime"),
    "cpu": Message("Install onnxruntime"),
}


TIMED_BATCH: Final = 4
TIMED_RUNS: Final = 5


class ProviderError(AgelensError):
    """The execution provider that was asked for cannot be used."""


@dataclass(frozen=True, slots=True)
class OpenedSessions:
    """Loaded networks and what runs them.

    Attributes:
        sessions: one `onnxruntime.InferenceSession` a file, in the files' order.
        provider: short name of the provider in use.
        notice: where `auto` fell back from a better one.
    """

    sessions: tuple[Any, ...]
    provider: str
    notice: Message | None


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
        raise ProviderError(
            "Cannot use the provider “{name}”: there is no such provider. Choose one of auto, {names}.",
            name=provider,
            names=", ".join(PROVIDERS),
        )
    available = available_providers()
    if provider != "auto" and provider not in available:
        raise ProviderError(
            "Cannot use the provider “{name}”: this ONNX Runtime has only {names}. {how}, or choose the provider "
            "`auto`.",
            name=provider,
            names=", ".join(available),
            how=_HOW_TO_GET[provider],
        )
    loaded: dict[str, tuple[Any, ...]] = {}
    for short in [provider] if provider != "auto" else available:
        sessions = tuple(_open(file, short, threads) for file in files)
        if all(session is not None for session in sessions):
            loaded[short] = sessions
    failed = [one for one in ([provider] if provider != "auto" else available) if one not in loaded]
    if not loaded:
        raise ProviderError(
            "Cannot use the provider “{name}”: it is installed but does not load, because a driver or a library is "
            "missing. Choose the provider `auto` or `cpu`.",
            name=", ".join(failed),
        )
    chosen = choose_fastest(loaded)
    notice = (
        Message("Cannot load the provider {failed}: {chosen} is used instead.", failed=", ".join(failed), chosen=chosen)
        if failed
        else None
    )
    return OpenedSessions(loaded[chosen], chosen, notice)


def run_options() -> Any:
    """ONNX Runtime's options with which only the nodes run that lead to the outputs that are asked for."""
    options = _runtime().RunOptions()
    options.only_execute_path_to_fetches = True
    return options


def choose_fastest(loaded: Mapping[str, Sequence[Any]]) -> str:
    """The provider that answers a small batch soonest: a GPU that shares its memory may lose to the CPU.

    Args:
        loaded: by provider, one `onnxruntime.InferenceSession` a network; the preferred provider first.

    Returns:
        The only provider, the fastest, or the first where none runs.
    """
    if len(loaded) == 1:
        return next(iter(loaded))
    return min(loaded, key=lambda short: sum(_seconds_of(session) for session in loaded[short]))


def _seconds_of(session: Any) -> float:
    """The shortest time of a batch in seconds, without the first run; infinite where it does not run."""
    taken_s: list[float] = []
    try:
        wanted = session.get_inputs()[0]
        shape = [size if isinstance(size, int) else TIMED_BATCH for size in wanted.shape]
        for _ in range(1 + TIMED_RUNS):
            began_at = time.perf_counter()
            session.run(None, {wanted.name: np.zeros(shape, np.float32)})
            taken_s.append(time.perf_counter() - began_at)
    except Exception:
        # The caller that uses it reports why it does not run.
        return math.inf
    return min(taken_s[1:])


def _open(file: Path, short: str, threads: int) -> Any:
    """A session that really uses the provider; None where it does not load."""
    runtime = _runtime()
    options = session_options(threads=threads or max((os.cpu_count() or 2) // 2, 1))
    if short == "cuda" and hasattr(runtime, "preload_dlls"):
        with contextlib.suppress(Exception):
            runtime.preload_dlls()
    chain = [PROVIDERS[short]] if short == "cpu" else [PROVIDERS[short], PROVIDERS["cpu"]]
    try:
        with _quiet():
            # Its own way to fall back prints on standard output, where results may be written.
            session = runtime.InferenceSession(str(file), options, providers=chain, enable_fallback=0)
    except Exception as error:
        if short != "cpu":
            return None
        reason = reason_of(error)
        raise ModelError(
            "Cannot load the network “{file}”: {reason}. Install the model again.", file=file, reason=reason
        ) from error
    return session if session.get_providers()[0] == PROVIDERS[short] else None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide ONNX Runtime's own report of a provider that does not load."""
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
            "Cannot use any model: ONNX Runtime is not installed. Install `agelens[cpu]` or `agelens[cuda]`, or start "
            "with "
            "`uv run main.py`."
        ) from error
    # The environment says so already (see `desktop_app`); older builds know only this call.
    onnxruntime.disable_telemetry_events()
    return onnxruntime
