"""Command line: parses arguments; each command is one call into the code that does the work."""

from __future__ import annotations

import argparse
import atexit
import difflib
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from desktop_app.errors import AgelensError, CommandError, describe_error
from desktop_app.imports import without_collecting
from desktop_app.messages import ENGLISH, Language
from desktop_app.paths import SOURCE_LANGUAGE, languages
from desktop_app.stopping import StopRequest
from desktop_app.terminal import (
    EXIT_INTERRUPTED,
    ProgressLine,
    count_of,
    drop_output,
    fill_standard_streams,
    handle_signals,
    leave,
    notes,
    run_interruptibly,
    say,
    show_notes,
    table,
)

if TYPE_CHECKING:
    from desktop_app.catalogue.catalogue import ModelChoice, ModelPackage
    from desktop_app.engine.annotate import AnnotationProgress
    from desktop_app.engine.archive.archive import ArchiveProgress
    from desktop_app.vision.geometry import Line

EXIT_DONE: Final = 0
_INTERRUPTED: Final = "interrupted; what was written so far is kept"
EXIT_UNUSABLE: Final = 2
EXIT_FAILED: Final = 3
"""Some of many sources could not be read; the others are done."""
_MOST_JOBS: Final = 1024
_PARTS: Final = {
    "boxes": "boxes",
    "numbers": "names",
    "ages": "ages",
    "genders": "genders",
    "confidences": "confidences",
}
"""What `--hide` can leave out, and the attribute of `OverlayStyle`."""
_SHOWN_SCORES: Final = {"age_exact": "age exact", "age_within_one": "within one", "gender": "gender"}
_LEVELS: Final = ("-v", "--verbose", "-q", "--quiet")
_ALIKE: Final = 0.7
"""What is as similar to a name was probably meant by it, 0 to 1."""
_MODEL_OPTIONS: Final = ("model", "provider", "oversample", "gender")
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


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, with a pointer to `--help`."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_UNUSABLE, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Report arguments that are not known, and what may have been meant by the first one."""
        word = next((one for one in unknown if one.startswith("-")), unknown[0])
        options = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        similar = difflib.get_close_matches(word.partition("=")[0], options, 1, _ALIKE)
        hint = f"; did you mean {similar[0]}?" if similar else ""
        self.error(
            f"unknown argument: {word}{hint}" if len(unknown) == 1 else f"unknown arguments: {' '.join(unknown)}{hint}"
        )


def run() -> NoReturn:
    """Run the program with this process's arguments and exit."""
    fill_standard_streams()
    code = EXIT_DONE

    def end() -> None:
        # A thread that a driver holds cannot be ended: Python would unwind it through C++, which aborts the process.
        if any(thread.daemon for thread in threading.enumerate()):
            leave(code)

    # The first to be registered is the last to be called: pictures that are still being saved are saved by then.
    atexit.register(end)
    # Until there is something to finish: an exception would come in the middle of an import, which Qt does not survive.
    handle_signals(_leave_at_once)
    try:
        code = main(sys.argv[1:])
        handle_signals(lambda *_: leave(code))
    except KeyboardInterrupt:
        # The second signal, or the first one that came when all was done.
        leave(EXIT_INTERRUPTED)
    sys.exit(code)


def _leave_at_once(_number: int, _frame: object) -> NoReturn:
    say(_INTERRUPTED)
    leave(EXIT_INTERRUPTED)


def main(arguments: Sequence[str]) -> int:
    """Run the program.

    Args:
        arguments: what follows the program's name.

    Returns:
        0 done, 2 wrong arguments or unusable input (one line on stderr), 3 some of many sources could not be read and
        the others are done, 130 interrupted with what was written kept.
    """
    try:
        _set_up_log()
        options = _parse(arguments)
        if options.level is not None:
            show_notes(options.level)
        command: Callable[[argparse.Namespace], int] = options.run
        code = command(options)
        # Here rather than at Python's end, where a full disk or a reader that left can no longer be handled.
        sys.stdout.flush()
        return code
    except AgelensError as error:
        say(str(error))
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        say(_INTERRUPTED)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has ended, as `head` does: there is nothing to report, and nowhere.
        drop_output()
        return EXIT_DONE
    except OSError as error:
        say(str(describe_error(error)))
        drop_output()
        return EXIT_UNUSABLE


