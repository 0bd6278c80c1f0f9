"""`annotate`: reads a source, writes an annotated video or pictures, tables of predictions and people, a report."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.analytics.crossings import check_count
from desktop_app.engine.audience_files import REPORT_SUFFIXES, AudienceFiles
from desktop_app.engine.offline import OfflineAnalysis
from desktop_app.engine.run_facts import RunFacts, facts_path
from desktop_app.engine.statistics import Statistics
from desktop_app.engine.types import AnalysisSettings, RenderedFrame
from desktop_app.errors import AgelensError, CommandError
from desktop_app.messages import ENGLISH, Language, Message, list_names
from desktop_app.output.atomic_files import check_target, explain, write_whole
from desktop_app.output.encoder import DEFAULT_RATE, FORMATS
from desktop_app.output.predictions import PredictionFileError, PredictionWriter, face_rows
from desktop_app.output.recorder import Recorder, RecordingError
from desktop_app.output.sound import can_hold_sound, copy_sound
from desktop_app.output.standard_output import STANDARD_OUTPUT, PredictionStream
from desktop_app.output.tables import check_format
from desktop_app.sources.excerpt import ExcerptSource
from desktop_app.sources.opening import SourceError, SourceInfo, open_source, source_path
from desktop_app.sources.pictures.stills import FOLDER_RATE
from desktop_app.stopping import StopRequest
from desktop_app.terminal import count_of, notes
from desktop_app.vision.classification.classifier import Classifier
from desktop_app.vision.detection.face_detector import FaceDetector

PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")
# A file that is being written has ".part" in its name.
_ROOM_FOR_PART: Final = len(".part")


class AnnotationError(CommandError):
    """What was asked for cannot be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationRequest(AnalysisSettings):
    """What to annotate and where to write it.

    Attributes:
        output: a video (`.mp4`, `.mkv`), a picture for a picture, or a folder for a folder of pictures; None for none.
        predictions: a table (`.csv`, `.jsonl`, `.parquet`), one row a face a frame, with a file beside it that says how
            it came about; `STANDARD_OUTPUT` for JSON lines there; None for none.
        people: a table of the same formats, one row a visit; None for none.
        report: counts of the audience, as a page (`.html`) or as values (`.json`); None for none.
        overwrite: replace what is there.
        audio: copy the sound of a film into the video; never where something is hidden.
        language: of a report's page.
    """

    output: Path | None = None
    predictions: Path | None = None
    people: Path | None = None
    report: Path | None = None
    overwrite: bool = False
    audio: bool = True
    language: Language = ENGLISH

    def outputs(self) -> dict[str, Path]:
        """What is to be written, by the names of the options."""
        named = {"--output": self.output, "--predictions": self.predictions, "--people": self.people}
        return {name: path for name, path in {**named, "--report": self.report}.items() if path is not None}

    def files(self) -> dict[str, Path]:
        """Those of the outputs that are files, and the one beside the predictions."""
        files = self.outputs()
        if self.predictions == STANDARD_OUTPUT:
            del files["--predictions"]
        elif self.predictions is not None:
            files["the file beside --predictions"] = facts_path(self.predictions)
        return files


@dataclass(frozen=True, slots=True)
class AnnotationProgress:
    """How far it is.

    Attributes:
        frames: done so far.
        total: frames of the source; None where unknown.
        faces: seen in the newest frame.
        visits: seen so far, brief ones included.
        dropped: pictures of a live source that came too fast so far, and are left out.
        notice: one sentence to pass on (a provider that fell back), or empty.
        seconds: from the first frame to the newest; 0 for pictures that stand alone.
    """

    frames: int
    total: int | None
    faces: int
    dropped: int = 0
    notice: str = ""
    visits: int = 0
    seconds: float = 0.0


class Output(Protocol):
    """A film, pictures, a table or a report that is being written."""

    def finish(self) -> None:
        """Write what is left."""
        ...

    def close(self) -> None:
        """Finish and take the place of what is to be overwritten."""
        ...

    def keep(self) -> None:
        """Finish and leave what should have been overwritten."""
        ...


