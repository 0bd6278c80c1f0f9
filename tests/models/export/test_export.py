from __future__ import annotations

import math
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from desktop_app.catalogue.catalogue import ModelPackage, load_package  # noqa: E402
from desktop_app.catalogue.manifest import InputSpec, ModelError  # noqa: E402
from desktop_app.vision.classification.classifier import Classifier  # noqa: E402
from desktop_app.vision.preprocessing import Preprocessing  # noqa: E402
from models.cli_utils import ToolError, run_tool  # noqa: E402
from models.data.labels import FAIRFACE_AGES  # noqa: E402
from models.export.export import ExportSettings, export_model, main  # noqa: E402
from models.export.onnx_weights import SPEC_KEY, read_metadata, read_weights, store_weights  # noqa: E402
from models.networks.architectures import NetworkError  # noqa: E402
from models.networks.checkpoints import load_checkpoint, save_checkpoint  # noqa: E402
from models.training.batches import Faces  # noqa: E402
from models.training.scoring import predict_ten_views, score_ten_views  # noqa: E402
from tests.helpers.random_networks import SMALL, checkpoint_of, paper_pair  # noqa: E402


def crops(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, 227, 227, 3), np.uint8)


def softmax_of(network: Any, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    with torch.no_grad():
        answer = network(torch.from_numpy(pixels))
    return [one.softmax(1).numpy() for one in (answer if isinstance(answer, tuple) else (answer,))]


def test_the_app_answers_like_pytorch(small_package: ModelPackage) -> None:
    assert small_package.title == "Small"
    assert [one.name for one in small_package.labels.ages] == [one.name for one in FAIRFACE_AGES]
    pictures = crops(3)
    predictions = Classifier(small_package, provider="cpu").classify(pictures)
    age, gender = softmax_of(checkpoint_of(SMALL).network(), Preprocessing(InputSpec())(pictures))
    np.testing.assert_allclose(np.stack([one.age for one in predictions]), age, atol=1e-4)
    np.testing.assert_allclose(np.stack([one.gender for one in predictions]), gender, atol=1e-4)


def test_the_file_is_lean_and_whole(small_package: ModelPackage) -> None:
    (path,) = small_package.onnx_files
    model = onnx.load(str(path), load_external_data=False)
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"BatchNormalization", "Dropout", "Identity"}
    assert all(one.data_location == onnx.TensorProto.DEFAULT for one in model.graph.initializer)
    assert [one.name for one in model.graph.output] == ["age", "gender"]
    assert model.opset_import[0].version >= 17
    assert str(Path(__file__).parents[3]).encode() not in path.read_bytes()
    assert [one.name for one in path.parent.iterdir() if one.is_dir()] == []


@pytest.mark.parametrize(("storage", "share", "tolerance"), [("fp16", 0.6, 2e-3), ("int8", 0.4, 5e-2)])
def test_weights_are_stored_in_fewer_bytes(
    small_package: ModelPackage, tmp_path: Path, storage: Any, share: float, tolerance: float
) -> None:
    (whole,), path = small_package.onnx_files, tmp_path / "small.onnx"
    model = onnx.load(str(whole))
    store_weights(model, storage)
    onnx.save(model, str(path))
    assert path.stat().st_size < share * whole.stat().st_size
    exact, stored = read_weights(whole), read_weights(path)
    assert exact.keys() == stored.keys()
    for name, values in exact.items():
        np.testing.assert_allclose(stored[name], values, atol=tolerance * np.abs(values).max())


def test_the_spec_travels_with_the_network(small_package: ModelPackage) -> None:
    (path,) = small_package.onnx_files
    assert '"widths": [16, 32]' in read_metadata(path, SPEC_KEY)
    assert read_metadata(path, "nothing") == ""


