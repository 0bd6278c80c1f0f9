"""`python -m models TOOL`: the tools that prepare data, train, judge, export and import networks."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import Final

from models.cli_utils import run_tool

TOOLS: Final = {
    "prepare": ("models.data.prepare", "cut the faces out of a data set once"),
    "train": ("models.training.train", "train a network"),
    "finetune": ("models.training.finetune", "fine-tune a model on your own pictures"),
    "soft-labels": ("models.training.soft_labels", "store a model's answers, for distillation"),
    "average": ("models.training.average", "average the weights of several checkpoints"),
    "temperature": ("models.training.temperature", "calibrate confidences"),
    "evaluate": ("models.evaluation.evaluate", "measure a model on a labelled data set"),
    "card": ("models.evaluation.card", "write a model card"),
    "export": ("models.export.export", "export a checkpoint as a model of the app"),
    "centerface": ("models.export.centerface", "make the face detector for stills from its authors' file"),
    "caffe": ("models.caffe.cli", "import a network trained with Caffe"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a tool.

    Args:
        arguments: its name and options; None: those of the process.

    Returns:
        The exit code: 0 done, 2 where the input cannot be used, 130 interrupted.
    """
    names = list(sys.argv[1:] if arguments is None else arguments)
    if not names or names[0] in {"-h", "--help"}:
        print("usage: python -m models TOOL [OPTIONS]\n")
        for name, (_, purpose) in TOOLS.items():
            print(f"  {name:12} {purpose}")
        print("\n`python -m models TOOL --help` lists the options of a tool.")
        return 0
    name, *options = names
    if name not in TOOLS:
        close = difflib.get_close_matches(name, TOOLS, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"Choose one of {', '.join(TOOLS)}."
        sys.stderr.write(f"Cannot run {name}: there is no such tool. {hint}\n")
        return 2

    def run(arguments: Sequence[str] | None) -> None:
        # Imported here, so that a package that is not installed is reported like any other error of a tool.
        importlib.import_module(TOOLS[name][0]).main(arguments)

    return run_tool(run, options)


if __name__ == "__main__":
    sys.exit(main())
