"""Writes manifests; the app only reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from desktop_app.catalogue.manifest import Manifest


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest as TOML (needs the `train` extra).

    Args:
        manifest: what to write.
        path: the `.toml` file, beside the files that it names.
    """
    import tomli_w

    mean = list(manifest.input.mean) if isinstance(manifest.input.mean, tuple) else manifest.input.mean
    document: dict[str, Any] = {
        "name": manifest.name,
        "title": manifest.title,
        "description": manifest.description,
        "architecture": manifest.architecture,
        "input": {
            "size": manifest.input.size,
            "colour": manifest.input.colour,
            "mean": mean,
            "scale": manifest.input.scale,
            "margin": manifest.input.margin,
            **({"mean_fit": manifest.input.mean_fit} if manifest.input.mean_fit != "crop" else {}),
        },
        "outputs": {
            "activation": manifest.activation,
            "age": {"file": manifest.age.file, "tensor": manifest.age.tensor},
            "gender": {"file": manifest.gender.file, "tensor": manifest.gender.tensor},
        },
        "labels": {
            "gender": list(manifest.labels.genders),
            "age": [
                {"name": label.name, "low": label.low} | ({"high": label.high} if label.high is not None else {})
                for label in manifest.labels.ages
            ],
        },
        "files": dict(manifest.files),
        "scores": dict(manifest.scores),
        **({"layers": dict(manifest.layers)} if manifest.layers else {}),
        "about": dict(manifest.about),
    }
    path.write_text(tomli_w.dumps(document), encoding="utf-8")
