"""Catalogue: finds and checks the models that the app can use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Final

import numpy as np
import platformdirs
from numpy.typing import NDArray

from desktop_app.catalogue.manifest import (
    AgeLabel,
    InputSpec,
    Labels,
    Manifest,
    ModelError,
    OutputSpec,
    read_manifest,
    sha256_of,
)
from desktop_app.errors import reason_of
from desktop_app.messages import Message
from desktop_app.paths import MODELS_FOLDER

__all__ = [
    "DEFAULT_MODEL",
    "AgeLabel",
    "Catalogue",
    "InputSpec",
    "Labels",
    "Manifest",
    "ModelChoice",
    "ModelError",
    "ModelPackage",
    "OutputSpec",
    "load_package",
    "refuse_shipped_name",
    "user_models_folder",
]

DEFAULT_MODEL: Final = "agelens"
MAX_MEAN_BYTES: Final = 32 << 20
"""More than the largest input has as float64."""
MAX_FILE_BYTES: Final = 768 << 20
"""A VGG-16 has 553 MB; what is larger would take seconds to check at each start, and is no network for live video."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model is to run, and how.

    Attributes:
        model: name of a model in the catalogue, or its file; empty for the default one.
        provider: ONNX Runtime's execution provider, `auto` or a short name.
        oversample: whether ten views of each face are averaged.
        gender: whether perceived gender is computed; without it nothing says anything about it, and its columns stay
            empty.
    """

    model: str = ""
    provider: str = "auto"
    oversample: bool = False
    gender: bool = True


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A model whose manifest and files were found and checked.

    Attributes:
        manifest: what the manifest says.
        path: the manifest's file; the model's other files are beside it.
    """

    manifest: Manifest
    path: Path

    @property
    def name(self) -> str:
        """The name by which the model is chosen."""
        return self.manifest.name

    @property
    def title(self) -> str:
        """The name that people see."""
        return self.manifest.title

    @property
    def labels(self) -> Labels:
        """Age groups and genders, in the order of the outputs."""
        return self.manifest.labels

    @property
    def input(self) -> InputSpec:
        """How a crop becomes the network's input."""
        return self.manifest.input

    @property
    def onnx_files(self) -> tuple[Path, ...]:
        """The network files: one for two heads, two for two networks."""
        files = dict.fromkeys((self.manifest.age.file, self.manifest.gender.file))
        return tuple(self.path.parent / file for file in files)

    @property
    def size_bytes(self) -> int:
        """Bytes on disk of the network files."""
        return sum(file.stat().st_size for file in self.onnx_files)

    def mean_image(self) -> NDArray[np.float32] | None:
        """The image that `input.mean` names.

        Returns:
            H×W×3 float32 of any size, channels in the order of `input.colour`; None where `input.mean` is numbers.

        Raises:
            ModelError: the image cannot be read.
        """
        mean = self.input.mean
        return _read_mean(self.path.parent / mean) if isinstance(mean, str) else None


def load_package(path: Path) -> ModelPackage:
    """Read a model's manifest and check that its files are there and unchanged.

    Args:
        path: the manifest (`.toml`), or one of its `.onnx` files with the manifest of the same name beside it.

    Raises:
        ModelError: the manifest is wrong, a file is missing, or a checksum differs.
    """
    manifest_path = path.with_suffix(".toml")
    if not _is_file(manifest_path):
        raise ModelError(
            "Cannot find a model at “{path}”: a model is an .onnx file with a .toml file beside it. Check the path.",
            path=path,
        )
    manifest = read_manifest(manifest_path)
    needed = {manifest.age.file, manifest.gender.file}
    if isinstance(manifest.input.mean, str):
        needed.add(manifest.input.mean)
    for name in sorted(needed):
        _check_file(manifest_path.parent / name, manifest.files.get(name))
    return ModelPackage(manifest, manifest_path)


def user_models_folder() -> Path:
    """The folder of the user's own models; `AGELENS_MODELS` in the environment names another one."""
    chosen = os.environ.get("AGELENS_MODELS")
    return Path(chosen) if chosen else platformdirs.user_data_path("Agelens", appauthor=False) / "models"


def refuse_shipped_name(name: str, folder: Path) -> None:
    """Refuse to give a model in the user's folder a name under which the app would find its own.

    Raises:
        ModelError: such a model comes with the app.
    """
    if folder.resolve() == user_models_folder().resolve() and (MODELS_FOLDER / f"{name}.toml").is_file():
        raise ModelError(
            "Cannot name a model “{name}”: one of that name comes with Agelens and would be used instead. Choose "
            "another "
            "name.",
            name=name,
        )


