"""Translations: English in the source, other languages from the compiled files of Qt Linguist."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator
from PySide6.QtWidgets import QApplication

from desktop_app.messages import ENGLISH, Language, Message, english
from desktop_app.paths import SOURCE_LANGUAGE, languages, translation_path
from desktop_app.vision.classification.label import LABEL_WORDS, Answer, translated_label
from desktop_app.vision.drawing.overlay import readable_age

_installed: list[QTranslator] = []
_language = "en"


def tr(template: str, comment: str | None = None, n: int | None = None, /, **parameters: object) -> str:
    """A text in the window's language; the arguments are those of `Message`."""
    return translated(Message(template, comment, n, **parameters))


def translated(message: Message) -> str:
    """A message in the window's language."""
    return message.render(_translate)


def window_language() -> Language:
    """The window's language as it is now."""
    return Language(_language, _translate)


def load_language(code: str) -> Language:
    """A language without a window.

    Args:
        code: one of `paths.languages`.
    """
    translator = QTranslator()
    found = code != SOURCE_LANGUAGE and translator.load(str(translation_path(code)))
    return Language(code, partial(_translate_by, (translator,))) if found else ENGLISH


def _translate(message: Message) -> str:
    """The template of a message in the window's language, or in English where it has no translation."""
    return _translate_by(_installed, message)


def _translate_by(translators: Sequence[QTranslator], message: Message) -> str:
    for translator in translators:
        if text := translator.translate("", message.template, message.comment, -1 if message.n is None else message.n):
            return text
    return english(message)


BRIEF_WORDS: Final = (Message("M", "male, in a short label"), Message("F", "female, in a short label"))
"""The same in labels with little room, see `overlay.BRIEF`."""

BADGE_TEXTS: Final = (Message("Faces hidden"), Message("Picture hidden"))
"""What the picture says of itself, see `OverlayStyle.privacy`."""


def label_word(name: str) -> str:
    """A label of a model in the window's language, or the label itself."""
    return translated_label(name, window_language())


def answer_word(answer: Answer) -> str:
    """What is shown of an answer, in the window's language."""
    return label_word(readable_age(answer.shown))


def answer_share(answer: Answer) -> str:
    """The probability of what is shown, as in "62%"; empty for one that claims nothing."""
    return "" if answer.share is None else f"{answer.share:.0%}"


def drawn_words() -> tuple[tuple[str, str], ...]:
    """What the picture says in place of English words, see `OverlayStyle.words`."""
    return tuple(
        (str(word), translated(word))
        for word in (*LABEL_WORDS, *BRIEF_WORDS, *BADGE_TEXTS)
        if translated(word) != str(word)
    )


def language_name(language: str) -> str:
    """A language's own name for itself."""
    return "English" if language == SOURCE_LANGUAGE else QLocale(language).nativeLanguageName()


def resolve_language(choice: str) -> str:
    """The code of the language to use: the choice, or the first that the user reads of those that are here."""
    names = QLocale.system().uiLanguages() if choice == "system" else [choice]
    for locale in map(QLocale, names):
        # That of the user's own country before another one's.
        for code in sorted(languages(), key=lambda code: QLocale(code) != locale):
            if _reads(locale, QLocale(code)):
                return code
    return SOURCE_LANGUAGE


def install_language(app: QApplication, choice: str) -> str:
    """Switch the window's language; open windows get a `LanguageChange` event.

    Returns:
        The code of the language in use.
    """
    global _language
    language = resolve_language(choice)
    if language == _language:
        return language
    _language = language
    while _installed:
        app.removeTranslator(_installed.pop())
    if language != SOURCE_LANGUAGE:
        ours, qts = QTranslator(), QTranslator()
        if ours.load(str(translation_path(language))):
            _install(app, ours)
        # The texts of Qt's own dialogs.
        if qts.load(QLocale(language), "qtbase", "_", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
            _install(app, qts)
    return language


def _reads(reader: QLocale, text: QLocale) -> bool:
    """Whether who reads one language reads the other: simplified Chinese is read in more than one country."""
    return (reader.language(), reader.script()) == (text.language(), text.script())


def _install(app: QApplication, translator: QTranslator) -> None:
    app.installTranslator(translator)
    # Qt does not keep translators alive.
    _installed.append(translator)
