from __future__ import annotations

from pathlib import Path

import numpy as np

from desktop_app.analytics.corrections import StillFaces, Truth, age_pairs, confusion, gender_pairs
from desktop_app.vision.geometry import Box
from tests.helpers.visitors import label

ONE, TWO = Path("/album/1.png"), Path("/album/2.png")
LEFT, RIGHT = Box(10, 10, 40, 40), Box(100, 10, 40, 40)
CHILD, ADULT, UNSURE = label(0.9, 0.05, 0.05), label(0.1, 0.8, 0.1), label(0.34, 0.33, 0.33, female=0.55)


def test_what_was_said_of_a_face_stays_with_it() -> None:
    faces = StillFaces()
    left, _ = faces.see(ONE, [(LEFT, None), (RIGHT, None)])
    faces.correct(left, Truth(age="60+"))
    # Seen again, in another order and a little moved, with answers.
    seen = faces.see(ONE, [(RIGHT, ADULT), (LEFT.shifted(3, 0), CHILD)])
    assert [(one.truth.age, one.label) for one in seen] == [(None, ADULT), ("60+", CHILD)]
    assert faces.corrected() == (seen[1],)
    # An answer that is not there yet does not take the last one away.
    assert faces.see(ONE, [(LEFT, None)])[0].label is CHILD
    # A face that is not found this time is still true.
    assert faces.see(ONE, []) == ()
    assert [one.truth.age for one in faces.corrected()] == ["60+"]
    faces.correct(faces.faces(ONE)[0], Truth())
    assert faces.corrected() == ()
    assert faces.changes == 2


def test_pictures_are_filtered_by_what_is_said_of_their_faces() -> None:
    faces = StillFaces()
    faces.see(ONE, [(LEFT, CHILD), (RIGHT, UNSURE)])
    faces.see(TWO, [(LEFT, ADULT)])
    three = Path("/album/3.png")

    def wanted(kind: str, index: int = 0) -> list[str]:
        return [path.stem for path in (ONE, TWO, three) if faces.is_wanted(path, (kind, index))]  # type: ignore[arg-type]

    assert wanted("all") == ["1", "2", "3"]
    assert wanted("new") == ["3"]
    assert wanted("unsure") == ["1"]
    assert wanted("age", 0) == ["1"]
    assert wanted("age", 1) == ["1", "2"]
    assert (wanted("gender", 0), wanted("gender", 1)) == ([], ["1", "2"])
    assert wanted("corrected") == []
    faces.correct(faces.faces(TWO)[0], Truth(gender="Male"))
    assert wanted("corrected") == ["2"]


def test_corrections_are_set_against_the_most_probable_answers() -> None:
    faces = StillFaces()
    for number, (said, truth) in enumerate(
        [
            (CHILD, Truth("0-19", "Female")),
            (CHILD, Truth("20-59")),
            (UNSURE, Truth("20-59", "Male")),
            (None, Truth("60+", "Male")),
            (ADULT, Truth("another model's", "Female")),
        ]
    ):
        (face,) = faces.see(Path(f"/album/{number}.png"), [(LEFT, said)])
        faces.correct(face, truth)
    corrected = faces.corrected()
    ages = confusion(age_pairs(corrected), ["0-19", "20-59", "60+"])
    assert np.array_equal(ages, [[1, 0, 0], [2, 0, 0], [0, 0, 0]])
    genders = confusion(gender_pairs(corrected), ["Male", "Female"])
    assert np.array_equal(genders, [[0, 1], [0, 2]])
