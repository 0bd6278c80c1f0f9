from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from desktop_app.catalogue.catalogue import ModelPackage  # noqa: E402
from models.cli_utils import run_tool  # noqa: E402
from models.networks.architectures import INPUT_SIZE  # noqa: E402
from models.networks.checkpoints import Checkpoint, load_checkpoint  # noqa: E402
from models.training.batches import Faces, Normaliser  # noqa: E402
from models.training.import_onnx import checkpoints_from_package  # noqa: E402
from models.training.train import main as train  # noqa: E402
from models.training.unfold_batchnorm import unfold_norms  # noqa: E402
from tests.helpers.labelled_pictures import write_folder  # noqa: E402
from tests.helpers.random_networks import SMALL  # noqa: E402

COUNT = 32


def some_faces() -> Faces:
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, 256, 256, 3), np.uint8)
    return Faces(pictures=pictures, targets={"gender": np.zeros(COUNT, np.int64)}, rows=np.arange(COUNT))


def pixels_of(checkpoint: Checkpoint, faces: Faces) -> Any:
    return Normaliser(checkpoint)(torch.from_numpy(faces.pictures[:, 14:241, 14:241].copy()))


def answers(checkpoint: Checkpoint, pixels: Any, *, training: bool = False) -> Any:
    network = checkpoint.network()
    for module in network.modules():
        module.train(training and not isinstance(module, torch.nn.Dropout))
    with torch.no_grad():
        answer = network(pixels)
    return torch.cat(answer if isinstance(answer, tuple) else (answer,), dim=1)


@pytest.mark.parametrize("package", ["small_package", pytest.param("batch_norm_package", marks=pytest.mark.slow)])
def test_norms_that_were_folded_normalise_again_and_answer_the_same(
    request: pytest.FixtureRequest, package: str
) -> None:
    (restored,) = checkpoints_from_package(request.getfixturevalue(package))
    faces = some_faces()
    unfolded = unfold_norms(restored, faces)
    pixels = pixels_of(unfolded, faces)
    before = answers(restored, pixels)
    scale = float(before.abs().max())
    torch.testing.assert_close(answers(unfolded, pixels), before, rtol=0, atol=1e-4 * scale)
    # In training too, on pictures like those that were measured.
    torch.testing.assert_close(answers(unfolded, pixels, training=True), before, rtol=0, atol=0.02 * scale)
    assert float((answers(restored, pixels, training=True) - before).abs().max()) > 0.04 * scale


def test_a_training_can_start_from_a_model(
    small_package: ModelPackage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "data")
    # As the shipped one, it shrinks its input, which a training does not.
    start = small_package.path
    assert SMALL.side < INPUT_SIZE
    arguments = ["--recipe", "compact", "--data", "csv", "--path", str(tmp_path / "data"), "--workers", "0"]
    arguments += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out.pt"), "--init", str(start)]
    arguments += ["--iterations", "1", "--rate", "1e-9", "--sides", "0:64", "--device", "cpu"]
    assert run_tool(train, [*arguments, "--widths", "16", "16", "--blocks", "1", "1"]) == 2
    assert "it holds another network" in capsys.readouterr().err
    assert run_tool(train, [*arguments, "--widths", "16", "32", "--blocks", "1", "1"]) == 0
    (restored,) = checkpoints_from_package(small_package)
    trained = load_checkpoint(tmp_path / "out.pt")
    torch.testing.assert_close(trained.state["gender.weight"], restored.state["gender.weight"], rtol=0, atol=1e-6)