def _set_up_log() -> None:
    show_notes(logging.INFO)
    level = os.environ.get("AGELENS_LOG", "CRITICAL")
    try:
        logging.basicConfig(level=level.upper(), format="%(threadName)s %(message)s")
    except ValueError:
        raise CommandError(
            "Cannot log at the level “{level}”. Set AGELENS_LOG to DEBUG, INFO, WARNING or ERROR.",
            level=level,
        ) from None


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse; a first word that is not a command is the window's source."""
    words = [word for word in arguments if word not in _LEVELS]
    try:
        if words and words[0] in COMMANDS:
            # Also where they stand before the command.
            levels = [word for word in arguments[: arguments.index(words[0])] if word in _LEVELS]
            parser, given = _command_parser(), [words[0], *levels, *arguments[len(levels) + 1 :]]
        else:
            if words:
                _check_spelling(words[0])
            parser, given = _window_parser(), list(arguments)
        options, unknown = parser.parse_known_args(given)
        if unknown:
            options.parser.refuse(unknown)
        return options
    except SystemExit as end:
        raise _Exit(int(end.code or 0)) from None


def _check_spelling(word: str) -> None:
    """Find out whether a command was meant where there is no such source.

    Raises:
        CommandError: it seems so.
    """
    similar = difflib.get_close_matches(word.lower(), COMMANDS, 1, _ALIKE)
    if not similar:
        return
    from desktop_app.sources.cameras import list_cameras
    from desktop_app.sources.opening import classify_spec

    if classify_spec(word) == "camera" and not any(word.lower() in camera.name.lower() for camera in list_cameras()):
        raise CommandError(
            "Cannot open “{word}”: there is no command, file or camera of that name. Did you mean `agelens {command}`?",
            word=word,
            command=similar[0],
        )


class _Exit(SystemExit):
    """The parser has printed its message."""


def _window_parser() -> _Parser:
    parser = _Parser(
        prog="agelens",
        description="Age group and perceived gender from live video, on your own machine.",
        epilog="\n".join(
            ["commands (each with --help):", *(f"  agelens {name:<13} {what}" for name, what in COMMANDS.items())]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", nargs="?", metavar="SOURCE", help=f"{SOURCE_HELP}; default: the last one used")
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    parser.add_argument("--full-screen", action="store_true", help="start with the picture alone, for a public screen")
    _add_common(parser)
    _add_gender(parser)
    _finish(parser, _run_window)
    return parser


def _command_parser() -> _Parser:
    parser = _Parser(prog="agelens")
    commands = parser.add_subparsers(required=True, parser_class=_Parser)

    annotate = commands.add_parser("annotate", help=COMMANDS["annotate"])
    annotate.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help=f"{SOURCE_HELP}; or many: files, folders, patterns (`'*.jpg'`), lists of them (`@files.txt`)",
    )
    annotate.add_argument(
        "--output",
        type=_file_name,
        metavar="FILE",
        help="video (.mp4, .mkv); for pictures also a picture or a folder; for many sources a folder",
    )
    annotate.add_argument(
        "--predictions",
        type=_file_name,
        metavar="FILE",
        help="table (.csv, .jsonl or .parquet), a row a face a frame; - prints JSON lines as they come",
    )
    annotate.add_argument(
        "--people",
        type=_file_name,
        metavar="FILE",
        help="table (.csv, .jsonl or .parquet), a row a visit: one face from first to last sighting",
    )
    annotate.add_argument(
        "--report",
        type=_file_name,
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
        type=_line,
        default=[],
        metavar="X1,Y1,X2,Y2",
        dest="lines",
        help="count in --people, --report and --dataset how often faces cross this line, by direction: its two ends in "
        "shares of the picture's width and height, 0 to 1; may be given twice",
    )
    part = annotate.add_argument_group(
        "part of a film", "times in seconds (90, 0.5) or as minutes and hours (1:30, 1:02:03)"
    )
    part.add_argument("--start", type=_moment, default=0.0, metavar="TIME", help="begin there")
    part.add_argument("--end", type=_moment, metavar="TIME", help="end before; of a camera or stream, after that time")
    part.add_argument(
        "--every",
        type=_interval,
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
        type=_file_name,
        metavar="FOLDER",
        help="tables of predictions, people and sources; the same command again does only what is missing or changed",
    )
    many.add_argument(
        "--format", choices=("parquet", "csv", "jsonl"), default="parquet", help="of its tables (parquet)"
    )
    many.add_argument("--recursive", action="store_true", help="also look into the folders within folders")
    many.add_argument("--jobs", type=_count_of_jobs, default=0, metavar="N", help="processes (one a core)")
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
        type=_share,
        default=0.5,
        metavar="SCORE",
        help="leave out faces that the detector is less sure of: 0 to 1 (0.5)",
    )
    drawing = annotate.add_argument_group("drawing")
    drawing.add_argument("--mirror", action="store_true", help="turn the picture round as a mirror does, boxes too")
    drawing.add_argument(
        "--hide",
        type=_parts,
        action="extend",
        default=[],
        metavar="PART[,PART…]",
        help=f"do not draw these: {', '.join(_PARTS)}, or labels (all but boxes)",
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
    _finish(annotate, _run_annotate)

    benchmark = commands.add_parser("benchmark", help=COMMANDS["benchmark"])
    benchmark.add_argument("source", metavar="SOURCE", nargs="?", default="demo", help=f"{SOURCE_HELP}; default: demo")
    benchmark.add_argument("--seconds", type=_positive, default=10.0, metavar="N", help="how long to measure (10)")
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
        type=_file_name,
        metavar="FOLDER|ZIP",
        help="faces for --recall, one in each picture, in place of the demo's one portrait",
    )
    benchmark.add_argument("--plot", type=_file_name, metavar="FILE", help="draw the curves (.svg or .png)")
    benchmark.add_argument("--overwrite", action="store_true", help="replace a plot that exists")
    _add_common(benchmark)
    _finish(benchmark, _run_benchmark)

    cameras = commands.add_parser("cameras", help=COMMANDS["cameras"])
    cameras.add_argument("--json", action="store_true", help="print them as JSON")
    _finish(cameras, _run_cameras)
    models = commands.add_parser("models", help=COMMANDS["models"])
    models.add_argument("--json", action="store_true", help="print them as JSON, with all that is known of them")
    _finish(models, _run_models)
    return parser


