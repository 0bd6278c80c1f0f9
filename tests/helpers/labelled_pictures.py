"""A folder of labelled pictures, as the training tools read it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.data.labels import GENDERS


def write_folder(folder: Path, count: int = 12) -> None:
    """Grey squares without faces, each of another shade and age, and `labels.csv`."""
    folder.mkdir()
    rows = ["file,age,gender"]
    for index in range(count):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((64, 64, 3), 20 * index, np.uint8))
        rows.append(f"{index}.png,{5 + 6 * index},{GENDERS[index % 2]}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
