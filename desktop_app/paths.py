"""Where the files that ship with the app lie."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""Folder that holds the licence and the notice."""
MODELS_FOLDER: Final = ROOT / "models"
"""Networks, their manifests and cards, and MediaPipe's detectors."""
RESOURCES_FOLDER: Final = ROOT / "resources"


def resource_path(name: str) -> Path:
    """Path of a resource.

    Args:
        name: path within `resources`, with forward slashes.
    """
    return RESOURCES_FOLDER / name
