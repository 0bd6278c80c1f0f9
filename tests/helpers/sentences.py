"""Finds the sentences that the engine can say to the user by reading its source, with samples for names and figures."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = tuple(
    f"desktop_app/{name}" for name in ("catalogue", "sources", "vision", "output", "engine", "window")
)
FILES: Final = ("desktop_app/settings.py",)
COMMAND_LINE_ONLY: Final = ("engine/annotate.py", "window/application.py")
"""Beginnings of the paths of modules whose errors are written to a terminal before or without a window."""

SPOKEN_BY: Final = {"take_state": 1, "_on_failure": 0, "_publish": 1, "failed": 0}
"""Calls that hand a sentence on, and which of their arguments it is."""
SPOKEN_NAMES: Final = frozenset({"message", "notice", "_notice", "_problem"})
"""What variables and properties are called that hold a sentence."""
MAX_DEPTH: Final = 8

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Module:
    """A parsed file with what its names stand for."""

    path: str
    tree: ast.Module
    functions: dict[str, Function] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)
    scopes: dict[int, Function] = field(default_factory=dict)


def engine_sentences() -> dict[str, str]:
    """Every sentence that can reach the window, and where it is said.

    Names, figures and what the system says are samples such as `⟨3⟩`; words that the code itself puts in are there.
    """
    modules = [_parse(path) for path in _paths()]
    reader = _Reader(modules)
    return {text: place for module in modules for text, place in reader.sentences(module) if " " in text}


def _paths() -> Iterator[Path]:
    for path in [
        *(one for folder in FOLDERS for one in sorted((ROOT / folder).rglob("*.py"))),
        *map(ROOT.joinpath, FILES),
    ]:
        if not path.relative_to(ROOT).as_posix().removeprefix("desktop_app/").startswith(COMMAND_LINE_ONLY):
            yield path


def _parse(path: Path) -> Module:
    module = Module(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            module.functions[node.name] = node
            # The innermost function comes last in a walk from the outside in.
            module.scopes.update({id(inner): node for inner in ast.walk(node)})
    for statement in module.tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            module.values.update(dict.fromkeys(_targets(statement), statement.value))
    return module


class _Reader:
    def __init__(self, modules: Iterable[Module]) -> None:
        self._modules = list(modules)
        self._errors = {"AgelensError"}
        classes = [node for one in self._modules for node in ast.walk(one.tree) if isinstance(node, ast.ClassDef)]
        for _ in range(3):
            self._errors |= {node.name for node in classes if any(_name(base) in self._errors for base in node.bases)}
        self._samples = itertools.count()

    def sentences(self, module: Module) -> Iterator[tuple[str, str]]:
        for node in ast.walk(module.tree):
            said: ast.expr | None = None
            if isinstance(node, ast.Call):
                place = 0 if _name(node.func) in self._errors else SPOKEN_BY.get(_name(node.func), -1)
                said = node.args[place] if 0 <= place < len(node.args) else None
            elif isinstance(node, ast.Assign | ast.AnnAssign | ast.Return):
                names = [module.scopes[id(node)].name] if isinstance(node, ast.Return) else _targets(node)
                said = node.value if SPOKEN_NAMES.intersection(names) else None
            if said is not None:
                for text in self._read(said, module, 0):
                    yield text, f"{module.path}:{said.lineno}"

    def _read(self, node: ast.expr, module: Module, depth: int) -> list[str]:
        """What an expression can be: all its texts, or a sample where it is none of ours."""
        texts = list(dict.fromkeys(self._texts(node, module, depth))) if depth < MAX_DEPTH else []
        return texts or [f"⟨{next(self._samples)}⟩"]

    def _texts(self, node: ast.expr, module: Module, depth: int) -> Iterator[str]:
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                read = [
                    self._read(part.value if isinstance(part, ast.FormattedValue) else part, module, depth + 1)
                    for part in parts
                ]
                yield from map("".join, itertools.product(*read))
            case ast.IfExp(body=body, orelse=other):
                for one in (body, other):
                    yield from self._texts(one, module, depth + 1)
            case ast.BoolOp(values=values):
                for one in values:
                    yield from self._texts(one, module, depth + 1)
            case (
                ast.Subscript(value=ast.Name(id=name))
                | ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get"))
            ) if isinstance(module.values.get(name), ast.Dict):
                table = module.values[name]
                assert isinstance(table, ast.Dict)
                for one in table.values:
                    yield from self._texts(one, module, depth + 1)
            case ast.Call(func=function):
                yield from self._returned(_name(function), module, depth)
            case ast.Name(id=name):
                yield from self._named(name, node, module, depth)

    def _returned(self, name: str, module: Module, depth: int) -> Iterator[str]:
        """What a function of ours returns."""
        home = next((one for one in [module, *self._modules] if name in one.functions), None)
        if home is None or depth >= MAX_DEPTH:
            return
        for node in ast.walk(home.functions[name]):
            if isinstance(node, ast.Return) and node.value is not None:
                yield from self._texts(node.value, home, depth + 1)

    def _named(self, name: str, node: ast.expr, module: Module, depth: int) -> Iterator[str]:
        """What a variable holds: what is assigned to it, or what callers give for a parameter; or a constant's text."""
        home = next((one for one in [module, *self._modules] if name.isupper() and name in one.values), None)
        if home is not None:
            yield from self._texts(home.values[name], home, depth + 1)
        function = module.scopes.get(id(node))
        if function is None or depth >= MAX_DEPTH:
            return
        for inner in ast.walk(function):
            if isinstance(inner, ast.Assign | ast.AnnAssign) and inner.value is not None and name in _targets(inner):
                yield from self._texts(inner.value, module, depth + 1)
        parameters = [argument.arg for argument in function.args.args if argument.arg != "self"]
        if name not in parameters:
            return
        place = parameters.index(name)
        for call in ast.walk(module.tree):
            if isinstance(call, ast.Call) and _name(call.func) == function.name and place < len(call.args):
                yield from self._texts(call.args[place], module, depth + 1)


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    return [_name(target) for target in (node.targets if isinstance(node, ast.Assign) else [node.target])]


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
