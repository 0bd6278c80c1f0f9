from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from desktop_app.analytics.corrections import StillFace, Truth
from desktop_app.output.corrections import corrections_table
from desktop_app.vision.geometry import Box
from models.data.datasets import Years, read_csv
from tests.helpers.visitors import label

SAID = label(0.1, 0.8, 0.1)


def test_fine_tuning_reads_the_table_of_corrections(tmp_path: Path) -> None:
    album, elsewhere = tmp_path / "album", tmp_path / "elsewhere"
    for folder in (album, elsewhere):
        folder.mkdir()
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, 100:] = 200
    Image.fromarray(picture).save(album / "=two, faces.png")
    Image.fromarray(picture[:, :80]).save(elsewhere / "one.png")
    faces = [
        StillFace(album / "=two, faces.png", Box(150, 30, 20, 20), SAID, Truth("20-59", "Male")),
        StillFace(album / "=two, faces.png", Box(-5, 40, 30, 30), None, Truth(age="60+")),
        StillFace(elsewhere / "one.png", Box(10, 10, 60, 60), SAID, Truth(gender="Female")),
    ]
    (album / "corrections.csv").write_bytes(corrections_table(faces, album))
    lines = (album / "corrections.csv").read_text().splitlines()
    assert lines[0] == "file,age,gender,x,y,width,height,shown_age,shown_gender"
    assert lines[1] == '"./=two, faces.png",20-59,Male,150.0,30.0,20.0,20.0,20-59,Female'
    samples = read_csv(album / "corrections.csv")
    assert [(one.age, one.gender) for one in samples] == [(Years(20, 59), 0), (Years(60, np.inf), -1), (None, 1)]
    assert len({one.name for one in samples}) == 3
    right, left, single = (one.picture.read() for one in samples)
    # What is read is the part around the face: twice its box, as far as the picture reaches.
    assert (right.shape, right.min()) == ((40, 40, 3), 200)
    assert (left.shape[0], left.max()) == (60, 0)
    assert single.shape == (100, 80, 3)
