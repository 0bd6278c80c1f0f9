"""Writes the files of a model atomically: all of them or none."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from desktop_app.errors import AgelensError
from models.cli_utils import ToolError, refuse_existing, uninterrupted


@contextlib.contextmanager
def written_together(folder: Path, name: str, *, overwrite: bool) -> Iterator[Path]:
    """A folder aside, whose files are moved to where they belong when the block ends.

    What fails or is interrupted before leaves the files there as they were.

    Args:
        folder: where the files belong; made where it is missing.
        name: the model's.
        overwrite: whether files of this model may be replaced.

    Raises:
        ToolError: a file is there already, or belongs to another model.
        AgelensError: what the block raised, with the paths as they were to be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".model-") as temporary:
        # Two folders down, where the catalogue does not look: it must not find what a crash leaves behind.
        aside = Path(temporary) / "model"
        aside.mkdir()
        try:
            yield aside
        except AgelensError as error:
            raise type(error)(str(error).replace(str(aside), str(folder))) from error
        # The manifest last: a move that is cut off leaves no model that seems whole.
        files = sorted(aside.iterdir(), key=lambda file: file.suffix == ".toml")
        for file in files:
            _refuse_taken(folder / file.name, name, overwrite=overwrite)
        with uninterrupted():
            for file in files:
                file.replace(folder / file.name)


def _refuse_taken(path: Path, name: str, *, overwrite: bool) -> None:
    refuse_existing(path, overwrite=overwrite)
    owner = path.with_suffix(".toml")
    if path.exists() and owner.stem != name and owner.exists():
        raise ToolError(f"Cannot write {path}: it belongs to the model {owner.stem!r}. Choose another --name.")
