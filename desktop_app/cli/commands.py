"""What each command does: one call into the code that does the work, and what is said of it."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from desktop_app.cli.argument_types import PARTS
from desktop_app.errors import CommandError
from desktop_app.imports import without_collecting
from desktop_app.messages import ENGLISH, Language
from desktop_app.paths import SOURCE_LANGUAGE
from desktop_app.stopping import StopRequest
from desktop_app.terminal import (
    ProgressLine,
    count_of,
    notes,
    run_interruptibly,
    say,
    table,
)

if TYPE_CHECKING:
    from desktop_app.catalogue.catalogue import ModelChoice, ModelPackage
    from desktop_app.engine.annotate import AnnotationProgress
    from desktop_app.engine.archive.archive import ArchiveProgress


EXIT_DONE: Final = 0
EXIT_UNUSABLE: Final = 2
EXIT_FAILED: Final = 3
"""Some of many sources could not be read; the others are done."""
_SHOWN_SCORES: Final = {"age_exact": "age exact", "age_within_one": "within one", "gender": "gender"}
_MODEL_OPTIONS: Final = ("model", "provider", "oversample", "gender")


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
    shown: dict[str, Any] = {name: part not in options.hide for part, name in PARTS.items()}
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


def run_window(options: argparse.Namespace) -> int:
    """Show the window; returns the exit code, as all here do."""
    from desktop_app.window.application import run_window

    given = _given(options, *_MODEL_OPTIONS)
    if options.sources:
        given["source"] = _one_source(options.sources)
    if options.model:
        from desktop_app.catalogue.catalogue import Catalogue

        # What is chosen here is kept for the next starts, which may be in another folder.
        package = Catalogue().find(options.model)
        given["model"] = package.name if options.model == package.name else str(package.path.absolute())
    return run_window(given, full_screen=options.full_screen)


def _one_source(specs: Sequence[str]) -> str:
    """What names several files as one source.

    Raises:
        CommandError: one of several is no file.
    """
    from desktop_app.sources.opening import join_files, redact_source, source_path

    if len(specs) == 1:
        return specs[0]
    paths = [(spec, source_path(spec)) for spec in specs]
    odd = next((spec for spec, path in paths if path is None), None)
    if odd is not None:
        raise CommandError(
            "Cannot play “{spec}” in a list: it is no file. Give one camera, address or demo, or several files.",
            spec=redact_source(odd),
        )
    return join_files([path for _, path in paths if path is not None])


def run_annotate(options: argparse.Namespace) -> int:
    """Annotate one source, or many as an archive."""
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


def run_benchmark(options: argparse.Namespace) -> int:
    """Measure, and print the figures."""
    printed = ""

    def work(_: StopRequest) -> None:
        nonlocal printed
        from desktop_app.benchmark.archive import ArchiveSize
        from desktop_app.benchmark.benchmark import (
            QUICK_FACES,
            QUICK_S,
            QUICK_SIZES,
            BenchmarkRequest,
            run_benchmark,
        )

        curves = _given(options, "seconds")
        if options.plot and not (options.faces or options.compare or options.recall or options.recall_faces):
            curves = {"seconds": QUICK_S, "face_counts": QUICK_FACES, "frame_sizes": QUICK_SIZES, **curves}
        request = BenchmarkRequest(
            **curves,
            source=options.source,
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


def run_cameras(options: argparse.Namespace) -> int:
    """Print the cameras."""
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


def run_models(options: argparse.Namespace) -> int:
    """Print the models, and say where own ones go."""
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
