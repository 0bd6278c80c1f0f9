"""Every text of the window has a Chinese translation, with the same placeholders."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop_app.window.bars.actions import Actions
from desktop_app.window.picture.video_view import VideoView
from desktop_app.window.style.translation import (
    TRANSLATIONS_FOLDER,
    install_language,
    resolve_language,
    translate_message,
)
from tests.helpers.sentences import engine_sentences

WINDOW_FOLDER = Path(__file__).resolve().parents[2] / "desktop_app" / "window"
MARKERS = {"tr": 0, "mark_text": 0, "translate": 1, "QT_TRANSLATE_NOOP": 1}


def source_texts(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """The texts of a module that are marked for translation; fails on one that is not a plain literal."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in MARKERS or len(node.args) <= MARKERS[name]:
            continue
        argument = node.args[MARKERS[name]]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value, node
        assert not isinstance(argument, ast.JoinedStr), f"{path.name}:{node.lineno} translates an f-string"


def all_texts() -> dict[str, str]:
    return {
        text: f"{path.name}:{node.lineno}"
        for path in sorted(WINDOW_FOLDER.rglob("*.py"))
        for text, node in source_texts(path)
    }


@pytest.fixture
def chinese() -> dict[str, str]:
    texts: dict[str, str] = json.loads((TRANSLATIONS_FOLDER / "zh_CN.json").read_text(encoding="utf-8"))
    return texts


@pytest.fixture(autouse=True)
def english_afterwards(qapp: QApplication) -> Iterator[None]:
    yield
    install_language(qapp, "en")


def test_every_text_is_translated(chinese: dict[str, str]) -> None:
    texts = all_texts()
    assert len(texts) > 100
    missing = {text: place for text, place in texts.items() if not chinese.get(text)}
    assert not missing


def test_placeholders_are_the_same(chinese: dict[str, str]) -> None:
    for text, translation in chinese.items():
        names = re.findall(r"\{(\w*)[^}]*\}|(%n|%\d)", text)
        assert sorted(names) == sorted(re.findall(r"\{(\w*)[^}]*\}|(%n|%\d)", translation)), text


def test_language_switches_at_run_time(qapp: QApplication, qtbot: QtBot) -> None:
    view = VideoView()
    qtbot.addWidget(view)
    actions = Actions(view, view)
    assert actions["record"].text() == "Record"
    assert install_language(qapp, "zh_CN") == "zh_CN"
    actions.retranslate()
    assert actions["record"].text() == "录制"
    assert actions["record"].toolTip().startswith("录制  (R)")
    install_language(qapp, "en")
    actions.retranslate()
    assert actions["record"].text() == "Record"


def test_engine_sentences_are_translated_around_their_names(qapp: QApplication) -> None:
    sentence = "there is no file or folder /tmp/a b.mp4; check its spelling"
    assert translate_message(sentence) == sentence
    install_language(qapp, "zh_CN")
    assert "/tmp/a b.mp4" in translate_message(sentence)
    assert translate_message(sentence) != sentence
    assert translate_message("no such sentence") == "no such sentence"


def test_every_sentence_of_the_engine_is_translated(qapp: QApplication) -> None:
    sentences = engine_sentences()
    assert len(sentences) > 200
    install_language(qapp, "zh_CN")
    wrong = {}
    for sentence, place in sentences.items():
        translation = translate_message(sentence)
        # Samples stand for names: they must be kept, and beside them only quotations may stay English.
        names_kept = sorted(re.findall("⟨.*?⟩", sentence)) == sorted(re.findall("⟨.*?⟩", translation))
        english = re.search(r"[a-z]+,? [a-z]+", re.sub(r"`.*?`|⟨.*?⟩", "", translation))
        if translation == sentence or english or not names_kept:
            wrong[sentence] = f"{place}: {translation}"
    assert not wrong


def test_names_in_sentences_stay_as_they_are(qapp: QApplication) -> None:
    install_language(qapp, "zh_CN")
    full = translate_message("Cannot save “Demo”: the disk is full; free some space or choose another folder.")
    assert full == "无法保存“Demo”：磁盘已满；请释放空间或选择其他文件夹。"
    assert translate_message("the folder Faces cannot be read: Input/output error").startswith("无法读取文件夹 Faces")


def test_chosen_language_wins_over_the_system() -> None:
    assert resolve_language("en") == "en"
    assert resolve_language("zh_CN") == "zh_CN"
    assert resolve_language("system") in {"en", "zh_CN"}
