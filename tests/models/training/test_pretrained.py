from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
from torch.nn import functional  # noqa: E402

from desktop_app.catalogue.catalogue import load_package  # noqa: E402
from models.cli_utils import ToolError, run_tool  # noqa: E402
from models.export.export import ExportSettings, export_model  # noqa: E402
from models.networks.architectures import NetworkError, NetworkName, NetworkSpec  # noqa: E402
from models.networks.checkpoints import load_checkpoint  # noqa: E402
from models.networks.efficientnet import LITE2, STAGES, EfficientNet, scaled_stages  # noqa: E402
from models.networks.face_resnet import BLOCKS, MEAN_BGR, FaceResNet  # noqa: E402
from models.training.import_onnx import checkpoints_from_package  # noqa: E402
from models.training.pretrained import Layer, published_state, read_layers  # noqa: E402
from models.training.train import main as train  # noqa: E402
from tests.helpers.labelled_pictures import write_folder  # noqa: E402
from tests.helpers.random_networks import checkpoint_of  # noqa: E402

DESCRIPTOR = [-0.08308, 0.1061, 0.06566, -0.0577, -0.02388, -0.07635, -0.01424, -0.03321]
"""How the descriptor of `colourful_chip` begins that dlib-bin 20.0.1 computes with the published file."""


def spec_of(name: NetworkName, side: int) -> NetworkSpec:
    return NetworkSpec(architecture=name, ages=9, genders=2, side=side)


def colourful_chip() -> NDArray[np.uint8]:
    """150×150×3, BGR, always the same."""
    spots = np.random.default_rng(0).integers(0, 256, (10, 10, 3), np.uint8)
    return np.asarray(cv2.resize(spots, (150, 150), interpolation=cv2.INTER_CUBIC), np.uint8)


def pixels_of(picture: NDArray[np.uint8]) -> Any:
    return (torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() - 127.5) / 64


