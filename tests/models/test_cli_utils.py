from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from models.__main__ import main
from models.cli_utils import progress, run_tool

ROOT = Path(__file__).resolve().parents[2]


TOOLS_WITH_PYTORCH = ("train", "export", "finetune", "average", "temperature")


@pytest.mark.slow
def test_without_pytorch_a_tool_says_so_in_one_sentence() -> None:
    code = "import sys; sys.modules['torch'] = None; from models.__main__ import main\n"
    code += f"for tool in {TOOLS_WITH_PYTORCH}: print(main([tool, '--help']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2"] * len(TOOLS_WITH_PYTORCH)
    sentence = "Cannot run this tool: PyTorch is not installed. Install it with: uv sync --extra train"
    assert done.stderr.splitlines() == [sentence] * len(TOOLS_WITH_PYTORCH)


def test_a_mistyped_tool_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert "Did you mean train?" in capsys.readouterr().err
    assert main(["--help"]) == 0
    assert "finetune" in capsys.readouterr().out


def test_a_module_that_is_missed_late_is_one_sentence_too(capsys: pytest.CaptureFixture[str]) -> None:
    def run(_arguments: object) -> None:
        import no_such_module_here  # type: ignore[import-not-found]  # noqa: F401

    assert run_tool(run) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no_such_module_here is not installed" in line


def test_prepared_pictures_have_a_default_place(capsys: pytest.CaptureFixture[str]) -> None:

    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Agelens" in text.partition("--cache CACHE")[2]


def test_progress_is_printed_as_lines_for_a_program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGELENS_PROGRESS", "lines")
    assert list(progress(range(3), "preparing")) == [0, 1, 2]
    nothing: tuple[int, ...] = ()
    with progress(nothing, "training", total=9, done=4) as bar:
        bar.update(5)
    lines = capsys.readouterr().err.splitlines()
    assert {"progress\tpreparing\t0\t3", "progress\tpreparing\t3\t3"} <= set(lines)
    assert {"progress\ttraining\t4\t9", "progress\ttraining\t9\t9"} <= set(lines)
