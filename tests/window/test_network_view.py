from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QScrollArea
from pytestqt.qtbot import QtBot

from desktop_app.catalogue.catalogue import ModelPackage, load_package
from desktop_app.vision.classification.classifier import Classifier, Prediction
from desktop_app.vision.classification.label import Label, without_gender
from desktop_app.vision.classification.label import make_label as make_label_of
from desktop_app.window.panels.figures import write_figure
from desktop_app.window.panels.network_view import NetworkView
from desktop_app.window.panels.probability_bars import BarChart
from desktop_app.window.panels.tiles import SquareView, TileGrid, heat_picture, map_pictures
from desktop_app.window.style.translation import install_language
from tests.helpers.conv_model import LABELS, SIZE, write_conv_model, write_corner_model

THREAD = "network-view"


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    return load_package(write_conv_model(tmp_path))


@pytest.fixture
def view(qtbot: QtBot) -> NetworkView:
    view = NetworkView()
    qtbot.addWidget(view)
    return view


def make_crop(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def make_label(age: Sequence[float] = (0.1, 0.2, 0.7), gender: Sequence[float] = (0.25, 0.75)) -> Label:
    prediction = Prediction(np.array(age, np.float32), np.array(gender, np.float32))
    return make_label_of(prediction, LABELS, samples=3)


def is_running() -> bool:
    return any(thread.name == THREAD for thread in threading.enumerate())


def texts(view: NetworkView) -> str:
    return "\n".join(label.text() for label in view.findChildren(QLabel) if label.isVisible())


def grids(view: NetworkView) -> list[int]:
    return [grid.count for grid in view.findChildren(TileGrid)]


def wait_for_maps(qtbot: QtBot, view: NetworkView, count: int) -> None:
    qtbot.waitUntil(lambda: grids(view)[1] == count, timeout=10_000)


def choose(view: NetworkView, which: int, text: str) -> None:
    box = view.findChildren(QComboBox)[which]
    box.setCurrentIndex(next(row for row in range(box.count()) if text in box.itemText(row)))


def test_it_says_what_is_missing(view: NetworkView, package: ModelPackage) -> None:
    view.show()
    assert "No model" in texts(view)
    view.set_package(package)
    assert "No face" in texts(view)
    assert not is_running()


def test_a_hidden_view_has_no_thread(qtbot: QtBot, view: NetworkView, package: ModelPackage) -> None:
    view.set_package(package)
    view.show_crop(1, make_crop(), None)
    assert not is_running()
    view.show()
    wait_for_maps(qtbot, view, 6)
    assert is_running()
    view.hide()
    qtbot.waitUntil(lambda: not is_running())
    view.show()
    qtbot.waitUntil(is_running)


def test_closing_tells_and_ends_the_thread(qtbot: QtBot, view: NetworkView, package: ModelPackage) -> None:
    view.set_package(package)
    view.show_crop(1, make_crop(), None)
    view.show()
    qtbot.waitUntil(is_running)
    with qtbot.waitSignal(view.closed):
        view.close()
    qtbot.waitUntil(lambda: not is_running())


def test_filters_maps_answers_and_heat_map_are_shown(qtbot: QtBot, view: NetworkView, package: ModelPackage) -> None:
    view.set_package(package)
    view.show()
    view.show_crop(7, make_crop(), make_label())
    qtbot.waitUntil(lambda: all(square.has_picture for square in view.findChildren(SquareView)), timeout=10_000)
    assert grids(view) == [6, 6]
    assert "#7  ·  60+ 70%  ·  Female 75%" in texts(view)
    assert "conv1, rectified: 6 of 6 maps" in texts(view)
    expected = Classifier(package, provider="cpu").classify(make_crop()[None])[0]
    ages, genders, *others = (chart.bars for chart in view.findChildren(BarChart))
    assert not any(others)
    # What is written as 0% has no bar.
    assert [bar.fraction for bar in ages] == pytest.approx(expected.age.tolist(), abs=0.005)
    assert [bar.fraction for bar in genders] == pytest.approx(expected.gender.tolist(), abs=0.005)
    assert [bar.label for bar in genders] == ["Male", "Female"]


def test_any_layer_can_be_picked_and_49_maps_are_shown(qtbot: QtBot, view: NetworkView, package: ModelPackage) -> None:
    view.set_package(package)
    view.show()
    view.show_crop(1, make_crop(), None)
    wait_for_maps(qtbot, view, 6)
    choose(view, 1, "relu2  60×7×7")
    wait_for_maps(qtbot, view, 49)
    assert "relu2, rectified: 49 of 60 maps" in texts(view)


def test_the_heat_map_follows_the_answer_that_is_explained(qtbot: QtBot, view: NetworkView, tmp_path: Path) -> None:
    view.set_package(load_package(write_corner_model(tmp_path)))
    view.show()
    view.show_crop(1, np.full((SIZE, SIZE, 3), 255, np.uint8), None)
    qtbot.waitUntil(lambda: "0–19 falls from 96% to" in texts(view), timeout=10_000)
    choose(view, 0, "Gender")
    qtbot.waitUntil(lambda: "Male falls from 98% to" in texts(view), timeout=10_000)


def test_an_answer_that_is_not_the_label_is_explained(qtbot: QtBot, view: NetworkView, tmp_path: Path) -> None:
    view.set_package(load_package(write_corner_model(tmp_path)))
    view.show()
    white = np.full((SIZE, SIZE, 3), 255, np.uint8)
    view.show_crop(1, white, make_label())
    qtbot.waitUntil(lambda: "The label 60+ is the average of many crops; this one alone says 0–19." in texts(view))
    agreeing = make_label((0.7, 0.2, 0.1), (0.75, 0.25))
    view.show_crop(1, white.copy(), agreeing)
    qtbot.waitUntil(lambda: "0–19 falls from 96%" in texts(view) and "average of many" not in texts(view))


def test_two_networks_show_the_one_that_is_asked_for(qtbot: QtBot, view: NetworkView, tmp_path: Path) -> None:
    view.set_package(load_package(write_conv_model(tmp_path, two_network=True)))
    view.show()
    view.show_crop(1, make_crop(), None)
    wait_for_maps(qtbot, view, 6)
    filters = view.findChildren(TileGrid)[0]
    before = filters.grab().toImage()
    choose(view, 0, "Gender")
    qtbot.waitUntil(lambda: filters.grab().toImage() != before, timeout=10_000)


def test_the_newest_of_many_crops_wins(qtbot: QtBot, view: NetworkView, package: ModelPackage) -> None:
    view.set_package(package)
    view.show()
    for seed in range(50):
        view.show_crop(seed, make_crop(seed), None)
    expected = Classifier(package, provider="cpu").classify(make_crop(49)[None])[0]
    chart = view.findChildren(BarChart)[0]
    qtbot.waitUntil(
        lambda: [bar.fraction for bar in chart.bars] == pytest.approx(expected.age.tolist(), abs=1e-4), timeout=10_000
    )
    assert "#49" in texts(view)


def test_a_held_picture_stays(qtbot: QtBot, view: NetworkView, package: ModelPackage) -> None:
    view.set_package(package)
    view.show()
    view.show_crop(1, make_crop(), None)
    wait_for_maps(qtbot, view, 6)
    hold = view.findChild(QCheckBox)
    assert isinstance(hold, QCheckBox)
    hold.setChecked(True)
    view.show_crop(2, make_crop(2), None)
    choose(view, 1, "pool1")
    qtbot.waitUntil(lambda: "pool1, rectified" in texts(view), timeout=10_000)
    assert "#1" in texts(view)
    hold.setChecked(False)
    view.show_crop(2, make_crop(2), None)
    qtbot.waitUntil(lambda: "#2" in texts(view), timeout=10_000)


def test_covering_a_place_changes_the_answer_while_the_mouse_is_pressed(
    qtbot: QtBot, view: NetworkView, tmp_path: Path
) -> None:
    view.set_package(load_package(write_corner_model(tmp_path)))
    view.show()
    view.show_crop(1, np.full((SIZE, SIZE, 3), 255, np.uint8), None)
    square = view.findChildren(SquareView)[0]
    qtbot.waitUntil(lambda: square.has_picture, timeout=10_000)
    # This network looks at the top left corner alone.
    QTest.mousePress(square, Qt.MouseButton.LeftButton, pos=QPoint(square.width() - 4, square.height() - 4))
    qtbot.waitUntil(lambda: "With the patch: 0–19 96% → 96%" in texts(view), timeout=10_000)
    view.show_crop(2, make_crop(2), None)
    QTest.mouseMove(square, QPoint(8, 8))
    qtbot.waitUntil(lambda: "With the patch: 0–19 96% → " in texts(view) and "→ 96%" not in texts(view), timeout=10_000)
    assert "#1" in texts(view)
    QTest.mouseRelease(square, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    qtbot.waitUntil(lambda: "Answer for this crop alone" in texts(view), timeout=10_000)
    view.show_crop(2, make_crop(2), None)
    qtbot.waitUntil(lambda: "#2" in texts(view), timeout=10_000)


def test_another_model_is_asked_about_the_same_face(
    qtbot: QtBot, view: NetworkView, package: ModelPackage, tmp_path: Path
) -> None:
    other = load_package(write_corner_model(tmp_path / "other"))
    broken = load_package(write_conv_model(tmp_path / "broken", name="broken"))
    broken.onnx_files[0].write_bytes(b"no network")
    view.set_package(package)
    view.set_models([package, other, broken])
    view.show()
    view.show_crop(1, make_crop(), None)
    offered = view.findChildren(QComboBox)[2]
    assert [offered.itemText(row) for row in range(offered.count())] == ["No other model", other.title, broken.title]
    choose(view, 2, other.title)
    expected = Classifier(other, provider="cpu").classify(make_crop()[None])[0]
    charts = view.findChildren(BarChart)
    qtbot.waitUntil(lambda: bool(charts[2].bars), timeout=10_000)
    assert [bar.fraction for bar in charts[2].bars] == pytest.approx(expected.age.tolist(), abs=0.005)
    assert [bar.fraction for bar in charts[3].bars] == pytest.approx(expected.gender.tolist(), abs=0.005)
    choose(view, 2, broken.title)
    qtbot.waitUntil(lambda: "Cannot ask “Broken”" in texts(view), timeout=10_000)
    assert charts[0].bars
    # The model in use is not beside itself.
    view.set_package(other)
    assert offered.currentText() == broken.title
    assert other.title not in [offered.itemText(row) for row in range(offered.count())]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_figure_is_saved_as_it_is_seen(
    qtbot: QtBot, view: NetworkView, package: ModelPackage, tmp_path: Path, suffix: str
) -> None:
    view.set_package(package)
    view.show()
    view.show_crop(1, make_crop(), None)
    wait_for_maps(qtbot, view, 6)
    maps, path = view.findChildren(TileGrid)[1], tmp_path / f"maps{suffix}"
    path.write_text("older")
    assert write_figure(maps, path) is None
    image = QImage(str(path)) if suffix == ".png" else QSvgRenderer(str(path))
    size = image.size() if isinstance(image, QImage) else image.viewBox().size()
    assert size == maps.size() * (3 if suffix == ".png" else 1)
    problem = write_figure(maps, tmp_path / "missing" / path.name)
    assert problem is not None
    assert str(problem).startswith(f"Cannot save “maps{suffix}”: ")


def test_privacy_mode_shows_nothing_and_ends_the_thread(qtbot: QtBot, view: NetworkView, package: ModelPackage) -> None:
    view.set_package(package)
    view.show()
    view.show_crop(1, make_crop(), None)
    wait_for_maps(qtbot, view, 6)
    view.set_privacy("faces")
    assert "Privacy mode" in texts(view)
    assert not any(square.isVisible() or square.has_picture for square in view.findChildren(SquareView))
    assert grids(view) == [0, 0]
    qtbot.waitUntil(lambda: not is_running())
    view.show_crop(1, make_crop(), None)
    view.set_privacy("off")
    assert "No face" in texts(view)
    view.show_crop(1, make_crop(), None)
    qtbot.waitUntil(lambda: view.findChildren(SquareView)[0].isVisible(), timeout=10_000)


def test_a_broken_model_gives_one_sentence_and_the_next_one_works(
    qtbot: QtBot, view: NetworkView, package: ModelPackage, tmp_path: Path
) -> None:
    broken = load_package(write_conv_model(tmp_path / "other", name="broken"))
    broken.onnx_files[0].write_bytes(b"no network")
    view.set_package(broken)
    view.show()
    view.show_crop(1, make_crop(), None)
    qtbot.waitUntil(lambda: "Cannot look into the model “Broken”" in texts(view), timeout=10_000)
    view.show_crop(1, make_crop(1), None)
    assert "Cannot look into the model “Broken”" in texts(view)
    view.set_package(package)
    wait_for_maps(qtbot, view, 6)
    assert "Cannot look into" not in texts(view)


def test_a_narrow_view_fits_a_dock(qtbot: QtBot, view: NetworkView, package: ModelPackage) -> None:
    view.set_package(package)
    view.show()
    view.show_crop(1, make_crop(), None)
    wait_for_maps(qtbot, view, 6)

    def places() -> list[QPoint]:
        return [square.mapTo(view, QPoint(0, 0)) for square in view.findChildren(SquareView)]

    view.resize(520, 720)
    qtbot.waitUntil(lambda: places()[0].y() == places()[1].y() and places()[0].x() < places()[1].x())
    scroll = view.findChild(QScrollArea)
    assert isinstance(scroll, QScrollArea)
    content = scroll.widget()
    assert content is not None
    assert content.width() <= scroll.viewport().width()
    view.resize(1040, 720)
    qtbot.waitUntil(lambda: places()[0].x() == places()[1].x() and places()[0].y() < places()[1].y())


def test_texts_follow_the_language(
    qtbot: QtBot, qapp: QApplication, view: NetworkView, package: ModelPackage, plain_looks: None
) -> None:
    view.set_package(package)
    view.show()
    view.show_crop(1, make_crop(), make_label())
    qtbot.waitUntil(lambda: "Female 75%" in texts(view), timeout=10_000)
    install_language(qapp, "zh_CN")
    qtbot.waitUntil(lambda: "网络看到的输入" in texts(view) and "女 75%" in texts(view))


def test_everything_has_a_name_for_screen_readers(view: NetworkView) -> None:
    parts = [*view.findChildren(SquareView), *view.findChildren(TileGrid), *view.findChildren(BarChart)]
    assert len(parts) == 8
    assert all(part.accessibleName() for part in parts)
    assert view.findChild(QCheckBox).focusPolicy() & Qt.FocusPolicy.TabFocus  # type: ignore[union-attr]


def test_maps_are_rectified_and_share_a_scale() -> None:
    maps = np.zeros((60, 4, 4), np.float32)
    maps[0], maps[1], maps[2] = -5, 1, 2
    pictures = map_pictures(maps)
    assert pictures.shape == (49, 4, 4, 3)
    np.testing.assert_array_equal(pictures[0], pictures[5])
    lightness = [int(picture.sum()) for picture in pictures[[0, 1, 2]]]
    assert lightness == sorted(set(lightness))


def test_support_is_orange_and_contradiction_blue() -> None:
    drop = np.zeros((9, 9), np.float32)
    drop[1, 1], drop[7, 7] = 0.5, -0.5
    picture = heat_picture(np.full((90, 90, 3), 100, np.uint8), drop).astype(int)
    blue, _, red = picture[15, 15]
    assert red - blue > 80
    blue, _, red = picture[75, 75]
    assert blue - red > 80
    blue, green, red = picture[45, 45]
    assert blue == green == red


def test_without_gender_age_alone_is_explained(qtbot: QtBot, view: NetworkView, package: ModelPackage) -> None:
    view.set_package(package)
    view.show()
    choose(view, 0, "Gender")
    view.show_crop(7, make_crop(), make_label())
    wait_for_maps(qtbot, view, 6)
    view.set_gender(False)
    view.show_crop(7, make_crop(), without_gender(make_label()))
    genders = view.findChildren(BarChart)[1]
    qtbot.waitUntil(lambda: not genders.bars, timeout=10_000)
    assert not genders.isVisible()
    assert not view.findChildren(QComboBox)[0].isVisible()
    qtbot.waitUntil(lambda: texts(view).startswith("#7  ·  60+ 70%\n"), timeout=10_000)
    assert "Female" not in texts(view)
