"""Prepares a data set: cuts its faces as the app does, into one array on disk.

`python -m models prepare --data fairface --path ../shared/data/fairface --split train` writes `pictures.npy`
(N×256×256×3 uint8, BGR: a margin around the 227×227 that networks see) and `labels.npz` into a folder that belongs to
these pictures, below --cache. A prepared set that is complete is not made again.

Adience's pictures are aligned faces already: they are taken whole and shrunk to 256×256, as Levi and Hassner did;
`--framing detector` cuts them as the app would.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, cast, get_args

import platformdirs

from desktop_app.vision.face_alignment import DEFAULT_MARGIN
from models.cli_utils import positive
from models.data.datasets import ADIENCE_MARGIN, DataName, Framing, Sample, read_data
from models.data.prepared import LABELS, Prepared, prepare


def add_data_options(
    parser: argparse.ArgumentParser, *, default: DataName | None = None, split: Literal["train", "val"] = "train"
) -> None:
    """The options that say which data set is meant; `--data` must be given where it has no default."""
    parser.add_argument(
        "--data", choices=get_args(DataName), required=default is None, default=default, help="kind of data set"
    )
    parser.add_argument("--path", type=Path, required=True, help="its folder, or the CSV file")
    parser.add_argument("--split", default=split, help="FairFace: train or val (default: %(default)s)")
    parser.add_argument(
        "--folds", type=int, nargs="+", choices=range(5), default=[], help="Adience: the folds to take (default: all)"
    )
    parser.add_argument("--limit", type=positive, help="only the first so many pictures")
    parser.add_argument(
        "--framing",
        choices=get_args(Framing),
        help="detector: cut faces out as the app does; whole: take pictures of aligned faces as they are, at 256×256 "
        "(default: whole for Adience unless the network learnt otherwise, detector for others)",
    )


def add_cache_option(parser: argparse.ArgumentParser) -> None:
    """Where prepared pictures are kept."""
    parser.add_argument(
        "--cache",
        type=Path,
        default=platformdirs.user_cache_path("Agelens", appauthor=False) / "prepared",
        help="folder for prepared pictures; not in the repository (default: %(default)s)",
    )


def framing_of(options: argparse.Namespace, notes: Mapping[str, str] | None = None) -> Framing:
    """How the chosen faces are cut out: as `--framing` says, else as suits the data set and the network.

    Args:
        options: of `add_data_options`.
        notes: those of the network that the pictures are for, or None: Adience's pictures are whole only for networks
            that were trained on whole ones.
    """
    if options.framing:
        return cast("Framing", options.framing)
    wants_whole = notes is None or notes.get("framing") == "whole"
    return "whole" if options.data == "adience" and wants_whole else "detector"


def margin_of(options: argparse.Namespace) -> float:
    """`--margin`, or what the app must cut out to show as much around a face as the chosen pictures do."""
    if options.margin:
        return float(options.margin)
    return ADIENCE_MARGIN if options.data == "adience" and framing_of(options) == "whole" else DEFAULT_MARGIN


def read_chosen(options: argparse.Namespace) -> list[Sample]:
    """The data set that the options of `add_data_options` name.

    Raises:
        DataError: it is not there, or is not laid out as expected.
    """
    data = cast("DataName", options.data)
    return read_data(data, options.path, split=options.split, folds=options.folds)[: options.limit]


def add_held_out_option(parser: argparse.ArgumentParser) -> None:
    """Which pictures of a training set are meant where only those count that were not learnt."""
    parser.add_argument(
        "--held-out", type=positive, metavar="N", help="only the N pictures that models train --hold-out N leaves out"
    )


def add_margin_option(parser: argparse.ArgumentParser) -> None:
    """How much around the faces networks see."""
    parser.add_argument(
        "--margin",
        type=_margin,
        help="side of the app's crop over that of the detector's box, 0.5 to 4 "
        f"(default: {DEFAULT_MARGIN}; {ADIENCE_MARGIN} for whole pictures of Adience)",
    )


def _margin(text: str) -> float:
    value = float(text)
    if not 0.5 <= value <= 4:
        raise argparse.ArgumentTypeError("the margin must be 0.5 to 4")
    return value


def prepare_chosen(
    options: argparse.Namespace,
    *,
    margin: float,
    notes: Mapping[str, str] | None = None,
    samples: Sequence[Sample] | None = None,
) -> Prepared:
    """`prepare` the data set that the options name, in its folder under `--cache`, and print where that is.

    Args:
        options: of `add_data_options` and `add_cache_option`.
        margin: as for `prepare`.
        notes: as for `framing_of`.
        samples: the chosen data, where it was read already.
    """
    framing = framing_of(options, notes)
    folder = cache_folder(options, margin, framing)
    if not (folder / LABELS).is_file():
        print(f"the prepared pictures are kept in {folder}; delete it when you need them no more", flush=True)
    return prepare(read_chosen(options) if samples is None else samples, folder, margin=margin, framing=framing)


def cache_folder(options: argparse.Namespace, margin: float, framing: Framing = "detector") -> Path:
    """The folder under `--cache` that belongs to the chosen data, cut out in this way."""
    parts = [options.data, *([options.split] if options.data == "fairface" else map(str, options.folds))]
    # Folders of different people may be called alike, and so may all pictures in them.
    place = options.path.resolve()
    parts += [place.stem, hashlib.sha256(str(place).encode()).hexdigest()[:8]]
    if options.limit:
        parts.append(f"first{options.limit}")
    if framing == "whole":
        parts.append("whole")
    elif margin != DEFAULT_MARGIN:
        parts.append(f"margin{margin:g}")
    return Path(options.cache) / "-".join(parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool; raises AgelensError with one sentence where it cannot."""
    parser = argparse.ArgumentParser(prog="python -m models prepare", description=__doc__)
    add_data_options(parser)
    add_cache_option(parser)
    add_margin_option(parser)
    options = parser.parse_args(arguments)
    margin = margin_of(options)
    prepared = prepare_chosen(options, margin=margin)
    lost = int((prepared.readable & ~prepared.found).sum())
    unread = int((~prepared.readable).sum())
    left_out = f"; {unread} cannot be read" if unread else ""
    place = cache_folder(options, margin, prepared.framing)
    print(f"{len(prepared)} pictures in {place}; no face was found in {lost}{left_out}")
