from __future__ import annotations

import runpy
import sys

import pytest

from models.tool import run_tool


@pytest.mark.parametrize("tool", ["train", "export", "finetune", "average", "temperature"])
def test_without_pytorch_a_tool_says_so_in_one_sentence(
    tool: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, f"models.{tool}", raising=False)
    monkeypatch.setattr(sys, "argv", [f"models.{tool}", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"models.{tool}", run_name="__main__")
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "Cannot run this tool: PyTorch is not installed. Install it with: uv sync --extra train"


def test_a_module_that_is_missed_late_is_one_sentence_too(capsys: pytest.CaptureFixture[str]) -> None:
    def main(_arguments: object) -> None:
        import no_such_module_here  # type: ignore[import-not-found]  # noqa: F401

    assert run_tool(main) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no_such_module_here is not installed" in line


def test_prepared_pictures_have_a_default_place(capsys: pytest.CaptureFixture[str]) -> None:
    from models.prepare import main

    with pytest.raises(SystemExit):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Agelens" in text.partition("--cache CACHE")[2]
