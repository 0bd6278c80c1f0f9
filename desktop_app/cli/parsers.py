"""The arguments of the program and of its commands."""

from __future__ import annotations

import argparse
import difflib
import logging
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from desktop_app.cli.argument_types import (
    PARTS,
    count_of_jobs,
    file_name,
    interval,
    line_of,
    moment,
    none_if_empty,
    parts,
    positive,
    share,
)
from desktop_app.cli.commands import EXIT_UNUSABLE, run_annotate, run_benchmark, run_cameras, run_models, run_window
from desktop_app.paths import SOURCE_LANGUAGE, languages
from desktop_app.version import program_version

LEVELS: Final = ("-v", "--verbose", "-q", "--quiet")
ALIKE: Final = 0.7
"""What is as similar to a name was probably meant by it, 0 to 1."""
COMMANDS: Final = {
    "annotate": "annotate sources without a window",
    "benchmark": "measure speed on this machine",
    "cameras": "list the cameras of this machine",
    "models": "list the models that can be used",
}
"""What each of them does."""
SOURCE_HELP: Final = (
    "a camera's index or name, a video or image file, a folder of images, an http(s):// or rtsp:// address, or `demo`"
)


class Parser(argparse.ArgumentParser):
    """Reports an error in one line, with a pointer to `--help`."""

    def error(self, message: str) -> NoReturn:
        """Report it, and exit."""
        self.exit(EXIT_UNUSABLE, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Report arguments that are not known, and what may have been meant by the first one."""
        word = next((one for one in unknown if one.startswith("-")), unknown[0])
        options = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        similar = difflib.get_close_matches(word.partition("=")[0], options, 1, ALIKE)
        hint = f"; did you mean {similar[0]}?" if similar else ""
        self.error(
            f"unknown argument: {word}{hint}" if len(unknown) == 1 else f"unknown arguments: {' '.join(unknown)}{hint}"
        )


def window_parser() -> Parser:
    """What may follow the name of the program where no command does."""
    parser = Parser(
        prog="agelens",
        description="Age group and perceived gender from live video, on your own machine.",
        epilog="\n".join(
            ["commands (each with --help):", *(f"  agelens {name:<13} {what}" for name, what in COMMANDS.items())]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help=f"{SOURCE_HELP}; several files are played one after the other; default: what was used last",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {program_version()}")
    parser.add_argument("--full-screen", action="store_true", help="start with the picture alone, for a public screen")
    _add_common(parser)
    _add_gender(parser)
    _finish(parser, run_window)
    return parser


def command_parser() -> Parser:
    """The commands and their arguments."""
    parser = Parser(prog="agelens")
    commands = parser.add_subparsers(required=True, parser_class=Parser)

    annotate = commands.add_parser("annotate", help=COMMANDS["annotate"])
    annotate.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help=f"{SOURCE_HELP}; or many: files, folders, patterns (`'*.jpg'`), lists of them (`@files.txt`)",
    )
    annotate.add_argument(
        "--output",
        type=file_name,
        metavar="FILE",
        help="video (.mp4, .mkv); for pictures also a picture or a folder; for many sources a folder",
    )
    annotate.add_argument(
        "--predictions",
        type=file_name,
        metavar="FILE",
        help="table (.csv, .jsonl or .parquet), a row a face a frame; - prints JSON lines as they come",
    )
    annotate.add_argument(
        "--people",
        type=file_name,
        metavar="FILE",
        help="table (.csv, .jsonl or .parquet), a row a visit: one face from first to last sighting",
    )
    annotate.add_argument(
        "--report",
        type=file_name,
        metavar="FILE",
        help="counts of the audience with their uncertainty, as a page "
        "(.html) or as values (.json); alone, it keeps nothing about a single face",
    )
    annotate.add_argument(
        "--language",
        choices=languages(),
        default=SOURCE_LANGUAGE,
        help=f"language of a report's page ({SOURCE_LANGUAGE})",
    )
    annotate.add_argument(
        "--line",
        action="append",
        type=line_of,
        default=[],
        metavar="X1,Y1,X2,Y2",
        dest="lines",
        help="count in --people, --report and --dataset how often faces cross this line, by direction: its two ends in "
        "shares of the picture's width and height, 0 to 1; may be given twice",
    )
    part = annotate.add_argument_group(
        "part of a film", "times in seconds (90, 0.5) or as minutes and hours (1:30, 1:02:03)"
    )
    part.add_argument("--start", type=moment, default=0.0, metavar="TIME", help="begin there")
    part.add_argument("--end", type=moment, metavar="TIME", help="end before; of a camera or stream, after that time")
    part.add_argument(
        "--every",
        type=interval,
        default=0.0,
        metavar="TIME",
        help="look at one frame in this time, and not at every frame; faces are followed the worse, the longer it is",
    )
    annotate.add_argument("--overwrite", action="store_true", help="replace files that exist")
    annotate.add_argument(
        "--audio",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="copy the sound of a film into the video (default), unless something is hidden",
    )
    annotate.add_argument(
        "--hardware-decoding",
        action="store_true",
        help="let a device decode films, if one can (its pictures, and so the predictions, may differ a little)",
    )
    many = annotate.add_argument_group("many sources")
    many.add_argument(
        "--dataset",
        type=file_name,
        metavar="FOLDER",
        help="tables of predictions, people and sources; the same command again does only what is missing or changed",
    )
    many.add_argument(
        "--format", choices=("parquet", "csv", "jsonl"), default="parquet", help="of its tables (parquet)"
    )
    many.add_argument("--recursive", action="store_true", help="also look into the folders within folders")
    many.add_argument("--jobs", type=count_of_jobs, default=0, metavar="N", help="processes (one a core)")
    many.add_argument(
        "--cluster", default="", metavar="ADDRESS", help="of a Dask scheduler, whose machines do the work (tcp://…)"
    )
    many.add_argument("--retry-failed", action="store_true", help="read again what could not be read")
    _add_common(annotate)
    _add_gender(annotate)
    finding = annotate.add_argument_group("faces")
    finding.add_argument(
        "--detector",
        choices=("auto", "short", "full"),
        default="auto",
        help="what looks for faces: all models as needed (auto), or MediaPipe's model for near or for far faces alone",
    )
    finding.add_argument(
        "--min-score",
        type=share,
        default=0.5,
        metavar="SCORE",
        help="leave out faces that the detector is less sure of: 0 to 1 (0.5)",
    )
    drawing = annotate.add_argument_group("drawing")
    drawing.add_argument("--mirror", action="store_true", help="turn the picture round as a mirror does, boxes too")
    drawing.add_argument(
        "--hide",
        type=parts,
        action="extend",
        default=[],
        metavar="PART[,PART…]",
        help=f"do not draw these: {', '.join(PARTS)}, or labels (all but boxes)",
    )
    annotate.add_argument(
        "--privacy",
        choices=("off", "faces", "picture"),
        default="off",
        help="in the output, hide each face that is found (one that is not found stays visible), or the whole picture "
        "under boxes and labels (nobody can be recognised)",
    )
    annotate.add_argument(
        "--privacy-style", choices=("blur", "pixelate"), default="blur", help="how it is hidden (blur)"
    )
    _finish(annotate, run_annotate)

    benchmark = commands.add_parser("benchmark", help=COMMANDS["benchmark"])
    benchmark.add_argument("source", metavar="SOURCE", nargs="?", default="demo", help=f"{SOURCE_HELP}; default: demo")
    benchmark.add_argument("--seconds", type=positive, metavar="N", help="how long to measure (10; 1 for --plot alone)")
    benchmark.add_argument("--json", action="store_true", help="print the figures as JSON")
    benchmark.add_argument(
        "--faces", action="store_true", help="also the cost against the number of faces (1 to 30) and frame size"
    )
    benchmark.add_argument(
        "--compare", action="store_true", help="also the usual way: the 2015 networks on every face of every frame"
    )
    benchmark.add_argument(
        "--archive",
        action="store_true",
        help="also many pictures (those of SOURCE where it is a folder) and films: by one process, by one a core, by a "
        "cluster, and the usual way",
    )
    benchmark.add_argument("--recall", action="store_true", help="also how small a face may be and still be found")
    benchmark.add_argument(
        "--recall-faces",
        type=file_name,
        metavar="FOLDER|ZIP",
        help="faces for --recall, one in each picture, in place of the demo's one portrait",
    )
    benchmark.add_argument(
        "--plot",
        type=file_name,
        metavar="FILE",
        help="draw the curves (.svg or .png); alone, few points of each, in about a minute",
    )
    benchmark.add_argument("--overwrite", action="store_true", help="replace a plot that exists")
    _add_common(benchmark)
    _finish(benchmark, run_benchmark)

    cameras = commands.add_parser("cameras", help=COMMANDS["cameras"])
    cameras.add_argument("--json", action="store_true", help="print them as JSON")
    _finish(cameras, run_cameras)
    models = commands.add_parser("models", help=COMMANDS["models"])
    models.add_argument("--json", action="store_true", help="print them as JSON, with all that is known of them")
    _finish(models, run_models)
    return parser


def _finish(parser: Parser, run: Callable[[argparse.Namespace], int]) -> None:
    """Add what all commands have."""
    levels = parser.add_mutually_exclusive_group()
    levels.add_argument(
        "-v", "--verbose", dest="level", action="store_const", const=logging.DEBUG, help="say more of what is done"
    )
    levels.add_argument(
        "-q", "--quiet", dest="level", action="store_const", const=logging.ERROR, help="say errors only"
    )
    parser.set_defaults(run=run, parser=parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model", metavar="NAME|FILE", type=none_if_empty, help="a model of `agelens models`, or its file"
    )
    group.add_argument(
        "--provider",
        choices=("auto", "cpu", "cuda", "directml", "coreml", "openvino"),
        help="what runs the networks (auto: the best that loads)",
    )
    group.add_argument(
        "--oversample",
        action=argparse.BooleanOptionalAction,
        help="average ten views of each face (slower)",
    )


def _add_gender(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gender",
        action=argparse.BooleanOptionalAction,
        help="compute perceived gender (default), or do without: its columns then stay empty",
    )
