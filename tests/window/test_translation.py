"""Every text has its translations, and the window shows them."""

from __future__ import annotations

import ast
import re
import shutil
import string
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop_app.messages import Message, join_lines
from desktop_app.paths import TRANSLATIONS_FOLDER, languages, translation_path
from desktop_app.window.bars.actions import Actions
from desktop_app.window.picture.video_view import VideoView
from desktop_app.window.style.translation import install_language, language_name, resolve_language, tr, translated
from tests.helpers.translations import compile_ts, hidden_texts, texts, update

FILES = sorted(TRANSLATIONS_FOLDER.glob("*.ts"))
RUN = "run `python -m tests.helpers.translations`, and translate what is unfinished"


@pytest.fixture(autouse=True)
def english_afterwards(qapp: QApplication) -> Iterator[None]:
    yield
    install_language(qapp, "en")


def placeholders(text: str) -> set[str]:
    return {f"{{{name}}}" for _, name, _, _ in string.Formatter().parse(text) if name} | set(re.findall("%n", text))


@pytest.mark.slow
def test_every_text_is_a_literal_with_a_value_for_each_placeholder() -> None:
    calls = list(texts())
    assert len(calls) > 100
    for place, call in calls:
        assert isinstance(call.args[0], ast.Constant), f"{place}: a text is a literal, with {{names}} for what differs"
        given = {f"{{{keyword.arg}}}" for keyword in call.keywords} | ({"%n"} if len(call.args) == 3 else set())
        assert given == placeholders(str(call.args[0].value)), place
    assert list(hidden_texts()) == [], "name the class or `Message` where the text stands: lupdate goes by these names"


@pytest.mark.parametrize("ts", FILES, ids=lambda path: path.stem)
def test_every_text_is_translated(ts: Path, tmp_path: Path) -> None:
    newest, compiled = tmp_path / ts.name, tmp_path / "compiled.qm"
    shutil.copy(ts, newest)
    update(newest)
    assert newest.read_text(encoding="utf-8") == ts.read_text(encoding="utf-8"), RUN
    compile_ts(ts, compiled)
    assert compiled.read_bytes() == ts.with_suffix(".qm").read_bytes(), RUN
    for message in ElementTree.parse(ts).iter("message"):
        source, translation = message.findtext("source") or "", message.find("translation")
        assert translation is not None
        assert translation.get("type") is None, f"{source!r}: {RUN}"
        for form in [translation, *translation][1 if len(translation) else 0 :]:
            assert form.text, source
            assert placeholders(form.text) == placeholders(source), source


def test_languages_are_those_of_the_folder() -> None:
    assert languages() == ["en", *(path.stem.removeprefix("agelens_") for path in FILES)]
    assert all(translation_path(code).is_file() for code in languages()[1:])
    assert [language_name(code) for code in ("en", "zh_CN")] == ["English", "简体中文"]


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


def test_counts_choose_the_form(qapp: QApplication) -> None:
    counts = (0, 1, 2)
    assert [tr("%n face(s)", None, count) for count in counts] == ["0 faces", "1 face", "2 faces"]
    install_language(qapp, "zh_CN")
    assert [tr("%n face(s)", None, count) for count in counts] == ["0 张人脸", "1 张人脸", "2 张人脸"]


def test_what_is_nested_is_translated_and_names_are_not(qapp: QApplication) -> None:
    message = Message("{name}: {value}", name="Pause {x} %n", value=Message("%n face(s)", None, 2))
    assert str(message) == "Pause {x} %n: 2 faces"
    install_language(qapp, "zh_CN")
    assert translated(message) == "Pause {x} %n：2 张人脸"
    assert translated(Message("no such text {name}", name="a")) == "no such text a"
    assert str(message) == "Pause {x} %n: 2 faces"


def test_lines_are_translated_each(qapp: QApplication) -> None:
    one, two = Message("Pause"), Message("Record")
    both = join_lines(one, two)
    install_language(qapp, "zh_CN")
    assert both is not None
    assert translated(both) == "暂停\n录制"


def test_chosen_language_wins_over_the_system() -> None:
    assert [resolve_language(code) for code in languages()] == languages()
    assert resolve_language("system") in languages()
    assert resolve_language("xx") == "en"


@pytest.mark.parametrize(("system", "language"), [("zh_SG", "zh_CN"), ("zh_TW", "en"), ("en_GB", "en"), ("fr", "en")])
def test_the_systems_language_is_one_that_its_user_reads(system: str, language: str) -> None:
    assert resolve_language(system) == language
