"""Translations: English in the source, other languages from the compiled files of Qt Linguist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator
from PySide6.QtWidgets import QApplication

from desktop_app.messages import Message, english
from desktop_app.paths import SOURCE_LANGUAGE, TRANSLATIONS_FOLDER, languages, translation_path
from desktop_app.vision.classification.label import Answer
from desktop_app.vision.drawing.overlay import readable_age

_PLACEHOLDER: Final = re.compile(r"\\\{(\w+)\\\}")
_SENTENCE_PARTS: Final = frozenset({"clause", "how", "kept", "reason", "what"})
"""Placeholders for words of the engine's own; others stand for names and figures, which stay as they are."""
_installed: list[QTranslator] = []
_language = "en"


class JsonTranslator(QTranslator):
    """Answers from one JSON object of English texts and their translations, whatever the context.

    Keys with `{placeholders}` also translate the sentences that the engine builds from them, see `translate_message`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        # The more of a sentence's beginning a pattern holds the surer it is: "{name} is wrong" fits many others too.
        keys = sorted(
            filter(_is_pattern, self._texts), key=lambda key: (key.index("{"), _count_words(key)), reverse=True
        )
        self._patterns = [
            (re.compile(_PLACEHOLDER.sub(r"(?P<\1>.+?)", re.escape(key)), re.DOTALL), self._texts[key]) for key in keys
        ]

    def isEmpty(self) -> bool:  # noqa: N802
        """Say that there is something in it: Qt would not ask it otherwise."""
        return False

    def translate(
        self,
        context: str,  # noqa: ARG002
        source_text: str,
        disambiguation: str | None = None,  # noqa: ARG002
        n: int = -1,  # noqa: ARG002
    ) -> str | None:
        """The translation, or None where there is none."""
        return self._texts.get(source_text)

    def translate_sentence(self, message: str) -> str:
        """The translation of a text that was built by the engine, or the text itself."""
        if message in self._texts:
            return self._texts[message]
        for pattern, text in self._patterns:
            if found := pattern.fullmatch(message):
                parts = {
                    name: self.translate_sentence(part) if name in _SENTENCE_PARTS else part
                    for name, part in found.groupdict().items()
                }
                return str(text.format(**parts))
        return message


def translate_message(message: str | Message) -> str:
    """A sentence of the engine (an error, a notice), or several lines of one, in the window's language."""
    if isinstance(message, Message):
        return translated(message)
    for translator in _installed:
        if isinstance(translator, JsonTranslator):
            return "\n".join(map(translator.translate_sentence, message.split("\n")))
    return message


def tr(template: str, comment: str | None = None, n: int | None = None, /, **parameters: object) -> str:
    """A text in the window's language; the arguments are those of `Message`."""
    return translated(Message(template, comment, n, **parameters))


def translated(message: Message) -> str:
    """A message in the window's language."""
    return message.render(_translate)


def _translate(message: Message) -> str:
    """The template of a message in the window's language, or in English where it has no translation."""
    for translator in _installed:
        if isinstance(translator, JsonTranslator):
            return translator.translate_sentence(message.template)
        if text := translator.translate("", message.template, message.comment, -1 if message.n is None else message.n):
            return text
    return english(message)


LABEL_WORDS: Final = (Message("Male"), Message("Female"))
"""The labels of models that have translations; files of predictions keep the model's own."""

BADGE_TEXTS: Final = (Message("Faces hidden"), Message("Picture hidden"))
"""What the picture says of itself, see `OverlayStyle.privacy`."""


def label_word(name: str) -> str:
    """A label of a model in the window's language, or the label itself."""
    return next((translated(word) for word in LABEL_WORDS if word.template == name), name)


def answer_word(answer: Answer) -> str:
    """What is shown of an answer, in the window's language."""
    return label_word(readable_age(answer.shown))


def answer_share(answer: Answer) -> str:
    """The probability of what is shown, as in "62%"; empty for one that claims nothing."""
    return "" if answer.share is None else f"{answer.share:.0%}"


def drawn_words() -> tuple[tuple[str, str], ...]:
    """What the picture says in place of English words, see `OverlayStyle.words`."""
    return tuple(
        (str(word), translated(word)) for word in (*LABEL_WORDS, *BADGE_TEXTS) if translated(word) != str(word)
    )


def language_name(language: str) -> str:
    """A language's own name for itself."""
    return "English" if language == SOURCE_LANGUAGE else QLocale(language).nativeLanguageName()


def resolve_language(choice: str) -> str:
    """The code of the language to use: the choice, or the first that the user reads of those that are here."""
    known = languages()
    wanted = QLocale.system().uiLanguages() if choice == "system" else [choice]
    return next((code for name in wanted for code in known if _reads(QLocale(name), QLocale(code))), SOURCE_LANGUAGE)


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
        _install(app, translation_path(language))
        # The texts of Qt's own dialogs.
        _install(app, Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)) / f"qtbase_{language}.qm")
        old = TRANSLATIONS_FOLDER / f"{language}.json"
        if old.is_file():
            _installed.append(JsonTranslator(old))
    return language


def _reads(reader: QLocale, text: QLocale) -> bool:
    """Whether who reads one language reads the other: simplified Chinese is read in more than one country."""
    return (reader.language(), reader.script()) == (text.language(), text.script())


def _is_pattern(key: str) -> bool:
    """Whether a text may be a sentence of the engine: one of too few words would fit many of them."""
    return "{" in key and _count_words(key) > 1


def _count_words(key: str) -> int:
    return len(re.sub(r"\{\w+\}", "", key).split())


def _install(app: QApplication, path: Path) -> None:
    translator = QTranslator()
    if translator.load(str(path)):
        app.installTranslator(translator)
        # Qt does not keep translators alive.
        _installed.append(translator)