def _finish(parser: _Parser, run: Callable[[argparse.Namespace], int]) -> None:
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
        "--model", metavar="NAME|FILE", type=_none_if_empty, help="a model of `agelens models`, or its file"
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


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that are not None, by name."""
    return {name: value for name in names if (value := getattr(options, name, None)) is not None}


def _model_choice(options: argparse.Namespace) -> ModelChoice:
    from desktop_app.catalogue.catalogue import ModelChoice

    return ModelChoice(**_given(options, *_MODEL_OPTIONS))


def _language(code: str) -> Language:
    if code == SOURCE_LANGUAGE:
        return ENGLISH
    # Qt's core, without a window: it reads the files of translations.
    from desktop_app.window.style.translation import load_language

    return load_language(code)


def _analysis(options: argparse.Namespace) -> dict[str, Any]:
    """The options of `annotate` that say what to look at, and how, as `AnalysisSettings` has them."""
    from desktop_app.sources.excerpt import Excerpt
    from desktop_app.vision.drawing.overlay import OverlayStyle

    start_s, end_s = options.start, options.end
    if end_s is not None and end_s <= start_s:
        raise CommandError(
            "Cannot annotate from {start} s to {end} s: the end is not after the start. Choose a later --end.",
            start=f"{start_s:g}",
            end=f"{end_s:g}",
        )
    shown: dict[str, Any] = {name: part not in options.hide for part, name in _PARTS.items()}
    return {
        "choice": _model_choice(options),
        "mirror": options.mirror,
        "detector": options.detector,
        "min_score": options.min_score,
        "lines": tuple(options.lines),
        "excerpt": Excerpt(start_s, end_s, options.every),
        "hardware_decoding": options.hardware_decoding,
        "style": OverlayStyle(privacy=options.privacy, privacy_style=options.privacy_style, **shown),
    }


def _run_window(options: argparse.Namespace) -> int:
    from desktop_app.window.application import run_window

    given = _given(options, "source", *_MODEL_OPTIONS)
    if options.model:
        from desktop_app.catalogue.catalogue import Catalogue

        # What is chosen here is kept for the next starts, which may be in another folder.
        package = Catalogue().find(options.model)
        given["model"] = package.name if options.model == package.name else str(package.path.absolute())
    return run_window(given, full_screen=options.full_screen)


def _run_annotate(options: argparse.Namespace) -> int:
    with without_collecting():
        from desktop_app.engine.archive.sources import is_many

    if options.dataset is not None or options.recursive or is_many(options.sources):
        return _run_archive(options)
    faces = 0
    newest: AnnotationProgress | None = None

    def work(stop: StopRequest) -> None:
        nonlocal faces, newest
        with without_collecting():
            from desktop_app.engine.annotate import AnnotationRequest, annotate

        request = AnnotationRequest(
            source=options.sources[0],
            output=options.output,
            predictions=options.predictions,
            people=options.people,
            report=options.report,
            overwrite=options.overwrite,
            audio=options.audio,
            language=_language(options.language),
            **_analysis(options),
        )
        told = ""
        with closing(annotate(request, stop)) as steps:
            for progress in steps:
                newest, faces = progress, faces + progress.faces
                line.show(progress.frames, progress.total, f"faces={progress.faces}")
                if progress.notice and progress.notice != told:
                    told = progress.notice
                    line.add(told)

    # Not among the lines that a terminal shows.
    hidden = options.predictions == Path("-") and sys.stdout.isatty()
    line = ProgressLine(" frames", hidden=hidden or not notes.isEnabledFor(logging.INFO))
    try:
        run_interruptibly(work, has_begun=lambda: newest is not None)
    finally:
        line.close()
        if newest is not None and newest.dropped:
            notes.info("Pictures skipped to keep up with the source: %d", newest.dropped)
    # A source without a frame ended with an error.
    assert newest is not None
    seen = [count_of(newest.frames, "frame" if newest.seconds else "picture"), count_of(faces, "face")]
    if newest.seconds:
        seen += [count_of(newest.visits, "visit"), f"{newest.seconds:.1f} s"]
    outputs = _given(options, "output", "predictions", "people", "report").values()
    names = ("standard output" if path == Path("-") else str(path) for path in outputs)
    notes.info("wrote %s: %s", ", ".join(seen), ", ".join(names))
    return EXIT_DONE


def _run_archive(options: argparse.Namespace) -> int:
    newest: ArchiveProgress | None = None

    def work(stop: StopRequest) -> None:
        nonlocal newest
        with without_collecting():
            from desktop_app.engine.archive.archive import ArchiveRequest, annotate_archive
            from desktop_app.engine.archive.sources import ArchiveError

        for name in ("predictions", "people", "report"):
            if getattr(options, name) is not None:
                raise ArchiveError(
                    "Cannot write --{name} of several sources. Leave it out, and name a folder for tables and a report "
                    "with --dataset.",
                    name=name,
                )
        request = ArchiveRequest(
            specs=options.sources,
            recursive=options.recursive,
            dataset=options.dataset,
            output=options.output,
            table_format=options.format,
            jobs=options.jobs,
            cluster=options.cluster,
            overwrite=options.overwrite,
            retry_failed=options.retry_failed,
            audio=options.audio,
            language=_language(options.language),
            **_analysis(options),
        )
        with closing(annotate_archive(request, stop)) as steps:
            for newest in steps:
                rate = newest.frames / newest.seconds if newest.seconds else 0.0
                line.show(newest.files, newest.total, f"frames/s={rate:.1f}")
                for sentence in newest.lines:
                    line.add(sentence)

    line = ProgressLine(" files", hidden=not notes.isEnabledFor(logging.INFO))
    try:
        run_interruptibly(work)
    finally:
        line.close()
        if newest is not None:
            seen = [
                count_of(newest.files, "file"),
                count_of(newest.frames, "frame"),
                count_of(newest.faces, "face"),
                count_of(newest.visits, "visit"),
            ]
            seen += [f"{newest.earlier} done before"] if newest.earlier else []
            seen += [f"{newest.failed} failed"] if newest.failed else []
            outputs = _given(options, "output", "dataset").values()
            notes.info("wrote %s: %s", ", ".join(seen), ", ".join(map(str, outputs)))
    assert newest is not None
    return EXIT_FAILED if newest.failed else EXIT_DONE


def _run_benchmark(options: argparse.Namespace) -> int:
    printed = ""

    def work(_: StopRequest) -> None:
        nonlocal printed
        from desktop_app.benchmark.archive import ArchiveSize
        from desktop_app.benchmark.benchmark import BenchmarkRequest, run_benchmark

        request = BenchmarkRequest(
            source=options.source,
            seconds=options.seconds,
            choice=_model_choice(options),
            faces=options.faces,
            compare=options.compare,
            archive=ArchiveSize() if options.archive else None,
            recall=options.recall or options.recall_faces is not None,
            recall_faces=options.recall_faces,
            plot=options.plot,
            overwrite=options.overwrite,
        )
        report = run_benchmark(request, tell=partial(notes.info, "measuring: %s"))
        printed = report.as_json() if options.json else report.as_text()

    run_interruptibly(work)
    print(printed)
    return EXIT_DONE


def _run_cameras(options: argparse.Namespace) -> int:
    from desktop_app.sources.cameras import list_cameras

    cameras = list_cameras()
    rows = [(str(camera.index), camera.name, camera.backend) for camera in cameras]
    if options.json:
        print(json.dumps([asdict(camera) for camera in cameras], ensure_ascii=False, indent=1))
    elif rows and sys.stdout.isatty():
        print("\n".join(table(("index", "name", "backend"), rows, left=3)))
    else:
        for row in rows:
            print("\t".join(row))
    if not cameras:
        notes.info("No camera is connected. Connect one, or use `demo` as the source.")
    return EXIT_DONE


def _run_models(options: argparse.Namespace) -> int:
    from desktop_app.catalogue.catalogue import Catalogue, user_models_folder

    packages, errors = Catalogue().packages()
    if options.json:
        print(json.dumps([_model_values(package) for package in packages], ensure_ascii=False, indent=1))
    elif sys.stdout.isatty():
        shown = [_model_row(package) for package in packages]
        print("\n".join(table(("name", "title", "size", "age groups", *_SHOWN_SCORES.values()), shown, left=2)))
    else:
        for package in packages:
            scores = ", ".join(f"{name} {value:.3f}" for name, value in package.manifest.scores.items() if value <= 1)
            ages = " ".join(label.name for label in package.labels.ages)
            size = f"{package.size_bytes / 1e6:.1f} MB"
            print(f"{package.name}\t{package.title}\t{size}\t{scores or 'not measured'}\t{ages}")
    for error in errors:
        say(str(error))
    notes.info("your own models go into %s", user_models_folder())
    return EXIT_DONE


def _model_values(package: ModelPackage) -> dict[str, Any]:
    return {
        "name": package.name,
        "title": package.title,
        "manifest": str(package.path),
        "size_bytes": package.size_bytes,
        "files": dict(package.manifest.files),
        "ages": [asdict(label) for label in package.labels.ages],
        "genders": list(package.labels.genders),
        "scores": dict(package.manifest.scores),
        "about": dict(package.manifest.about),
    }


def _model_row(package: ModelPackage) -> tuple[str, ...]:
    ages, scores = package.labels.ages, package.manifest.scores
    groups = f"{len(ages)}: {ages[0].name} to {ages[-1].name}"
    shown = (f"{100 * scores[name]:.1f} %" if name in scores else "–" for name in _SHOWN_SCORES)
    return package.name, package.title, f"{package.size_bytes / 1e6:.1f} MB", groups, *shown


def _none_if_empty(text: str) -> str | None:
    return text or None


def _file_name(text: str) -> Path:
    # What an unset variable of a script leaves; as a path it would mean the present folder.
    if not text:
        raise argparse.ArgumentTypeError("the name of the file is empty")
    return Path(text)


def _line(text: str) -> Line:
    from desktop_app.vision.geometry import Line

    try:
        line = Line(*map(float, text.split(",")))
    except (TypeError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is not four numbers with commas between them") from None
    if not line.is_valid:
        raise argparse.ArgumentTypeError(f"{text!r} is too short, or not in the picture: its numbers must be 0 to 1")
    return line


def _count_of_jobs(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_JOBS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes from 1 to {_MOST_JOBS}")
    return int(text)


def _moment(text: str) -> float:
    """Seconds, or minutes and seconds, or hours, minutes and seconds."""
    try:
        *larger, last = text.split(":")
        if len(larger) > 2 or not all(part.isascii() and part.isdecimal() for part in larger):
            raise ValueError
        seconds = float(last)
        if not 0 <= seconds < (60 if larger else float("inf")):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time, such as 90, 1:30 or 1:02:03") from None
    for place, part in enumerate(reversed(larger), 1):
        seconds += int(part) * 60**place
    return seconds


def _interval(text: str) -> float:
    seconds = _moment(text)
    if not seconds:
        raise argparse.ArgumentTypeError("the time from frame to frame is 0")
    return seconds


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def _parts(text: str) -> list[str]:
    chosen = [part.strip() for part in text.split(",")]
    wrong = next((part for part in chosen if part not in (*_PARTS, "labels")), None)
    if wrong is not None:
        raise argparse.ArgumentTypeError(f"{wrong!r} is not among {', '.join(_PARTS)}, labels")
    return [part for one in chosen for part in (set(_PARTS) - {"boxes"} if one == "labels" else {one})]


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("agelens")
    except PackageNotFoundError:
        return "(source checkout)"
