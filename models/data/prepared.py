"""A prepared data set: faces cut out as the app does, in one array on disk, and their labels."""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.manifest import AgeLabel
from desktop_app.output.atomic_files import write_whole
from desktop_app.vision.detection.blazeface import BlazeFaceDetector, Detection, largest, shifted
from desktop_app.vision.face_alignment import CROP_SIZE, DEFAULT_MARGIN, OVERSAMPLE_SIZE, crop_face
from models.cli_utils import ARRAY_ERRORS, progress, warn
from models.data.datasets import Framing, Sample
from models.data.labels import age_class
from models.data.pictures import DataError, read_ahead

PICTURES, LABELS = "pictures.npy", "labels.npz"
MIN_SCORE: Final = 0.3
"""With a border around the picture no face is missed at this score; its place excludes false ones."""
CERTAIN_SCORE: Final = 0.5
HOLD_OUT_SEED: Final = 20
_COLUMNS: Final = ("names", "low", "high", "gender", "race", "fold", "found")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Faces and their labels; row i of every array belongs to picture i.

    Attributes:
        pictures: N×256×256×3 uint8, BGR; may be mapped from disk.
        names: N texts.
        low: N float32, youngest age in years; NaN where it is unknown.
        high: N float32, oldest age; infinite where it is open.
        gender: N int64, index in `labels.GENDERS`; -1 where it is unknown.
        race: N texts, empty where it is unknown.
        fold: N int64, -1 where there is none.
        found: N bool: whether the detector found the face, or none was needed; where not, the whole picture stands in.
        readable: N bool: whether the picture could be read; where not, it is black and has no labels.
        margin: side of the centre 227×227 over the side of the detector's box; about that where pictures are whole.
        framing: how the faces were cut out.
    """

    pictures: NDArray[np.uint8]
    names: NDArray[np.str_]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    gender: NDArray[np.int64]
    race: NDArray[np.str_]
    fold: NDArray[np.int64]
    found: NDArray[np.bool_]
    readable: NDArray[np.bool_]
    margin: float
    framing: Framing = "detector"

    def ages(self, labels: Sequence[AgeLabel]) -> NDArray[np.int64]:
        """The index of each picture's age group; -1 where its age is unknown or not within one group."""
        return age_targets(self.low, self.high, labels)

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.names)


def age_targets(low: NDArray[np.float32], high: NDArray[np.float32], labels: Sequence[AgeLabel]) -> NDArray[np.int64]:
    """The index of the group that holds all of [low, high] in years; -1 where none does or low is NaN."""
    targets = np.full(len(low), -1, np.int64)
    for index, (young, old) in enumerate(zip(low, high, strict=True)):
        if np.isnan(young):
            continue
        group = age_class(labels, float(young))
        oldest = labels[group].high
        if group >= 0 and (oldest is None or old < oldest + 1):
            targets[index] = group
    return targets


def prepare(
    samples: Sequence[Sample], folder: Path, *, margin: float = DEFAULT_MARGIN, framing: Framing = "detector"
) -> Prepared:
    """Cut the faces out and write them, unless that was done before; pictures that cannot be read are reported.

    Args:
        samples: the data set.
        folder: where the two files go; outside of the repository, they are large.
        margin: side of the centre 227×227 over the side of the detector's box; of whole pictures, about that.
        framing: whether the detector cuts the faces out, or the pictures are taken whole.

    Raises:
        DataError: none of the first pictures can be read, the folder holds another data set, or the disk is too full.
    """
    if (folder / LABELS).is_file():
        prepared = load_prepared(folder)
        same_cut = prepared.framing == framing and (framing == "whole" or prepared.margin == margin)
        if list(prepared.names) != [one.name for one in samples] or not same_cut:
            raise DataError(
                f"Cannot prepare in {folder}: it holds other pictures. Delete it, or choose another --cache."
            )
        lost = int((~prepared.readable).sum())
        if lost:
            warn(f"{lost} pictures could not be read when {folder} was made. If they are repaired by now, delete it.")
        # The labels may have been corrected meanwhile.
        _write_labels(samples, prepared.found, prepared.readable, folder / LABELS, margin=margin, framing=framing)
        return load_prepared(folder)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{PICTURES}.partial"
    shape = (len(samples), OVERSAMPLE_SIZE, OVERSAMPLE_SIZE, 3)
    _refuse_full_disk(folder, math.prod(shape))
    pictures = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    found, readable = np.zeros(len(samples), bool), np.ones(len(samples), bool)
    faces = _cut_faces(samples, margin) if framing == "detector" else _take_whole(samples)
    for index, face in enumerate(progress(faces, "preparing", total=len(samples))):
        if face is None:
            readable[index] = False
        else:
            pictures[index], found[index] = face
    pictures.flush()
    del pictures
    partial.replace(folder / PICTURES)
    # The labels come last: a folder that has them is complete.
    _write_labels(samples, found, readable, folder / LABELS, margin=margin, framing=framing)
    return load_prepared(folder)


def hold_out(count: int, held_out: int) -> NDArray[np.int64]:
    """The rows of so many pictures that are never learnt: the same ones of a set each time, for choices among networks.

    Raises:
        DataError: hardly any picture would be left.
    """
    if 2 * held_out > count:
        raise DataError(
            f"Cannot hold out {held_out} of {count} pictures: too few would be left. Hold out less than half of them."
        )
    return np.sort(np.random.default_rng(HOLD_OUT_SEED).permutation(count)[:held_out])