class PictureSink(Output, Protocol):
    """Takes finished pictures in order."""

    @property
    def notice(self) -> Message | None:
        """One sentence on what was written otherwise than expected."""
        ...

    def write(self, rendered: RenderedFrame) -> None:
        """Take the next picture."""
        ...


def annotate(request: AnnotationRequest, stop: StopRequest | None = None) -> Generator[AnnotationProgress, None, None]:
    """Annotate a source to its end; what was written so far is kept whenever the iteration is left.

    Args:
        request: what to annotate.
        stop: ends it as soon as the frames are written that were begun; safe at any moment.

    Yields:
        The progress after each frame.

    Raises:
        AgelensError: source, model, provider or output cannot be used; nothing that existed was overwritten.
    """
    _check_outputs(request)
    stop = stop or StopRequest()
    classifier = Classifier.of(request.choice)
    with ExitStack() as stack:
        # An error of a source that was closed early is not the user's.
        stack.push(lambda kind, *_: stop.is_set() and kind is not None and issubclass(kind, SourceError))
        whole = stack.enter_context(
            open_source(request.source, camera=request.camera, cancel=stop.event, hardware=request.hardware_decoding)
        )
        if request.excerpt and whole.info.kind in {"image", "folder"}:
            raise AnnotationError(
                "Cannot annotate a part of “{name}”: pictures have no times. Leave out --start, --end and --every.",
                name=whole.info.name,
            )
        source = ExcerptSource(whole, request.excerpt)
        if request.output is not None:
            _check_kind(request.output, source.info)
        detector = stack.enter_context(FaceDetector(request.detector, min_score=request.min_score))
        statistics = Statistics()
        analysis = OfflineAnalysis(
            classifier,
            detector,
            style=request.style,
            mirror=request.mirror,
            annotated=request.output is not None,
            statistics=statistics,
        )
        _note_beginning(classifier, source.info)
        stack.callback(_note_end, detector, statistics)
        audience = AudienceFiles(
            classifier.package.manifest,
            source.info,
            lines=request.lines,
            begin_s=request.excerpt.start_s,
            language=request.language,
        )
        facts = RunFacts(request, classifier.package, classifier.provider, source.info)
        yield from _run(request, stack, source, analysis, audience, facts, str(classifier.notice or ""), stop)


def _note_beginning(classifier: Classifier, info: SourceInfo) -> None:
    files = ", ".join(file.name for file in classifier.package.onnx_files)
    notes.debug("model %s (%s) runs on %s", classifier.package.name, files, classifier.provider)
    rate = f", {info.rate:g} frames/s" if info.rate else ""
    length = f", {info.duration_s:.1f} s" if info.duration_s else ""
    notes.debug("source “%s”: %s, %d×%d%s%s", info.name, info.kind, info.width, info.height, rate, length)


def _note_end(detector: FaceDetector, statistics: Statistics) -> None:
    looks = detector.looks
    looked = [(looks["near"], "frame"), (looks["still"], "still picture")]
    far = f", far ones {count_of(looks['far'], 'time')}" if looks["far"] else ""
    notes.debug(
        "faces were looked for in %s%s", " and ".join(count_of(*one) for one in looked if one[0]) or "no frame", far
    )
    stages = statistics.snapshot().stage_ms
    notes.debug("median milliseconds: %s", ", ".join(f"{name} {value:.2f}" for name, value in stages.items()))