@pytest.mark.slow
def test_the_papers_pair_becomes_one_model(paper_package: ModelPackage) -> None:
    checkpoints, manifest = paper_pair(), paper_package.manifest
    assert manifest.architecture == "two-network"
    assert [one.name for one in paper_package.onnx_files] == ["paper-age.onnx", "paper-gender.onnx"]
    assert (manifest.about["data"], manifest.about["taught_by"]) == ("faces", "one; other")
    pictures = crops(2)
    predictions = Classifier(paper_package, provider="cpu").classify(pictures)
    pixels = Preprocessing(InputSpec(mean=0.0, scale=1.0), checkpoints[0].mean_image)(pictures)
    (age,), (gender,) = (softmax_of(one.network(), pixels) for one in checkpoints)
    np.testing.assert_allclose(np.stack([one.age for one in predictions]), age, atol=5e-3)
    np.testing.assert_allclose(np.stack([one.gender for one in predictions]), gender, atol=5e-3)


@pytest.mark.slow
def test_ten_views_are_judged_as_the_app_averages_them(paper_package: ModelPackage) -> None:
    age, gender = paper_pair()
    pictures = np.random.default_rng(2).integers(0, 256, (2, 256, 256, 3), np.uint8)
    faces = Faces(pictures=pictures, targets={"age": np.array([0, 3]), "gender": np.array([1, -1])}, rows=np.arange(2))
    shown = Classifier(paper_package, provider="cpu", oversample=True).classify(pictures)
    for one, head in ((age, "age"), (gender, "gender")):
        judged = predict_ten_views(one.network(), one, faces)[head]
        np.testing.assert_allclose(judged, np.stack([getattr(row, head) for row in shown]), atol=5e-3)
    right = float(shown[0].gender.argmax() == 1)
    assert score_ten_views(gender.network(), gender, faces) == {"gender_oversampled": right}


@pytest.mark.slow
def test_response_normalisation_stays_one_operation(paper_package: ModelPackage) -> None:
    model = onnx.load(str(paper_package.onnx_files[0]))
    kinds = [node.op_type for node in model.graph.node if node.op_type != "Cast"]
    assert kinds.count("LRN") == 2
    layers = paper_package.manifest.layers.values()
    assert " ".join(layers) == "conv1 relu1 pool1 norm1 conv2 relu2 pool2 norm2 conv3 relu3 pool5"
    assert kinds.count("MaxPool") == kinds.count("Conv") == kinds.count("Gemm") == 3


