"""Every test gets its own settings, models and home; windows stay off the screen unless asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import cv2  # noqa: F401  (before Qt: it sets variables that are taken away below)
import pytest

# The tests run in as many processes as there are cores; more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
for _name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
    os.environ.pop(_name, None)
if os.environ.get("AGELENS_TEST_DISPLAY") != "1":
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtWidgets import QMessageBox  # noqa: E402


@pytest.fixture(autouse=True)
def isolated_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, so that no test sees or changes what the user has."""
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_VIDEOS_DIR", "XDG_PICTURES_DIR"):
        monkeypatch.setenv(name, str(home / name.lower()))
    monkeypatch.setenv("AGELENS_MODELS", str(home / "models"))
    return home


@pytest.fixture(autouse=True)
def no_message_boxes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail where a message box would block: errors are shown in the window."""
    shown: list[str] = []

    def fail(*arguments: Any, **_: Any) -> NoReturn:
        texts = [argument for argument in arguments if isinstance(argument, str)]
        shown.append(" ".join(texts) or "a message box")
        raise AssertionError(f"unexpected message box: {shown[-1]}")

    for name in ("information", "warning", "critical", "question", "about", "exec", "open", "show"):
        monkeypatch.setattr(QMessageBox, name, fail)
    yield
    assert not shown, f"unexpected message box: {shown}"
