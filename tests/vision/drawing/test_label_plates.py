"""Plates of text: how large they are, and that a drawn one can be laid anywhere."""

from __future__ import annotations

import numpy as np

from desktop_app.vision.drawing.label_plates import BOLD, REGULAR, Plate, Run, draw_text, render_plate, text_width


def test_a_plate_is_as_wide_as_its_text() -> None:
    short = Plate(((Run("8-12", (255, 255, 255)),),), 20)
    long = Plate(((Run("8-12", (255, 255, 255)), Run("Female", (255, 255, 255), gap=0.5)),), 20, "#3")
    assert short.width == text_width("8-12", 20) + 2 * short.padding
    assert long.width > short.width + text_width("Female", 20)
    image = np.full((100, 400, 3), 120, np.uint8)
    long.draw(image, 10, 20)
    rows, columns = np.nonzero((image != 120).any(axis=2))
    assert (columns.min(), rows.min()) == (10, 20)
    assert (columns.max() + 1, rows.max() + 1) == (10 + long.width, 20 + long.height)


def test_characters_without_a_bold_font_are_bold_all_the_same() -> None:
    def ink(weight: int) -> tuple[int, int]:
        image = np.zeros((60, 100, 3), np.uint8)
        draw_text(image, "女", 10, 30.0, 34, (255, 255, 255), weight)
        columns = np.nonzero(image.any(axis=(0, 2)))[0]
        return int(image.sum()), int(columns.max()) + 1

    regular, bold = ink(REGULAR), ink(BOLD)
    assert bold[0] > 1.2 * regular[0]
    assert bold[1] - regular[1] == text_width("女", 34, BOLD) - text_width("女", 34, REGULAR) > 0


def test_a_rendered_plate_looks_the_same_on_any_picture() -> None:
    plate = Plate(((Run("8-12", (255, 255, 255)), Run("60 %", (200, 200, 200), size=0.85, gap=0.3)),), 17, "#3")
    sprite = render_plate(plate)
    assert (sprite.width, sprite.height) == (plate.width, plate.height)
    noise = np.random.default_rng(0).integers(0, 256, (80, 300, 3), dtype=np.uint8)
    drawn, laid = noise.copy(), noise.copy()
    plate.draw(drawn, 20, 30)
    sprite.draw(laid, 20, 30)
    assert np.abs(drawn.astype(int) - laid).max() <= 3
    assert (laid[:30] == noise[:30]).all()


def test_a_rendered_plate_is_cut_at_the_border() -> None:
    sprite = render_plate(Plate(((Run("Female", (255, 255, 255)),),), 17))
    image = np.full((20, 30, 3), 120, np.uint8)
    sprite.draw(image, 10, 10)
    sprite.draw(image, 30, 5)
    assert (image[10:, 10:] != 120).any()
    assert (image[:10] == 120).all()