def _refuse_full_disk(folder: Path, needed: int) -> None:
    # A mapped file takes its room only when it is written to, and a process that finds none then is killed.
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"Cannot prepare the pictures: they need {needed / 1e9:.1f} GB, but {folder} has {free / 1e9:.1f} GB free. "
            "Choose another --cache, or make room."
        )


def load_prepared(folder: Path) -> Prepared:
    """Open what `prepare` wrote; the pictures are mapped, not read.

    Raises:
        DataError: it is not there or is damaged.
    """
    try:
        pictures = np.load(folder / PICTURES, mmap_mode="r", allow_pickle=False)
        with np.load(folder / LABELS, allow_pickle=False) as labels:
            columns = {name: labels[name] for name in _COLUMNS}
            # Sets from before pictures could be left out are whole.
            readable = labels["readable"] if "readable" in labels else np.ones(len(columns["names"]), bool)
            framing: Framing = "whole" if "framing" in labels and str(labels["framing"]) == "whole" else "detector"
            prepared = Prepared(pictures, **columns, readable=readable, margin=float(labels["margin"]), framing=framing)
    except ARRAY_ERRORS as error:
        raise DataError(
            f"Cannot find a prepared data set in {folder}: make it with python -m models prepare."
        ) from error
    if len(pictures) != len(prepared) or pictures.shape[1:] != (OVERSAMPLE_SIZE, OVERSAMPLE_SIZE, 3):
        raise DataError(
            f"Cannot use the prepared data set in {folder}: it is damaged. Delete it, and prepare it again."
        )
    return prepared


def find_face(detector: BlazeFaceDetector, image: NDArray[np.uint8]) -> Detection | None:
    """The face that a labelled picture is about, or None.

    Looked for as the app looks at a still picture, so that networks learn from the crops which they will get: first
    without a border, and with one where that shows no certain face in the middle. In the middle is where data sets of
    cut out faces have it; where there is none, it is the largest face anywhere.

    Args:
        detector: with a score limit of `MIN_SCORE`.
        image: H×W×3 uint8, BGR.
    """
    height, width = image.shape[:2]
    plain = [one for one in detector.detect(image) if one.score >= CERTAIN_SCORE]
    central = [one for one in plain if _is_central(one, width, height)]
    if central:
        return largest(central)
    border = max(height, width) // 2
    padded = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    detections = [shifted(one, -border, -border) for one in detector.detect(np.asarray(padded, np.uint8))]
    central = [one for one in detections if _is_central(one, width, height)]
    certain = [one for one in detections if one.score >= CERTAIN_SCORE]
    return largest(central or plain or certain)


def _is_central(detection: Detection, width: int, height: int) -> bool:
    center = detection.box.center
    return (
        abs(center.x - width / 2) < 0.36 * width
        and abs(center.y - height / 2) < 0.27 * height
        and detection.box.size > 0.45 * min(width, height)
    )


def _cut_faces(samples: Sequence[Sample], margin: float) -> Iterator[tuple[NDArray[np.uint8], bool] | None]:
    wide = margin * OVERSAMPLE_SIZE / CROP_SIZE
    with BlazeFaceDetector("short", min_score=MIN_SCORE) as detector:
        for image in read_ahead([one.picture for one in samples]):
            if image is None:
                yield None
                continue
            face = find_face(detector, image)
            if face is None:
                whole = cv2.resize(image, (OVERSAMPLE_SIZE, OVERSAMPLE_SIZE), interpolation=cv2.INTER_AREA)
                yield np.asarray(whole, np.uint8), False
            else:
                yield crop_face(image, face, size=OVERSAMPLE_SIZE, margin=wide), True


def _take_whole(samples: Sequence[Sample]) -> Iterator[tuple[NDArray[np.uint8], bool] | None]:
    for image in read_ahead([one.picture for one in samples]):
        yield None if image is None else (whole_picture(image, OVERSAMPLE_SIZE), True)


def whole_picture(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A picture of an aligned face at side×side pixels, resized as by Caffe's `convert_imageset`: without smoothing."""
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def _write_labels(
    samples: Sequence[Sample],
    found: NDArray[np.bool_],
    readable: NDArray[np.bool_],
    path: Path,
    *,
    margin: float,
    framing: Framing,
) -> None:
    # What cannot be read has no labels, so that no network learns from the black picture in its place.
    ages = [one.age if is_readable else None for one, is_readable in zip(samples, readable, strict=True)]
    content = io.BytesIO()
    np.savez(
        content,
        names=np.array([one.name for one in samples], np.str_),
        low=np.array([np.nan if age is None else age.low for age in ages], np.float32),
        high=np.array([np.nan if age is None else age.high for age in ages], np.float32),
        gender=np.where(readable, np.array([one.gender for one in samples], np.int64), -1),
        race=np.array([one.race for one in samples], np.str_),
        fold=np.array([one.fold for one in samples], np.int64),
        found=found,
        readable=readable,
        margin=np.float64(margin),
        framing=np.str_(framing),
    )
    write_whole(path, content.getvalue(), overwrite=True)
