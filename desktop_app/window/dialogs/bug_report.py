"""Text of a bug report: versions and figures, no names and no paths."""

from __future__ import annotations

from contextlib import suppress
from importlib import metadata
from typing import Final

from PySide6.QtGui import QGuiApplication

from desktop_app.engine.statistics import StatisticsSnapshot
from desktop_app.engine.types import SessionStatus

PACKAGES: Final = (
    "agelens",
    "mediapipe",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "opencv-python",
    "av",
    "numpy",
    "PySide6-Essentials",
)
"""Those that decide what happens; of ONNX Runtime one build is installed."""


def report_text(snapshot: StatisticsSnapshot, status: SessionStatus) -> str:
    """The figures of this moment and what they were measured with, as lines of English text; reads files.

    Args:
        snapshot: the figures.
        status: the session's; only the kind and the format of its source are told.
    """
    return "\n".join((snapshot.as_text(), _describe_source(status), _describe_screens(), f"with {_list_versions()}"))


def _describe_source(status: SessionStatus) -> str:
    info = status.info
    source = f"{info.kind}, {info.width}×{info.height} at {info.rate:g} Hz" if info is not None else "none"
    return f"source: {source}; state {status.state}"


def _describe_screens() -> str:
    screens = (
        f"{screen.size().width()}×{screen.size().height()} at {screen.devicePixelRatio():.0%}"
        for screen in QGuiApplication.screens()
    )
    return f"display: {QGuiApplication.platformName()}, {', '.join(screens)}"


def _list_versions() -> str:
    versions = []
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions.append(f"{name} {metadata.version(name)}")
    return ", ".join(versions)
