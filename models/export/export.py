"""Exports a checkpoint as a model of the app: one `.onnx` file per network, and the manifest.

`python -m models export --checkpoint FILE --name NAME` writes `NAME.onnx` and `NAME.toml`. A network that answers one
question needs its partner too: `--checkpoint age.pt gender.pt` writes `NAME-age.onnx`, `NAME-gender.onnx`, `NAME.toml`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, get_args

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import load_package
from desktop_app.catalogue.manifest import Labels, Manifest, OutputSpec, check_model_name, sha256_of, write_manifest
from desktop_app.paths import MODELS_FOLDER
from desktop_app.vision.preprocessing import Preprocessing, center
from models.cli_utils import ToolError, refuse_existing
from models.export.atomic_files import written_together
from models.export.onnx_weights import SPEC_KEY, Storage, quantise_static, store_weights
from models.networks.architectures import INPUT_SIZE, NetworkName, NetworkSpec
from models.networks.checkpoints import Checkpoint, load_checkpoint
from models.networks.layers import fold_norms

MAX_DIFFERENCE: Final = 1e-3
"""Largest difference of a logit between PyTorch and ONNX Runtime in float32, relative to the largest logit."""
CALIBRATION_PICTURES: Final = 512
OPSET: Final = 18
_PAPER_LAYERS: Final = (
    *(("Conv", "conv1"), ("Relu", "relu1"), ("MaxPool", "pool1"), ("Norm", "norm1")),
    *(("Conv", "conv2"), ("Relu", "relu2"), ("MaxPool", "pool2"), ("Norm", "norm2")),
    *(("Conv", "conv3"), ("Relu", "relu3"), ("MaxPool", "pool5")),
)
"""What the authors of the paper call the layers with maps, and the operations that they are in ONNX."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """How a model is written.

    Attributes:
        name: what the model is chosen by; also the stem of its files.
        folder: where the files go.
        title: the name people see; empty: the name.
        description: one sentence.
        storage: how the weights are stored: `fp32`, `fp16` or `int8`; it computes in float32 all the same.
        calibration: folder of prepared pictures; where it is given, the network computes in int8 as well.
        about: licence, data, authors, source.
        overwrite: whether files of that name may be replaced.
    """

    name: str
    folder: Path = MODELS_FOLDER
    title: str = ""
    description: str = ""
    storage: Storage = "fp32"
    calibration: Path | None = None
    about: dict[str, str] = field(default_factory=dict)
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and the largest difference of a logit from PyTorch's."""

    manifest_path: Path
    differences: dict[str, float]


def export_model(checkpoints: Sequence[Checkpoint], settings: ExportSettings) -> Exported:
    """Write a model.

    Args:
        checkpoints: one network with both heads, or one for age and one for gender with the same input.
        settings: how and where.

    Raises:
        ToolError: the networks do not make a model, a file exists, or ONNX Runtime disagrees with PyTorch; what was
            there before is left as it was.
        NetworkError: a checkpoint's weights do not fit.
        ModelError: no model can be called that.
    """
    check_export(checkpoints, settings)
    by_head = _by_head(checkpoints)
    files = {
        id(one): f"{settings.name}{'' if len(checkpoints) == 1 else '-' + one.spec.heads[0]}.onnx"
        for one in checkpoints
    }
    age, gender = by_head["age"], by_head["gender"]
    differences, checksums, layers = {}, {}, dict[str, str]()
    with written_together(settings.folder, settings.name, overwrite=settings.overwrite) as aside:
        for one in checkpoints:
            path = aside / files[id(one)]
            differences[path.name] = export_network(one, path, settings.storage, settings.calibration)
            checksums[path.name] = sha256_of(path)
            layers.update(_published_names(onnx.load(str(path)), one.spec))
        spec = age.input
        if age.mean_image is not None:
            mean_path = aside / f"{settings.name}-mean.npy"
            np.save(mean_path, age.mean_image)
            checksums[mean_path.name] = sha256_of(mean_path)
            spec = replace(spec, mean=mean_path.name)
        manifest = Manifest(
            name=settings.name,
            title=settings.title or settings.name,
            description=settings.description,
            architecture="two-head" if len(checkpoints) == 1 else "two-network",
            labels=Labels(age.labels.ages, gender.labels.genders),
            age=OutputSpec(files[id(age)], "age"),
            gender=OutputSpec(files[id(gender)], "gender"),
            input=spec,
            activation="softmax",
            files=checksums,
            layers=layers,
            about={**_joined(age.notes, gender.notes), **settings.about},
        )
        write_manifest(manifest, aside / f"{settings.name}.toml")
        # As the app will read it: a title of two lines would be refused there.
        load_package(aside / f"{settings.name}.toml")
    return Exported(settings.folder / f"{settings.name}.toml", differences)