def test_networks_that_make_no_model_are_refused(tmp_path: Path) -> None:
    age, gender = paper_pair()
    settings = ExportSettings(name="bad", folder=tmp_path)
    for checkpoints, message in [
        ([age], "one checkpoint for age and one for gender"),
        ([age, age], "one checkpoint for age and one for gender"),
        ([age, replace(gender, mean_image=None)], "different inputs"),
    ]:
        with pytest.raises(ToolError, match=message):
            export_model(checkpoints, settings)
    with pytest.raises(ModelError, match="may hold only"):
        export_model([checkpoint_of(SMALL)], ExportSettings(name="../bad", folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_network_can_compute_in_int8(small_package: ModelPackage, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime.quantization")
    from models.export.onnx_weights import quantise_static

    path = Path(shutil.copy(small_package.onnx_files[0], tmp_path))
    pixels = Preprocessing(InputSpec())(crops(4))

    def batches() -> Iterator[NDArray[np.float32]]:
        yield pixels

    quantise_static(path, batches())
    model = onnx.load(str(path))
    assert "QuantizeLinear" in {node.op_type for node in model.graph.node}
    import onnxruntime

    age = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(["age"], {"pixels": pixels})
    expected = checkpoint_of(SMALL).network()(torch.from_numpy(pixels))[0].detach().numpy()
    assert np.abs(age[0] - expected).max() < 0.2 * np.abs(expected).max()


def test_a_checkpoint_survives_being_stored(tmp_path: Path) -> None:
    start = checkpoint_of(
        SMALL, input=InputSpec(mean=(1.0, 2.0, 3.0), scale=1.0, colour="RGB"), notes={"data": "made here"}
    )
    save_checkpoint(start, tmp_path / "small.pt")
    found = load_checkpoint(tmp_path / "small.pt")
    assert (found.spec, found.labels, found.input, found.notes) == (start.spec, start.labels, start.input, start.notes)
    assert all((found.state[name] == value).all() for name, value in start.state.items())


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_a_file_that_is_no_checkpoint_is_refused(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.pt"
    if content is None:
        torch.save({"weights": torch.zeros(3)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(NetworkError):
        load_checkpoint(path)
    assert run_tool(main, ["--checkpoint", str(path), "--name", "bad", "--folder", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def rewritten(path: Path, *keys: str, value: Any) -> None:
    """Change one value of a stored checkpoint."""
    content = torch.load(path, weights_only=True)
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    torch.save(content, path)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("format",), "other"),
        (("spec", "widths"), (100_000, 100_000)),
        (("spec", "ages"), torch.zeros(2)),
        (("ages",), []),
        (("ages",), [{"name": "0-2", "low": "young", "high": 2}] * 9),
        (("genders",), ["Male"]),
        (("genders",), [1, 2]),
        (("input", "colour"), "blue"),
        (("input", "mean"), "mean.npy"),
        (("input", "scale"), math.nan),
        (("mean_image",), torch.zeros(2)),
        (("mean_image",), torch.zeros(1).expand(1 << 20, 1 << 20, 3)),
        (("state",), None),
        (("state", "gender.bias"), torch.zeros(3)),
        (("state", "gender.bias"), torch.zeros(2, dtype=torch.int64)),
        (("state", "gender.bias"), torch.full((2,), math.inf)),
        (("state", "gender.bias"), torch.zeros(1).expand(2)),
        (("state", "more"), torch.zeros(2)),
        (("notes",), {"data": 3}),
        (("training",), 3),
    ],
)
def test_a_checkpoint_whose_parts_do_not_fit_is_refused(tmp_path: Path, keys: tuple[str, ...], value: Any) -> None:
    path = tmp_path / "lying.pt"
    save_checkpoint(checkpoint_of(SMALL), path)
    rewritten(path, *keys, value=value)
    with pytest.raises(NetworkError, match=r"lying\.pt"):
        load_checkpoint(path)


def test_a_checkpoint_that_would_unpack_to_more_than_it_is_is_refused(tmp_path: Path) -> None:
    path, bomb = tmp_path / "small.pt", tmp_path / "bomb.pt"
    save_checkpoint(checkpoint_of(SMALL), path)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, bytes(1 << 24) if name.endswith("data/0") else source.read(name))
    with pytest.raises(NetworkError, match="it is compressed"):
        load_checkpoint(bomb)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"format": Hostile()}, tmp_path / "hostile.pt")
    with pytest.raises(NetworkError):
        load_checkpoint(tmp_path / "hostile.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_the_tool_replaces_a_model_only_when_told_to_and_only_by_a_whole_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_checkpoint(checkpoint_of(SMALL), tmp_path / "small.pt")
    folder = tmp_path / "models"
    arguments = ["--checkpoint", str(tmp_path / "small.pt"), "--name", "mine", "--folder", str(folder)]
    assert run_tool(main, [*arguments, "--licence", "CC0-1.0", "--weights", "fp16"]) == 0
    assert load_package(folder / "mine.toml").manifest.about["licence"] == "CC0-1.0"
    capsys.readouterr()
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert run_tool(main, arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run_tool(main, [*arguments, "--overwrite", "--title", "two\nlines"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(folder / "mine.toml") in line
    assert run_tool(main, [*arguments, "--architecture", "levi-hassner", "--overwrite"]) == 2
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert run_tool(main, [*arguments, "--overwrite"]) == 0
    assert (folder / "mine.onnx").stat().st_size > 1.5 * len(before["mine.onnx"])


def test_a_damaged_network_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"\x00\x01nothing")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        read_weights(path)
