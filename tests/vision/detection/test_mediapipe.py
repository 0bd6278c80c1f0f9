from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def run_python(code: str) -> str:
    # Another process: whatever other tests imported is here already.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_mediapipe_brings_neither_matplotlib_nor_the_sound_system() -> None:
    code = """
import sys
from desktop_app.vision.detection.blazeface import BlazeFaceDetector
print([name for name in sys.modules if name.split(".")[0] in ("matplotlib", "sounddevice")])
"""
    assert run_python(code) == "[]"


def test_mediapipe_can_draw_all_the_same() -> None:
    code = """
from desktop_app.vision.detection._mediapipe import mediapipe
plt = mediapipe.tasks.vision.drawing_utils.plt
figure = plt.figure
import matplotlib.pyplot
print(figure is matplotlib.pyplot.figure, plt.figure is figure, matplotlib.__version__ > "3")
"""
    assert run_python(code) == "True True True"


def test_what_was_imported_before_stays() -> None:
    code = """
import sys
import matplotlib.pyplot
before = matplotlib.pyplot
from desktop_app.vision.detection._mediapipe import mediapipe
print(sys.modules["matplotlib.pyplot"] is before, mediapipe.tasks.vision.drawing_utils.plt is before)
"""
    assert run_python(code) == "True True"
