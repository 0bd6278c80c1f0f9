"""The command line of `models train`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from models.cli_utils import ToolError, not_negative, not_negative_real, positive, positive_real
from models.data.prepare import add_cache_option, add_data_options, add_margin_option, margin_of
from models.networks.architectures import INPUT_SIZE, NetworkName
from models.training.trainer import DEFAULT_WORKERS

PAPER_OPTIONS: Final = ("mean", "step_every", "step_at")
COMPACT_OPTIONS: Final = ("side", "sides", "augment", "batch_size", "gender_weight", "mixup")
"""Options that only one recipe knows."""


def parse_options(arguments: Sequence[str] | None, description: str) -> argparse.Namespace:
    """What was asked for.

    Args:
        arguments: None: those of the process.
        description: the tool's, for its help.

    Raises:
        ToolError: options that do not go together.
    """
    parser = _build_parser(description)
    options = parser.parse_args(arguments)
    if len(options.widths) != len(options.blocks):
        raise ToolError("--widths and --blocks must have as many numbers")
    if options.teacher_weight is not None and not (options.teacher or options.soft_labels):
        raise ToolError("--teacher-weight has no teacher; name one with --teacher or --soft-labels")
    if options.balance_groups and not options.soft_labels:
        raise ToolError("--balance-groups needs to know where a network errs; give its answers with --soft-labels")
    if options.balance_groups and options.task == "age":
        raise ToolError("--balance-groups weighs gender, which --task age leaves out; leave one of them out")
    if options.data == "fairface" and options.split != "train":
        raise ToolError("the pictures of val are those that the training is judged on; leave out --split")
    if options.output.is_dir():
        raise ToolError(f"{options.output} is a folder; name a file in it with --output")
    others = PAPER_OPTIONS if options.recipe == "compact" else COMPACT_OPTIONS
    for name in others:
        if getattr(options, name) != parser.get_default(name):
            raise ToolError(f"--{name.replace('_', '-')} is not for --recipe {options.recipe}; leave it out")
    if options.hold_out and (options.cross_validate or options.test_fold is not None):
        raise ToolError("a fold is held out already; leave out --hold-out")
    if options.data != "adience" and (options.cross_validate or options.test_fold is not None):
        raise ToolError("only Adience has folds; leave out --cross-validate and --test-fold")
    options.margin = margin_of(options)
    return options


def _parse_sides(text: str) -> tuple[tuple[float, int], ...]:
    stages = tuple((float(one.split(":")[0]), int(one.split(":")[1])) for one in text.split(","))
    if stages[0][0] != 0 or list(stages) != sorted(stages) or not all(32 <= side <= 256 for _, side in stages):
        raise ValueError(text)
    return stages


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def _build_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models train", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", choices=("paper", "compact"), required=True, help="how to train")
    parser.add_argument("--architecture", choices=get_args(NetworkName), help="network (default: the recipe's)")
    parser.add_argument("--task", choices=("age", "gender", "both"), default="both", help="what to answer")
    add_data_options(parser)
    add_margin_option(parser)
    parser.add_argument(
        "--hold-out",
        type=positive,
        metavar="N",
        help="judge on N pictures that are drawn from these and not learnt (default: a tenth; FairFace: those of val)",
    )
    parser.add_argument("--age-buckets", default="", help="age groups, such as 0-12,13-19,20-64,65+")
    parser.add_argument("--test-fold", type=int, choices=range(5), help="Adience: hold this fold out")
    parser.add_argument(
        "--cross-validate", action="store_true", help="Adience: train five times, each fold held out once"
    )
    add_cache_option(parser)
    parser.add_argument("--output", type=Path, required=True, help="the checkpoint to write, and to go on from")
    parser.add_argument("--iterations", type=positive, help="steps (paper: 50,000)")
    parser.add_argument("--minutes", type=positive_real, help="time to train for, instead of steps")
    parser.add_argument(
        "--init",
        type=Path,
        metavar="FILE",
        help="checkpoint, or manifest of a model, or published weights (CONTRIBUTING.md says which) to start from",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="checkpoint whose answers are learnt as well; of several, the mean",
    )
    parser.add_argument("--soft-labels", type=Path, metavar="FILE", help="answers to learn, from `models soft-labels`")
    parser.add_argument(
        "--teacher-weight",
        type=not_negative_real,
        help="how much such answers count beside the labels (default: 1; 0: they only serve --balance-groups)",
    )
    parser.add_argument(
        "--balance-groups",
        type=positive_real,
        metavar="POWER",
        help="count the gender of each group of race and gender by how often the soft labels err there, to this power",
    )
    parser.add_argument("--rate", type=positive_real, help="highest learning rate (paper 1e-3, compact 3e-3)")
    parser.add_argument("--seed", type=not_negative, default=0, help="where all chance comes from")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--bfloat16", action="store_true", help="calculate in half the width: faster, where supported")
    parser.add_argument(
        "--workers", type=not_negative, default=DEFAULT_WORKERS, help="processes that make random views"
    )
    paper = parser.add_argument_group("recipe paper")
    paper.add_argument("--norm", choices=("lrn", "batch"), default="lrn", help="normalisation after the first pools")
    paper.add_argument("--mean", choices=("image", "channel"), default="image", help="what is taken from the pixels")
    steps = paper.add_mutually_exclusive_group()
    steps.add_argument(
        "--step-every",
        type=positive,
        default=10_000,
        metavar="N",
        help="the rate falls to a tenth every N steps, as in the authors' solver files (default: %(default)s)",
    )
    steps.add_argument(
        "--step-at",
        type=positive,
        metavar="N",
        help="the rate falls to a tenth once, at step N, as the paper's text says",
    )
    compact = parser.add_argument_group("recipe compact")
    compact.add_argument("--sides", type=_parse_sides, help="e.g. 0:128,0.35:160,0.8:227")
    compact.add_argument("--augment", type=_share, default=0.5, help="how often views are damaged, 0 to 1")
    compact.add_argument(
        "--gender-weight", type=positive_real, default=1.0, help="how much gender counts beside age (default: 1)"
    )
    compact.add_argument(
        "--mixup",
        type=positive_real,
        default=0.0,
        metavar="ALPHA",
        help="blend pictures in pairs, by shares from a beta distribution with this parameter (default: not)",
    )
    compact.add_argument("--batch-size", type=positive, default=128, help="pictures a step (default: %(default)s)")
    compact.add_argument(
        "--side", type=positive, default=INPUT_SIZE, help="shrink the input to this side inside the network"
    )
    compact.add_argument("--stem-width", type=int, default=24, help="channels of the first convolution")
    compact.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128, 256], help="channels of the stages")
    compact.add_argument("--blocks", type=int, nargs="+", default=[1, 1, 2, 1], help="blocks of the stages")
    return parser
