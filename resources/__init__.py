"""Icons, translations and the demo's picture, as files beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

RESOURCES_FOLDER: Final = Path(__file__).resolve().parent


def resource_path(name: str) -> Path:
    """Where a resource lies.

    Args:
        name: its path within `resources`, with forward slashes.
    """
    return RESOURCES_FOLDER / name
