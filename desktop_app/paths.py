"""Paths of the files that ship with the app."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent
ROOT: Final = _PACKAGE.parent
"""Folder that the program is imported from; in a checkout it holds the licence and the notice."""
_INSTALLED: Final = _PACKAGE / "shipped"
"""An installed program has its models and resources here, where no other package's can lie."""
_BASE: Final = _INSTALLED if _INSTALLED.is_dir() else ROOT
MODELS_FOLDER: Final = _BASE / "models"
"""Networks, their manifests and cards, and the face detectors."""
RESOURCES_FOLDER: Final = _BASE / "resources"
TRANSLATIONS_FOLDER: Final = RESOURCES_FOLDER / "translations"
"""A pair of files for each language but English: `agelens_CODE.ts`, and `agelens_CODE.qm` made of it."""
SOURCE_LANGUAGE: Final = "en"


def resource_path(name: str) -> Path:
    """Path of a resource.

    Args:
        name: path within `resources`, with forward slashes.
    """
    return RESOURCES_FOLDER / name


def translation_path(language: str) -> Path:
    """Path of the compiled translation into a language, given by its code as in `zh_CN`."""
    return TRANSLATIONS_FOLDER / f"agelens_{language}.qm"


def languages() -> list[str]:
    """Codes of the languages that the window speaks: English, and those in the folder of translations."""
    translated = (path.stem.removeprefix("agelens_") for path in TRANSLATIONS_FOLDER.glob("agelens_*.qm"))
    return [SOURCE_LANGUAGE, *sorted(translated)]