def features(name: NetworkName, state: Any, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    made: dict[str, type[EfficientNet] | type[FaceResNet]] = {
        "efficientnet-lite0": EfficientNet,
        "face-resnet": FaceResNet,
    }
    network = made[name](9, 2, side=len(picture))
    network.load_state_dict(state)
    with torch.no_grad():
        return np.asarray(network.eval().features(pixels_of(picture)).numpy())


def started(path: Path, spec: NetworkSpec) -> tuple[Any, str]:
    """The weights of a published file and their credit."""
    published = published_state(path, spec)
    assert published is not None
    return published


def packed(*values: int) -> bytes:
    """Integers as dlib writes them: the number of bytes, and the bytes."""
    return b"".join(
        bytes([length]) + value.to_bytes(length, "little")
        for value in values
        for length in [(value.bit_length() + 7) // 8]
    )


def tensor(values: NDArray[np.float32]) -> bytes:
    return packed(2, values.size, 1, 1, 1) + values.astype("<f4").tobytes()


def write_dat(path: Path, layers: list[Layer]) -> None:
    parts = [b"\x01\x01loss_metric_2"]
    for one in layers:
        count, _, *kernel = one.filters.shape
        parts += [b"\x01\x05con_4", tensor(np.concatenate([one.filters.ravel(), one.bias])), packed(count, *kernel, 2)]
        parts += [b"\x01\x07affine_", tensor(np.concatenate([one.scale, one.shift])), b"\x01\x05relu_"]
    path.write_bytes(b"".join(parts))


def face_layers() -> list[Layer]:
    """Layers of the right shapes, drawn so that nothing vanishes or explodes on the way."""
    rng = np.random.default_rng(1)
    shapes = [(32, 3, 7, 7)]
    for block in BLOCKS:
        shapes += [(block.outputs, block.inputs, 3, 3), (block.outputs, block.outputs, 3, 3)]
    drawn = [
        (rng.normal(0, np.prod(shape[1:]) ** -0.5, shape), *rng.normal(0.1, 0.1, (2, shape[0])), 0.5)
        for shape in shapes
    ]
    return [
        Layer(
            filters.astype(np.float32),
            bias.astype(np.float32),
            np.full(len(bias), scale, np.float32),
            shift.astype(np.float32),
        )
        for filters, bias, shift, scale in drawn
    ]


def dlib_features(layers: list[Layer], chip: NDArray[np.uint8]) -> NDArray[np.float32]:
    """dlib's arithmetic, written once more: RGB, affine after each convolution, zeros for what lacks."""
    values = (torch.from_numpy(chip[..., ::-1].astype(np.float32)) - torch.tensor(MEAN_BGR[::-1])) / 256
    rest = iter(layers)

    def convolve(maps: Any, stride: int, padding: int) -> Any:
        one = next(rest)
        filters, bias, scale, shift = (torch.from_numpy(part) for part in (one.filters, one.bias, one.scale, one.shift))
        convolved = functional.conv2d(maps, filters, bias, stride, padding)
        return convolved * scale[:, None, None] + shift[:, None, None]

    maps = functional.max_pool2d(convolve(values.permute(2, 0, 1)[None], 2, 0).relu(), 3, 2)
    for block in BLOCKS:
        stride, padding = (2, 0) if block.is_down else (1, 1)
        main = convolve(convolve(maps, stride, padding).relu(), 1, 1)
        skip = functional.avg_pool2d(maps, 2) if block.is_down else maps
        total = torch.zeros(1, block.outputs, *skip.shape[2:])
        total[:, : skip.shape[1]] += skip
        total[:, :, : main.shape[2], : main.shape[3]] += main
        maps = total.relu()
    return np.asarray(maps.mean((2, 3)).numpy())


def test_the_face_network_is_read_and_computes_what_dlib_computes(tmp_path: Path) -> None:
    layers = face_layers()
    write_dat(tmp_path / "face.dat", layers)
    state, credit = started(tmp_path / "face.dat", spec_of("face-resnet", 150))
    assert "Davis King (CC0 1.0)" in credit
    expected = dlib_features(layers, colourful_chip())
    assert expected.std() > 0.01
    np.testing.assert_allclose(features("face-resnet", state, colourful_chip()), expected, rtol=0, atol=1e-4)


@pytest.mark.skipif(
    importlib.util.find_spec("face_recognition_models") is None, reason="the published file is not here"
)
def test_the_published_face_network_gives_dlibs_numbers() -> None:
    found = importlib.util.find_spec("face_recognition_models")
    assert found is not None
    assert found.origin is not None
    path = Path(found.origin).parent / "models" / "dlib_face_recognition_resnet_model_v1.dat"
    state, _ = started(path, spec_of("face-resnet", 150))
    # The layer that is left out, a product with 256×128 values, makes the descriptor of the features.
    data = path.read_bytes()
    last = np.frombuffer(data, "<f4", 256 * 128, data.index(b"\x04fc_2") + 21).reshape(256, 128)
    descriptor = features("face-resnet", state, colourful_chip())[0] @ last
    np.testing.assert_allclose(descriptor[:8], DESCRIPTOR, rtol=0, atol=2e-5)


def published_names(name: str) -> str:
    """How the package of EfficientNet-Lite0 calls a part of ours."""
    for ours, theirs in [
        ("stem.conv", "_conv_stem"),
        ("stem.norm", "_bn0"),
        ("top.conv", "_conv_head"),
        ("top.norm", "_bn1"),
        ("expand.0.conv", "_expand_conv"),
        ("expand.0.norm", "_bn0"),
        ("depthwise.conv", "_depthwise_conv"),
        ("depthwise.norm", "_bn1"),
        ("project.conv", "_project_conv"),
        ("project.norm", "_bn2"),
        ("blocks.", "_blocks."),
    ]:
        name = name.replace(ours, theirs)
    return name


def same_padded(maps: Any, weight: Any, stride: int, groups: int) -> Any:
    """A convolution with TensorFlow's padding."""
    side, kernel = maps.shape[-1], weight.shape[-1]
    needed = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    before, after = needed // 2, needed - needed // 2
    return functional.conv2d(functional.pad(maps, (before, after) * 2), weight, None, stride, 0, 1, groups)


def tensorflow_features(state: dict[str, Any], picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """EfficientNet-Lite0 written once more, from the published names."""

    def layer(maps: Any, conv: str, norm: str, stride: int = 1, groups: int = 1) -> Any:
        maps = same_padded(maps, state[f"{conv}.weight"], stride, groups)
        mean, variance, weight, bias = (
            state[f"{norm}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (maps - mean) / (variance + 1e-3).sqrt() * weight + bias

    maps = (torch.from_numpy(picture[..., ::-1].astype(np.float32)).permute(2, 0, 1)[None] - 127) / 128
    maps = layer(maps, "_conv_stem", "_bn0", 2).clamp(0, 6)
    strides = [stage.stride if index == 0 else 1 for stage in STAGES for index in range(stage.blocks)]
    for index, stride in enumerate(strides):
        block, before = f"_blocks.{index}.", maps
        if f"{block}_expand_conv.weight" in state:
            maps = layer(maps, f"{block}_expand_conv", f"{block}_bn0").clamp(0, 6)
        maps = layer(maps, f"{block}_depthwise_conv", f"{block}_bn1", stride, maps.shape[1]).clamp(0, 6)
        maps = layer(maps, f"{block}_project_conv", f"{block}_bn2")
        maps = maps + before if maps.shape == before.shape else maps
    return np.asarray(layer(maps, "_conv_head", "_bn1").clamp(0, 6).mean((2, 3)).numpy())


def write_pth(path: Path) -> dict[str, Any]:
    trunk = checkpoint_of(spec_of("efficientnet-lite0", 97)).state
    state = {
        published_names(name): value for name, value in trunk.items() if name.split(".")[0] not in {"age", "gender"}
    }
    torch.save({**state, "_fc.weight": torch.zeros(4, 1280), "_fc.bias": torch.zeros(4)}, path)
    return state


def test_efficientnet_is_read_and_computes_what_tensorflow_computes(tmp_path: Path) -> None:
    published = write_pth(tmp_path / "lite0.pth")
    state, credit = started(tmp_path / "lite0.pth", spec_of("efficientnet-lite0", 97))
    assert "Apache-2.0" in credit
    chip = colourful_chip()[:97, :97]
    expected = tensorflow_features(published, chip)
    assert expected.std() > 0.01
    np.testing.assert_allclose(features("efficientnet-lite0", state, chip), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("name", "file"), [("face-resnet", "start.dat"), ("efficientnet-lite0", "start.pth")])
@pytest.mark.parametrize("content", [b"", b"text", b"\x01\x05con_4\x01\x02\x08" + b"\xff" * 40])
def test_a_file_that_is_no_start_is_refused(tmp_path: Path, name: NetworkName, file: str, content: bytes) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ToolError, match="Get"):
        published_state(tmp_path / file, spec_of(name, 129))


def test_a_start_that_was_cut_off_or_is_of_another_network_is_refused(tmp_path: Path) -> None:
    layers = face_layers()[:3]
    path = tmp_path / "face.dat"
    write_dat(path, layers)
    np.testing.assert_array_equal(read_layers(path)[2].filters, layers[2].filters)
    with pytest.raises(ToolError, match="3 convolutions and the network 29"):
        published_state(path, spec_of("face-resnet", 150))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ToolError, match="it is damaged"):
        published_state(path, spec_of("face-resnet", 150))
    torch.save({"_conv_stem.weight": torch.zeros(8, 3, 3, 3)}, tmp_path / "start.pth")
    with pytest.raises(ToolError, match="does not hold the weights"):
        published_state(tmp_path / "start.pth", spec_of("efficientnet-lite0", 97))


@pytest.mark.slow
def test_a_training_can_start_from_published_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path / "data")
    published = write_pth(tmp_path / "lite0.pth")
    arguments = ["--recipe", "compact", "--architecture", "efficientnet-lite0", "--side", "64", "--sides", "0:64"]
    arguments += ["--data", "csv", "--path", str(tmp_path / "data"), "--cache", str(tmp_path / "cache")]
    arguments += ["--workers", "0", "--device", "cpu", "--iterations", "1", "--rate", "1e-9", "--hold-out", "3"]
    arguments += ["--output", str(tmp_path / "out.pt"), "--init", str(tmp_path / "lite0.pth")]
    assert run_tool(train, arguments) == 0
    trained = load_checkpoint(tmp_path / "out.pt")
    assert trained.notes["data"] == "csv: 9 pictures"
    assert trained.notes["started_from"].startswith("EfficientNet-Lite0")
    stem = published["_conv_stem.weight"].flip(1)
    torch.testing.assert_close(trained.state["stem.conv.weight"], stem, rtol=0, atol=1e-6)
    # What began with it says so too.
    (tmp_path / "out.pt").rename(tmp_path / "first.pt")
    assert run_tool(train, [*arguments, "--init", str(tmp_path / "first.pt")]) == 0
    assert load_checkpoint(tmp_path / "out.pt").notes["started_from"] == trained.notes["started_from"]
    assert run_tool(train, [*arguments, "--hold-out", "7"]) == 2
    assert "Hold out less than half" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["face-resnet", "efficientnet-lite0"])
def test_a_started_network_is_exported_and_comes_back(tmp_path: Path, name: NetworkName) -> None:
    checkpoint = checkpoint_of(spec_of(name, 103))
    # The tool compares the file's answers with PyTorch's.
    manifest = export_model([checkpoint], ExportSettings(name="started", folder=tmp_path)).manifest_path
    (restored,) = checkpoints_from_package(load_package(manifest))
    assert restored.spec == checkpoint.spec
    pixels = pixels_of(np.asarray(cv2.resize(colourful_chip(), (227, 227)), np.uint8))
    with torch.no_grad():
        for back, before in zip(restored.network()(pixels), checkpoint.network()(pixels), strict=True):
            torch.testing.assert_close(back, before, rtol=1e-4, atol=1e-4 * float(before.abs().max()))


def test_pictures_that_are_too_small_for_the_face_network_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NetworkError, match="side 102"):
        spec_of("face-resnet", 102)
    write_folder(tmp_path / "data", count=4)
    arguments = ["--recipe", "compact", "--architecture", "face-resnet", "--side", "103", "--sides", "0:64,0.5:128"]
    arguments += ["--data", "csv", "--path", str(tmp_path / "data"), "--cache", str(tmp_path / "cache")]
    assert run_tool(train, [*arguments, "--iterations", "1", "--output", str(tmp_path / "out.pt")]) == 2
    assert "--sides of at least 103" in capsys.readouterr().err


def test_the_larger_network_is_scaled_as_the_published_one() -> None:
    stages = scaled_stages(LITE2)
    assert [one.width for one in stages] == [16, 24, 48, 88, 120, 208, 352]
    assert [one.blocks for one in stages] == [1, 3, 3, 4, 4, 5, 1]
    network = EfficientNet(9, 2, side=64, scale=LITE2)
    # Those of the published file without its last layer, and the two heads.
    assert sum(one.numel() for one in network.parameters()) == 4_811_072 + 1281 * 11
