from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from desktop_app.vision.preprocessing import center  # noqa: E402
from models.cli_utils import ToolError, run_tool  # noqa: E402
from models.data.prepared import load_prepared  # noqa: E402
from models.networks.architectures import NetworkSpec  # noqa: E402
from models.networks.checkpoints import Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from models.training.average import average, main  # noqa: E402
from models.training.batches import Normaliser  # noqa: E402
from tests.helpers.labelled_pictures import write_folder  # noqa: E402
from tests.helpers.random_networks import checkpoint_of  # noqa: E402

SMALL = NetworkSpec(architecture="compact", ages=9, genders=2, stem_width=8, widths=(8,), blocks=(1,))


def two_networks() -> tuple[Checkpoint, Checkpoint]:
    one = checkpoint_of(SMALL, notes={"data": "some"}, training={"finished": True})
    doubled = {name: value * 2 for name, value in one.state.items()}
    return one, replace(one, state=doubled)


def test_weights_are_averaged_by_their_shares() -> None:
    one, other = two_networks()
    mixed = average([one, other], [3, 1])
    name = "stem.0.conv.weight"
    torch.testing.assert_close(mixed.state[name], 1.25 * one.state[name])
    assert mixed.training == {}


def test_unlike_networks_are_not_averaged() -> None:
    one, other = two_networks()
    with pytest.raises(ToolError, match="differ in kind"):
        average([one, checkpoint_of(replace(SMALL, stem_width=16))], [1, 1])
    with pytest.raises(ToolError, match="mean image"):
        average([one, replace(other, mean_image=np.zeros((256, 256, 3), np.float32))], [1, 1])


def test_the_norms_of_an_average_are_measured_on_the_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "data")
    for name, network in zip(("one", "other"), two_networks(), strict=True):
        save_checkpoint(network, tmp_path / f"{name}.pt")
    arguments = ["--checkpoints", str(tmp_path / "one.pt"), str(tmp_path / "other.pt")]
    arguments += ["--output", str(tmp_path / "made.pt"), "--cache", str(tmp_path / "cache")]
    arguments += ["--data", "csv", "--path", str(tmp_path / "data")]
    assert run_tool(main, [*arguments, "--weights", "1", "3"]) == 0
    made = load_checkpoint(tmp_path / "made.pt")
    assert made.notes == {"data": "some", "average_of": "0.25 one.pt + 0.75 other.pt"}

    (folder,) = (tmp_path / "cache").iterdir()
    pixels = Normaliser(made)(torch.from_numpy(np.array(center(load_prepared(folder).pictures, 227))))
    with torch.no_grad():
        seen = made.network().stem[0].conv(pixels)
    measured = made.state["stem.0.norm.running_mean"]
    torch.testing.assert_close(measured, seen.mean((0, 2, 3)), rtol=0.01, atol=0.01)
    assert (measured - two_networks()[0].state["stem.0.norm.running_mean"]).abs().max() > 0.05

    assert run_tool(main, arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run_tool(main, [*arguments, "--weights", "1"]) == 2
    assert "differ in number" in capsys.readouterr().err
