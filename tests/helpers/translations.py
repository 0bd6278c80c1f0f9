"""Collects the texts of the program in `resources/translations/*.ts` and compiles these.

Run as `python -m tests.helpers.translations` after a text was added or changed, and again when it is translated; with
the code of a further language, as in `python -m tests.helpers.translations fr`, to begin that.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import jinja2
import PySide6

from desktop_app.analytics.report import TEMPLATE, template_environment
from desktop_app.paths import ROOT, TRANSLATIONS_FOLDER

TOOLS: Final = Path(PySide6.__file__).parent
_LITERALS: Final = (jinja2.nodes.Const, jinja2.nodes.TemplateData)
SOURCES: Final = sorted((ROOT / "desktop_app").rglob("*.py"))


def update(ts: Path) -> None:
    """Bring a `.ts` file up to date: new texts are unfinished in it, and those that are gone are dropped."""
    aliases = ",".join(f"tr+={name}" for name in ["Message", *sorted(error_names())])
    options = ["-silent", "-no-obsolete", "-sort-messages", "-locations", "none", "-tr-function-alias", aliases]
    with TemporaryDirectory() as folder:
        # A file that `lupdate` can read.
        template = Path(folder) / "template.py"
        template.write_text("\n".join(map(ast.unparse, template_texts())), encoding="utf-8")
        sources = [path.relative_to(ROOT).as_posix() for path in SOURCES]
        _run("lupdate", *options, *sources, str(template), "-ts", str(ts))


def compile_ts(ts: Path, qm: Path) -> None:
    """Make the file that the program reads."""
    _run("lrelease", "-silent", str(ts), "-qm", str(qm))


def error_names() -> set[str]:
    """Names of `AgelensError` and of the classes made of it whose texts are translated."""
    return _subclasses("AgelensError") - _subclasses("CommandError")


def texts() -> Iterator[tuple[str, ast.Call]]:
    """The calls that make a text for the user, and where they stand."""
    makers = makers_of_texts()
    for path in SOURCES:
        for node in ast.walk(parse(path)):
            match node:
                case ast.Call(args=[ast.Name(id="template"), *_]):
                    # What `Message` offers is made of others like it.
                    continue
                case ast.Call(func=ast.Name(id=name)) if name in makers:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node
    for call in template_texts():
        yield TEMPLATE.name, call


def template_texts() -> Iterator[ast.Call]:
    """The calls that make a text in the report's template, as the calls of `Message` that they stand for."""
    source = TEMPLATE.read_text(encoding="utf-8")
    for call in template_environment().parse(source).find_all(jinja2.nodes.Call):
        if isinstance(call.node, jinja2.nodes.Name) and call.node.name == "_":
            # Template and comment are literals, a count and what is put in need not be.
            given = [
                ast.Constant(one.as_const()) if isinstance(one, _LITERALS) else ast.Constant(0) for one in call.args
            ]
            keywords = [ast.keyword(one.key, ast.Constant(0)) for one in call.kwargs]
            yield ast.Call(ast.Name("Message"), list[ast.expr](given), keywords)


def makers_of_texts() -> set[str]:
    """Names of what makes a text of a template, those included that are not translated."""
    return {"Message", "tr", *_subclasses("AgelensError")}


def hidden_texts() -> Iterator[str]:
    """Where something else is called with a template and its parameters, which `lupdate` does not see."""
    makers = makers_of_texts()
    for path in SOURCES:
        for node in ast.walk(parse(path)):
            match node:
                case ast.Call(func=function, args=[ast.Constant(value=str(template)), *_], keywords=[_, *_] as given):
                    name = function.id if isinstance(function, ast.Name) else ""
                    if name not in makers and any(f"{{{keyword.arg}}}" in template for keyword in given):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}"


@cache
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
    new = [TRANSLATIONS_FOLDER / f"agelens_{code}.ts" for code in sys.argv[1:]]
    for path in sorted({*TRANSLATIONS_FOLDER.glob("*.ts"), *new}):
        update(path)
        compile_ts(path, path.with_suffix(".qm"))