class Catalogue:
    """The models in some folders, by default those that ship with the app and the user's own.

    Args:
        folders: where to look; an earlier folder wins where two models have one name.
    """

    def __init__(self, folders: Sequence[Path] | None = None) -> None:
        self._folders = tuple(folders) if folders is not None else (MODELS_FOLDER, user_models_folder())

    def manifests(self) -> list[Path]:
        """The manifests in the folders and one folder below, the default model first."""
        found: list[Path] = []
        for folder in self._folders:
            # A folder that is missing or may not be read holds no model; the others count all the same.
            with suppress(OSError):
                found += sorted([*folder.glob("*.toml"), *folder.glob("*/*.toml")])
        return sorted(found, key=lambda path: path.stem != DEFAULT_MODEL)

    def packages(self) -> tuple[list[ModelPackage], list[ModelError]]:
        """The usable models, and what is wrong with the others."""
        packages: dict[str, ModelPackage] = {}
        errors: list[ModelError] = []
        for path in self.manifests():
            try:
                package = load_package(path)
            except ModelError as error:
                errors.append(error)
                continue
            first = packages.setdefault(package.name, package)
            if first is not package:
                errors.append(
                    ModelError(
                        "Cannot use the model at “{path}”: “{first}” has the name “{name}”, too. Give one of them "
                        "another "
                        "name.",
                        path=path,
                        first=first.path,
                        name=package.name,
                    )
                )
        return list(packages.values()), errors

    def find(self, name_or_path: str = "") -> ModelPackage:
        """The model of that name, or at that path; the default model where nothing is named.

        Raises:
            ModelError: there is none, or it cannot be used.
        """
        wanted = name_or_path or DEFAULT_MODEL
        if Path(wanted).suffix in {".onnx", ".toml"}:
            with suppress(RuntimeError):
                # Raised where `~name` is not a user; it is then part of a path that does not exist.
                return load_package(Path(wanted).expanduser())
            return load_package(Path(wanted))
        broken: list[ModelError] = []
        names: list[str] = []
        for path in self.manifests():
            # The file is named like the model as a rule: the others' checksums need not be computed.
            try:
                manifest = read_manifest(path)
            except ModelError as error:
                broken += [error] if path.stem == wanted else []
                continue
            names.append(manifest.name)
            if manifest.name == wanted:
                return load_package(path)
        if broken:
            raise broken[0]
        known = ", ".join(dict.fromkeys(names)) or Message("none")
        raise ModelError(
            "Cannot find the model “{name}”: the models here are {known}. Choose one of them.", name=wanted, known=known
        )


def _is_file(path: Path) -> bool:
    """Whether a file exists; False where the system refuses to check (a name too long, a closed folder)."""
    try:
        return path.is_file()
    except OSError:
        return False


def _check_file(path: Path, checksum: str | None) -> None:
    if not _is_file(path):
        raise ModelError(
            "Cannot use the model file “{path}”: it is missing. Copy it there, or install the model again.", path=path
        )
    if checksum is None:
        raise ModelError(
            "Cannot use the model file “{path}”: its manifest gives no checksum for it. Export the model again.",
            path=path,
        )
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ModelError(
                "Cannot use the model file “{path}”: it is larger than {limit} MB. Export it again.",
                path=path,
                limit=MAX_FILE_BYTES >> 20,
            )
        actual = sha256_of(path)
    except OSError as error:
        raise ModelError(
            "Cannot read the model file “{path}”: {reason}. Check its permissions.",
            path=path,
            reason=reason_of(error),
        ) from error
    if actual != checksum.lower():
        raise ModelError(
            "Cannot use the model file “{path}”: it is damaged or was changed, its checksum differs. Install it again.",
            path=path,
        )


def _read_mean(path: Path) -> NDArray[np.float32]:
    try:
        if path.stat().st_size > MAX_MEAN_BYTES:
            raise _bad_mean(path, Message("it is larger than {limit} MB", limit=MAX_MEAN_BYTES >> 20))
        # Mapped, so that a false shape is detected before anything is allocated for it.
        mean = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise _bad_mean(path, reason_of(error)) from error
    except (ValueError, TypeError, ArithmeticError, SyntaxError, TokenError, RecursionError, MemoryError) as error:
        # NumPy evaluates the header as Python, and its message advises to unpickle unchecked data.
        raise _bad_mean(path, Message("it is no .npy file of numbers")) from error
    if mean.ndim != 3 or mean.shape[2] != 3 or 0 in mean.shape:
        raise _bad_mean(path, Message("it is not a picture of three channels"))
    if mean.dtype.kind not in "fiu":
        raise _bad_mean(path, Message("it contains values that are no numbers"))
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(mean, np.float32)
    if not np.isfinite(values).all():
        raise _bad_mean(path, Message("it contains values that are no numbers"))
    return values


def _bad_mean(path: Path, reason: Message | str) -> ModelError:
    return ModelError(
        "Cannot read the mean image “{path}”: {reason}. Install the model again.", path=path, reason=reason
    )