def check_export(checkpoints: Sequence[Checkpoint], settings: ExportSettings) -> None:
    """Say what stands against an export before anything is made.

    Raises:
        ToolError: the networks do not make a model, or its manifest or network exists.
        ModelError: no model can be called that.
    """
    _by_head(checkpoints)
    check_model_name(settings.name)
    for suffix in (".toml", ".onnx", "-age.onnx", "-gender.onnx", "-mean.npy"):
        refuse_existing(settings.folder / f"{settings.name}{suffix}", overwrite=settings.overwrite)
    if settings.calibration is not None and settings.storage != "fp32":
        raise ToolError(
            "Cannot export: a network that computes in int8 stores int8 as well. "
            "Leave out --weights or --quantise-with."
        )


def export_network(
    checkpoint: Checkpoint, path: Path, storage: Storage = "fp32", calibration: Path | None = None
) -> float:
    """Write one network as a single ONNX file: batch normalisation folded, dropout gone, any number of inputs.

    Its input is `pixels`; its outputs are named like the heads.

    Returns:
        The largest difference of a logit from PyTorch's on random pictures.

    Raises:
        ToolError: in float32 ONNX Runtime disagrees with PyTorch.
        NetworkError: the weights do not fit the network.
    """
    network = checkpoint.network()
    pixels = _random_pixels(checkpoint)
    with torch.no_grad():
        answer = network(torch.from_numpy(pixels))
        expected = [one.numpy() for one in (answer if isinstance(answer, tuple) else (answer,))]
    fold_norms(network)
    model = _to_onnx(network, checkpoint.spec)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        partial = Path(folder) / path.name
        onnx.save(model, str(partial))
        exact = _difference(partial, pixels, expected)
        if exact > MAX_DIFFERENCE * max(float(np.abs(one).max()) for one in expected):
            raise ToolError(
                f"Cannot export: the ONNX network differs from PyTorch's by {exact:.2g}. "
                "Update PyTorch and ONNX Runtime."
            )
        if calibration is not None:
            quantise_static(partial, _calibration_batches(checkpoint, calibration))
        elif storage != "fp32":
            store_weights(model, storage)
            onnx.save(model, str(partial))
        difference = _difference(partial, pixels, expected)
        partial.replace(path)
    return difference


