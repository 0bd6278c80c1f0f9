"""Collects the texts of the program in `resources/translations/*.ts` and compiles these.

Run as `python -m tests.helpers.translations` after a text was added or changed, and again when it is translated.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import PySide6

from desktop_app.paths import ROOT, TRANSLATIONS_FOLDER

TOOLS: Final = Path(PySide6.__file__).parent
SOURCES: Final = sorted((ROOT / "desktop_app").rglob("*.py"))


def update(ts: Path) -> None:
    """Bring a `.ts` file up to date: new texts are unfinished in it, and those that are gone are dropped."""
    aliases = ",".join(f"tr+={name}" for name in ["Message", *sorted(error_names())])
    options = ["-silent", "-no-obsolete", "-sort-messages", "-locations", "none", "-tr-function-alias", aliases]
    _run("lupdate", *options, *(path.relative_to(ROOT).as_posix() for path in SOURCES), "-ts", str(ts))


def compile_ts(ts: Path, qm: Path) -> None:
    """Make the file that the program reads."""
    _run("lrelease", "-silent", str(ts), "-qm", str(qm))


def error_names() -> set[str]:
    """Names of `AgelensError` and of the classes made of it whose texts are translated."""
    return _subclasses("AgelensError") - _subclasses("CommandError")


def texts() -> Iterator[tuple[str, ast.Call]]:
    """The calls that make a text for the user, and where they stand."""
    makers = {"Message", "tr", *_subclasses("AgelensError")}
    for path in SOURCES:
        for node in ast.walk(parse(path)):
            match node:
                case ast.Call(args=[ast.Name(id="template"), *_]):
                    # What `Message` offers is made of others like it.
                    continue
                case ast.Call(func=ast.Name(id=name)) if name in makers:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def _subclasses(name: str) -> set[str]:
    """Names of a class and of those made of it."""
    classes = [node for path in SOURCES for node in ast.walk(parse(path)) if isinstance(node, ast.ClassDef)]
    names, before = {name}, 0
    while len(names) > before:
        before = len(names)
        names |= {
            node.name for node in classes if any(isinstance(base, ast.Name) and base.id in names for base in node.bases)
        }
    return names


def _run(tool: str, *arguments: str) -> None:
    subprocess.run([TOOLS / tool, *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    for one in sorted(TRANSLATIONS_FOLDER.glob("*.ts")):
        update(one)
        compile_ts(one, one.with_suffix(".qm"))
