"""MediaPipe without what only its other tasks need.

`import mediapipe` imports matplotlib for its drawing functions, which takes two thirds of its time and, once on every
machine, builds a list of all fonts. It also imports sounddevice for its audio tasks, which opens the sound system of a
program that never listens. Import `mediapipe` from here instead.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final, cast

_POSTPONED: Final = ("matplotlib", "matplotlib.pyplot")
_LEFT_OUT: Final = "sounddevice"


class _Postponed(ModuleType):
    """Stands in for a module until something in it is asked for; MediaPipe keeps it and can go on drawing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # The import system's own questions.
            raise AttributeError(name)
        _remove_stand_ins()
        return getattr(importlib.import_module(self.__name__), name)


@contextlib.contextmanager
def _lean() -> Iterator[None]:
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    if not any(name in modules for name in _POSTPONED):
        package, pyplot = (_Postponed(name) for name in _POSTPONED)
        vars(package)["pyplot"] = pyplot
        modules.update(zip(_POSTPONED, (package, pyplot), strict=True))
    leave_out = _LEFT_OUT not in modules
    if leave_out:
        # What is None there cannot be imported, with which MediaPipe reckons.
        modules[_LEFT_OUT] = None
    try:
        yield
    finally:
        _remove_stand_ins()
        if leave_out:
            del modules[_LEFT_OUT]


def _remove_stand_ins() -> None:
    for name in _POSTPONED:
        if isinstance(sys.modules.get(name), _Postponed):
            del sys.modules[name]


with _lean():
    import mediapipe

__all__ = ["mediapipe"]
