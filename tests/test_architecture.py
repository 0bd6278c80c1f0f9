from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[1]
RUN_TIME_MODELS = {"__init__.py", "catalogue.py", "manifest.py"}


def imported_by(path: Path) -> set[str]:
    """Top-level names of the packages that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def modules(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_data_flows_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports() == 0


@pytest.mark.parametrize("path", modules("desktop_app"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_app_never_imports_the_training_tools(path: Path) -> None:
    names = {name.split(".")[0] for name in imported_by(path)}
    assert not names & {"torch", "onnx", "onnxscript", "matplotlib", "scipy", "skimage"}
    from_models = {name for name in imported_by(path) if name.startswith("models.")}
    assert from_models <= {"models.catalogue", "models.manifest"}


@pytest.mark.parametrize(
    "path", modules("desktop_app/media", "desktop_app/vision", "desktop_app/engine"), ids=lambda path: path.stem
)
def test_only_the_window_knows_qt(path: Path) -> None:
    names = {name.split(".")[0] for name in imported_by(path)}
    assert not names & {"PySide6", "pyqtgraph"}


@pytest.mark.parametrize("path", modules("desktop_app/media", "desktop_app/vision"), ids=lambda path: path.stem)
def test_pixels_know_neither_threads_nor_windows_above_them(path: Path) -> None:
    assert not {name for name in imported_by(path) if name.startswith(("desktop_app.engine", "desktop_app.window"))}


def test_nothing_heavy_is_loaded_to_print_the_help() -> None:
    code = "import sys, desktop_app.cli; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"cv2", "mediapipe", "numpy", "onnxruntime", "PySide6"}
