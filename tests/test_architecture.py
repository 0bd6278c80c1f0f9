from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[1]


def test_the_import_contracts_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports() == 0


def test_nothing_heavy_is_loaded_to_print_the_help() -> None:
    code = "import sys, desktop_app.cli; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"cv2", "mediapipe", "numpy", "onnxruntime", "PySide6"}


@pytest.mark.slow
def test_tables_in_parquet_cost_nothing_until_they_are_asked_for() -> None:
    code = "import sys, desktop_app.window.main_window, desktop_app.engine.annotate; sys.exit('pyarrow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
