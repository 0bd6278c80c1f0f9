"""A small archive, and what a dataset holds."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np

from tests.helpers.portrait import astronaut_bgr


def write_archive(folder: Path, *, pictures: int = 3, films: int = 2, frames: int = 12) -> Path:
    """Pictures and films of a face, each a little different, some of them in folders within the folder."""
    face = cv2.resize(astronaut_bgr(), (256, 256))
    (folder / "more").mkdir(parents=True, exist_ok=True)
    for index in range(pictures):
        place = folder / "more" if index % 2 else folder
        assert cv2.imwrite(str(place / f"picture{index}.png"), np.roll(face, 5 * index, axis=1))
    for index in range(films):
        write_film(folder / f"film{index}.mp4", frames=frames, shift=3 + index)
    return folder


def write_film(path: Path, *, frames: int, shift: int) -> None:
    """A face that moves by so many pixels a frame, to the right."""
    face = cv2.resize(astronaut_bgr(), (256, 256))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        for index in range(frames):
            picture = np.ascontiguousarray(np.roll(face, shift * index, axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture, np.uint8), format="bgr24")))
        container.mux(stream.encode())


def dataset_files(folder: Path) -> dict[str, bytes]:
    """All tables and media of a dataset or a folder of media, by their place; not the list of what is done."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("manifest.sqlite")
    }