def _run(
    request: AnnotationRequest,
    stack: ExitStack,
    source: ExcerptSource,
    analysis: OfflineAnalysis,
    audience: AudienceFiles,
    facts: RunFacts,
    notice: str,
    stop: StopRequest,
) -> Generator[AnnotationProgress, None, None]:
    sink: PictureSink | None = None
    table: PredictionWriter | PredictionStream | None = None
    outputs: list[Output] = []
    stack.push(_finishing(outputs))
    frames = 0
    for rendered in analysis.run(source, stop):
        frame = rendered.frame
        if frames == 0:
            # Not before there is something to write: what cannot be read leaves no file, and replaces none.
            if request.output is not None:
                sink = open_sink(request, request.output, source.info, rendered)
                outputs.append(sink)
            if request.predictions is not None:
                table, *beside = _open_table(request, request.predictions, facts, stop)
                outputs += [table, *beside]
            outputs += audience.files(people=request.people, report=request.report, overwrite=request.overwrite)
        if sink is not None:
            sink.write(rendered)
        # The monotonic clock's value is of no use to a reader.
        time_s = frame.captured_at - source.zero_at
        rows = face_rows(frame.index, time_s, frame.origin, rendered.tracks, rendered.labels)
        if table is not None:
            table.write(rows)
        audience.add(rendered, time_s)
        facts.add(rendered, time_s, len(rows))
        facts.source, facts.dropped = source.info, source.dropped_count
        frames += 1
        yield AnnotationProgress(
            frames,
            source.info.frame_count,
            len(rows),
            source.dropped_count,
            notice,
            audience.visits,
            audience.duration_s,
        )
    if stop.is_set():
        return
    if frames == 0:
        raise AnnotationError(
            "Cannot annotate “{name}”: it contains no picture that can be read. Choose another source.",
            name=source.info.name,
        )
    # A regular end and a crash of the other end of a network cannot be distinguished.
    ended = Message(
        "“{name}” sends no more pictures. If that was too early, check the connection.", name=source.info.name
    )
    notices = [
        ended if source.info.live and not source.is_over else None,
        source.notice,
        sink.notice if sink is not None else None,
    ]
    said = [one for one in notices if one is not None]
    audience.note([*said, *request.excerpt.sentences()])
    lines = [line for one in said for line in str(one).split("\n")]
    facts.complete, facts.notices, facts.source = True, lines, source.info
    for line in lines:
        yield AnnotationProgress(frames, source.info.frame_count, 0, source.dropped_count, line)


def finish_all(outputs: Iterable[Output]) -> None:
    """Finish what was written, and close it.

    Raises:
        AgelensError: something cannot be written.
    """
    outputs = tuple(outputs)
    for output in outputs:
        output.finish()
    for output in outputs:
        output.close()
    # Last, so that a sound that cannot be copied costs nothing else.
    for output in outputs:
        if isinstance(output, VideoSink):
            output.add_sound()


def _finishing(outputs: Sequence[Output]) -> Callable[[type[BaseException] | None, object, object], None]:
    """Finishes film and table together: where one cannot be written, neither replaces an existing file."""

    def finish(kind: type[BaseException] | None, _error: object, _trace: object) -> None:
        failed = kind is not None and issubclass(kind, (RecordingError, AnnotationError, PredictionFileError))
        try:
            if not failed:
                finish_all(outputs)
        finally:
            # Which does nothing to one that was closed well.
            for output in outputs:
                with suppress(AgelensError):
                    output.keep()

    return finish


def _check_outputs(request: AnnotationRequest) -> None:
    """Refuse invalid outputs before anything is opened, so that no partial result is left."""
    outputs = request.outputs()
    if not outputs:
        raise AnnotationError(
            "Cannot annotate: there is nothing to write. Name a video with --output, a table with --predictions or "
            "--people, or a report with --report."
        )
    check_count(request.lines)
    if request.lines and request.people is None and request.report is None:
        raise AnnotationError(
            "Cannot count crossings: there is no file for them. Name a table with --people, or a report with --report."
        )
    files = request.files()
    for path in files.values():
        try:
            _check_place(path, source_path(request.source), overwrite=request.overwrite)
        except OSError as error:
            raise AnnotationError("Cannot write “{path}”: {reason}.", path=path, reason=explain(error)) from error
    for (name, path), (other_name, other) in combinations(files.items(), 2):
        if path == other:
            raise AnnotationError(
                "Cannot annotate: {name} and {other} name the same file. Choose two.", name=name, other=other_name
            )
    for name in files.keys() & {"--predictions", "--people"}:
        check_format(files[name])
    if request.report is not None and request.report.suffix.lower() not in REPORT_SUFFIXES:
        raise AnnotationError(
            "Cannot write a report to “{name}”: the name must end in {suffixes}. Choose another name.",
            name=request.report.name,
            suffixes=" or ".join(REPORT_SUFFIXES),
        )