def _to_onnx(network: torch.nn.Module, spec: NetworkSpec) -> onnx.ModelProto:
    """A network as ONNX, with any number of inputs.

    Its input is `pixels`, N×3×227×227 float32; its outputs are named like the heads.

    Raises:
        ToolError: PyTorch gives none.
    """
    with _quietly():
        program = torch.onnx.export(
            network,
            (torch.zeros(2, 3, INPUT_SIZE, INPUT_SIZE),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=list(spec.heads),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise ToolError("Cannot export: PyTorch gave no ONNX network. Update PyTorch.")
    model = program.model_proto
    _drop_traces(model)
    model.metadata_props.add(key=SPEC_KEY, value=json.dumps(spec.as_dict()))
    onnx.checker.check_model(model)
    return model


def _published_names(model: onnx.ModelProto, spec: NetworkSpec) -> dict[str, str]:
    """The paper's names of the layers with maps, by tensor; empty for another network."""
    if spec.architecture != "levi-hassner":
        return {}
    operations = {kind for kind, _ in _PAPER_LAYERS}
    written = [
        (kind, node.output[0])
        for node in model.graph.node
        if (kind := "Norm" if node.op_type in {"LRN", "BatchNormalization"} else node.op_type) in operations
    ][: len(_PAPER_LAYERS)]
    if [kind for kind, _ in written] != [kind for kind, _ in _PAPER_LAYERS]:
        return {}
    return {tensor: name for (_, tensor), (_, name) in zip(written, _PAPER_LAYERS, strict=True)}


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Hide PyTorch's warnings about packages that are not needed here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _drop_traces(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes about the source code, which hold paths of this machine."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        if hasattr(item, "metadata_props"):
            del item.metadata_props[:]
        item.ClearField("doc_string")
    del graph.value_info[:]


def _joined(notes: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """The notes of two networks; both values where they differ."""
    joined = {**others, **notes}
    for key in notes.keys() & others.keys():
        joined[key] = "; ".join(dict.fromkeys((notes[key], others[key])))
    return joined


def _by_head(checkpoints: Sequence[Checkpoint]) -> dict[str, Checkpoint]:
    by_head = {head: one for one in checkpoints for head in one.spec.heads}
    if len(checkpoints) > 2 or sorted(h for one in checkpoints for h in one.spec.heads) != ["age", "gender"]:
        raise ToolError(
            "Cannot export: a model needs one checkpoint for age and one for gender, or one with both heads. "
            "Give these."
        )
    one, other = by_head["age"], by_head["gender"]
    means = [np.zeros(1) if c.mean_image is None else c.mean_image for c in (one, other)]
    if one.input != other.input or not np.array_equal(means[0], means[1]):
        raise ToolError(
            "Cannot export: the age and the gender network expect different inputs (mean, scale, margin or colour). "
            "Train both on the same pictures and folds."
        )
    return by_head


def _random_pixels(checkpoint: Checkpoint) -> NDArray[np.float32]:
    pictures = np.random.default_rng(0).integers(0, 256, (3, INPUT_SIZE, INPUT_SIZE, 3), np.uint8)
    return Preprocessing(checkpoint.input, checkpoint.mean_image)(pictures)


def _difference(path: Path, pixels: NDArray[np.float32], expected: Sequence[NDArray[np.float32]]) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    whole = session.run(None, {"pixels": pixels})
    single = session.run(None, {"pixels": pixels[:1]})
    return max(
        float(max(np.abs(a - b).max(), np.abs(c - b[:1]).max()))
        for a, b, c in zip(whole, expected, single, strict=True)
    )


def _calibration_batches(checkpoint: Checkpoint, folder: Path) -> Iterator[NDArray[np.float32]]:
    from models.data.prepared import load_prepared

    pictures, preprocess = load_prepared(folder).pictures, Preprocessing(checkpoint.input, checkpoint.mean_image)
    chosen = np.linspace(0, len(pictures) - 1, min(CALIBRATION_PICTURES, len(pictures))).astype(int)
    for start in range(0, len(chosen), 32):
        yield preprocess(center(pictures[chosen[start : start + 32]], checkpoint.input.size))


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models export", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True, help="one file, or age and gender")
    parser.add_argument(
        "--architecture", choices=("auto", *get_args(NetworkName)), default="auto", help="what it must hold"
    )
    parser.add_argument(
        "--side", type=int, help="all but levi-hassner: shrink the input to this side inside the network"
    )
    parser.add_argument("--name", required=True, help="the model's name: a-z, 0-9 and '-'")
    parser.add_argument("--folder", type=Path, default=MODELS_FOLDER, help="where to write (default: models/)")
    parser.add_argument("--title", default="", help="the name people see")
    parser.add_argument("--description", default="", help="one sentence on the model")
    parser.add_argument(
        "--weights", choices=("fp32", "fp16", "int8"), default="fp32", help="how weights are stored; sums stay fp32"
    )
    parser.add_argument(
        "--quantise-with", type=Path, metavar="PREPARED", help="compute in int8, ranges measured on these pictures"
    )
    for key in ("licence", "data", "authors", "source"):
        parser.add_argument(f"--{key}", default="", help=f"the manifest's {key}")
    parser.add_argument("--overwrite", action="store_true", help="replace files of that name")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tool; raises AgelensError with one sentence where it cannot."""
    options = build_parser().parse_args(arguments)
    checkpoints = [load_checkpoint(path) for path in options.checkpoint]
    for path, one in zip(options.checkpoint, checkpoints, strict=True):
        if options.architecture not in ("auto", one.spec.architecture):
            raise ToolError(
                f"Cannot export {path}: it holds a {one.spec.architecture} network, not {options.architecture}. "
                "Correct --architecture."
            )
        if options.side and one.spec.architecture == "levi-hassner":
            raise ToolError(f"Cannot export {path}: --side is not for a {one.spec.architecture} network. Leave it out.")
    if options.side:
        checkpoints = [replace(one, spec=replace(one.spec, side=options.side)) for one in checkpoints]
    about = {key: getattr(options, key) for key in ("licence", "data", "authors", "source")}
    settings = ExportSettings(
        name=options.name,
        folder=options.folder,
        title=options.title,
        description=options.description,
        storage=options.weights,
        calibration=options.quantise_with,
        about={key: value for key, value in about.items() if value},
        overwrite=options.overwrite,
    )
    exported = export_model(checkpoints, settings)
    for name, difference in exported.differences.items():
        size = (settings.folder / name).stat().st_size / 1e6
        print(f"{name}: {size:.1f} MB, largest difference from PyTorch {difference:.2g}")
    print(f"{exported.manifest_path} written")