def _check_place(path: Path, source: Path | None, *, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise AnnotationError(
            "Cannot write “{path}”: the folder does not exist. Create it or choose another one.", path=path
        )
    if not path.is_dir():
        check_target(path)
    if path.exists():
        if source is not None and _is_same(path, source):
            raise AnnotationError("Cannot write “{path}”: it is the source itself. Choose another name.", path=path)
        if not overwrite:
            raise AnnotationError(
                "Cannot write “{path}”: it exists already. Choose another name or add --overwrite.", path=path
            )
    if not os.access(path.parent, os.W_OK):
        raise AnnotationError(
            "Cannot write “{path}”: writing in that folder is not allowed. Choose another one.", path=path
        )


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _check_kind(output: Path, info: SourceInfo) -> None:
    """Refuse an output that cannot hold what the source gives, before minutes are spent on it."""
    suffix = output.suffix.lower()
    if suffix in FORMATS or (suffix in PICTURE_SUFFIXES and info.kind == "image"):
        return
    if info.kind == "folder" and (not suffix or output.is_dir()):
        return
    fitting = {"image": "a .png, .jpg or .webp picture, or ", "folder": "a folder (no suffix), or "}.get(info.kind, "")
    raise AnnotationError(
        "Cannot write the result to “{name}”: it is of another kind. Name {fitting}an .mp4 or .mkv video.",
        name=output.name,
        fitting=fitting,
    )


def _open_table(
    request: AnnotationRequest, table: Path, facts: RunFacts, stop: StopRequest
) -> tuple[PredictionWriter | PredictionStream, *tuple[Output, ...]]:
    """The table of predictions, and what is written beside it."""
    if table == STANDARD_OUTPUT:
        return (PredictionStream(stop),)
    classes = facts.package.labels if facts.package is not None else None
    writer = PredictionWriter(table, overwrite=request.overwrite, classes=classes)
    return writer, facts.file(table, overwrite=request.overwrite)


def open_sink(request: AnnotationRequest, output: Path, info: SourceInfo, rendered: RenderedFrame) -> PictureSink:
    """Begin to write what was asked for of a source, at its first picture.

    Raises:
        AgelensError: it cannot be written.
    """
    overwrite = request.overwrite
    if output.suffix.lower() in FORMATS:
        height, width = rendered.picture.shape[:2]
        still = info.kind in {"image", "folder"}
        rate = FOLDER_RATE if still else info.rate or DEFAULT_RATE
        recorder = Recorder(output, width=width, height=height, rate=rate, overwrite=overwrite)
        if not info.has_sound or not request.audio:
            return VideoSink(recorder)
        film = Path(info.spec)
        if request.style.privacy != "off":
            reason = Message("The sound of “{name}” is not kept: voices tell who people are.", name=info.name)
            return VideoSink(recorder, reason)
        if not can_hold_sound(film, output.suffix):
            reason = Message(
                "The sound of “{name}” is not kept: {suffix} files cannot hold it.",
                name=info.name,
                suffix=output.suffix,
            )
            return VideoSink(recorder, reason)
        return VideoSink(recorder, sound=film, from_s=rendered.frame.captured_at)
    if info.kind == "image":
        return PictureFileSink(output, overwrite=overwrite)
    return PictureFolderSink(output, overwrite=overwrite)


class VideoSink:
    """Pictures become a video with their media times.

    Args:
        recorder: writes it.
        notice: what to say of it in the end.
        sound: the film whose sound is copied into it once it is whole; None for none.
        from_s: moment of the film at which the video begins.
    """

    def __init__(
        self, recorder: Recorder, notice: Message | None = None, sound: Path | None = None, from_s: float = 0.0
    ) -> None:
        self._recorder, self._sound, self._from_s = recorder, sound, from_s
        self.notice = notice

    def write(self, rendered: RenderedFrame) -> None:
        """Take the next picture."""
        self._recorder.write(rendered.annotated(), rendered.frame.captured_at)

    def finish(self) -> None:
        """Write what is left."""
        self._recorder.finish()

    def close(self) -> None:
        """Finish the video."""
        self._recorder.close()

    def add_sound(self) -> None:
        """Copy the film's sound into the closed video.

        Raises:
            SoundError: that cannot be done; the video is whole without it.
        """
        summary = self._recorder.close()
        if self._sound is not None and summary.frames:
            copy_sound(summary.path, self._sound, from_s=self._from_s)

    def keep(self) -> None:
        """Finish the video and leave what should have been overwritten."""
        self._recorder.keep()


class PictureFileSink:
    """One picture becomes one file."""

    notice = None

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self._path, self._overwrite = path, overwrite

    def write(self, rendered: RenderedFrame) -> None:
        """Write the picture."""
        write_picture(self._path, rendered.annotated(), overwrite=self._overwrite)

    def finish(self) -> None:
        """Nothing is open: each picture is whole."""

    close = keep = finish


class PictureFolderSink:
    """Each picture becomes a PNG named like the original, so that no two can collide.

    The frames of an animation are numbered from the second on. A name that would be too long is cut, and ends in a
    checksum of the whole name.
    """

    def __init__(self, folder: Path, *, overwrite: bool) -> None:
        self._folder, self._overwrite = folder, overwrite
        self._written: Counter[str] = Counter()
        self._shortened: list[str] = []
        try:
            folder.mkdir(exist_ok=True)
        except FileExistsError:
            raise AnnotationError(
                "Cannot write into “{folder}”: it is a file. Name a folder for the pictures.", folder=folder
            ) from None
        except OSError as error:
            raise AnnotationError(
                "Cannot make the folder “{folder}”: {reason}.", folder=folder, reason=explain(error)
            ) from error
        self._longest_name = _longest_name(folder) - _ROOM_FOR_PART

    @property
    def notice(self) -> Message | None:
        """One sentence if names were shortened."""
        if not self._shortened:
            return None
        names = list_names(self._shortened)
        return Message("Shortened names that are too long for the folder: {names}", names=names)

    def write(self, rendered: RenderedFrame) -> None:
        """Write the next picture."""
        name = Path(rendered.frame.origin).name or f"{rendered.frame.index:06d}"
        self._written[name] += 1
        number = f".{self._written[name]}" if self._written[name] > 1 else ""
        short = _shortened(name, self._longest_name - len(number) - len(".png"))
        if short != name and not number:
            self._shortened.append(f"{short}.png")
        write_picture(self._folder / f"{short}{number}.png", rendered.annotated(), overwrite=self._overwrite)

    def finish(self) -> None:
        """Nothing is open: each picture is whole."""

    close = keep = finish


def _longest_name(folder: Path) -> int:
    """The largest number of bytes in a file name of a folder."""
    with suppress(AttributeError, OSError, ValueError):
        return os.pathconf(folder, "PC_NAME_MAX")
    return 255


def _shortened(name: str, most: int) -> str:
    """A name of at most `most` bytes: itself, or its beginning and a checksum."""
    encoded = os.fsencode(name)
    if len(encoded) <= most:
        return name
    checksum = hashlib.sha256(encoded).hexdigest()[:8]
    beginning = encoded[: most - len(checksum) - 1]
    return f"{beginning.decode(errors='ignore')}~{checksum}"


def write_picture(path: Path, picture: NDArray[np.uint8], *, overwrite: bool) -> None:
    """Write a picture (H×W×3 uint8, BGR) in the format of the file's suffix, whole or not at all.

    Args:
        path: any characters will do.
        picture: what to write.
        overwrite: replace an existing file.

    Raises:
        AnnotationError: it cannot be written.
    """
    try:
        done, encoded = cv2.imencode(path.suffix, picture)
    except cv2.error:
        done, encoded = False, np.empty(0, np.uint8)
    if not done:
        height, width = picture.shape[:2]
        raise AnnotationError(
            "Cannot write “{name}”: its format does not hold {width}×{height} pixels. Name a .png picture.",
            name=path.name,
            width=width,
            height=height,
        )
    try:
        write_whole(path, encoded.tobytes(), overwrite=overwrite)
    except OSError as error:
        raise AnnotationError("Cannot write “{path}”: {reason}.", path=path, reason=explain(error)) from error
