from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from desktop_app.catalogue.manifest import InputSpec, Labels  # noqa: E402
from models.cli_utils import ToolError  # noqa: E402
from models.data.labels import GENDERS, parse_age_buckets  # noqa: E402
from models.evaluation.metrics import calibration_error  # noqa: E402
from models.networks.architectures import NetworkSpec, build_network, head_logits  # noqa: E402
from models.networks.checkpoints import Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from models.training.temperature import divide_heads, evening_shift, fit_temperature, main, shift_ages  # noqa: E402

LABELS = Labels(parse_age_buckets("0-19,20-59,60+"), GENDERS)
COMPACT = NetworkSpec(architecture="compact", ages=3, genders=2, stem_width=8, widths=(8,), blocks=(1,))
PAPER = NetworkSpec(architecture="levi-hassner", ages=3, genders=2)


def start(spec: NetworkSpec) -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(spec=spec, labels=LABELS, input=InputSpec(), state=build_network(spec).state_dict())


def test_too_sure_logits_are_brought_back() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 4)).astype(np.float32)
    chances = torch.softmax(torch.from_numpy(logits), 1).numpy()
    targets = np.array([rng.choice(4, p=row / row.sum()) for row in chances.astype(np.float64)], np.int64)
    temperature = fit_temperature(logits * 3, targets)
    assert temperature == pytest.approx(3, rel=0.05)
    calibrated = torch.softmax(torch.from_numpy(logits * 3 / temperature), 1).double().numpy()
    assert calibration_error(calibrated, targets) < 0.02


def test_unknown_targets_are_left_out() -> None:
    logits = np.array([[2, 0], [0, 1], [9, 0]], np.float32)
    known = fit_temperature(logits[:2], np.array([0, 0]))
    assert fit_temperature(logits, np.array([0, 0, -1])) == pytest.approx(known)
    with pytest.raises(ToolError, match="no picture has a label"):
        fit_temperature(logits, np.array([-1, -1, -1]))


def test_the_temperature_fits_the_answers_that_are_shifted_afterwards() -> None:
    rng = np.random.default_rng(0)
    logits, shift = rng.normal(0, 2, (20_000, 3)).astype(np.float32), np.array([-2, 0, 2], np.float32)
    chances = torch.softmax(torch.from_numpy(logits + shift), 1).numpy()
    targets = np.array([rng.choice(3, p=row / row.sum()) for row in chances.astype(np.float64)], np.int64)
    assert fit_temperature(logits * 3, targets, shift) == pytest.approx(3, rel=0.05)
    assert fit_temperature(logits * 3, targets) != pytest.approx(3, rel=0.2)


@pytest.mark.parametrize("spec", [COMPACT, PAPER])
def test_each_head_is_divided_by_its_own_temperature(spec: NetworkSpec) -> None:
    before = start(spec)
    after = divide_heads(before, {"age": 2.0, "gender": 0.5})
    pixels = torch.randn(2, 3, 227, 227)
    with torch.no_grad():
        old, new = (head_logits(spec, one.network()(pixels)) for one in (before, after))
    torch.testing.assert_close(new["age"] * 2, old["age"])
    torch.testing.assert_close(new["gender"] / 2, old["gender"])


@pytest.mark.parametrize("spec", [COMPACT, PAPER])
def test_rare_ages_gain_what_common_ones_lose(spec: NetworkSpec) -> None:
    before = start(spec)
    after = shift_ages(before, evening_shift(np.array([90, 9, 1]), 0.5))
    pixels = torch.randn(2, 3, 227, 227)
    with torch.no_grad():
        old, new = (head_logits(spec, one.network()(pixels)) for one in (before, after))
    odds = (new["age"] - old["age"]).exp()
    # A group that is ten times as rare gains by the root of ten.
    torch.testing.assert_close(odds[:, 1] / odds[:, 0], torch.full((2,), 10**0.5))
    torch.testing.assert_close(odds[:, 2] / odds[:, 1], torch.full((2,), 3.0))
    torch.testing.assert_close(new["gender"], old["gender"])


def test_the_tool_writes_a_checkpoint_that_says_what_was_done(tmp_path: Path) -> None:
    save_checkpoint(start(COMPACT), tmp_path / "in.pt")
    rng = np.random.default_rng(0)
    rows = ["file,age,gender"]
    for index in range(6):
        cv2.imwrite(str(tmp_path / f"{index}.png"), rng.integers(0, 256, (64, 64, 3), np.uint8))
        rows.append(f"{index}.png,{20 * index},{GENDERS[index % 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    data = ["--data", "csv", "--path", str(tmp_path), "--cache", str(tmp_path / "cache")]
    files = ["--checkpoint", str(tmp_path / "in.pt"), "--output", str(tmp_path / "out.pt")]
    main([*files, *data])
    written = load_checkpoint(tmp_path / "out.pt")
    assert "fitted on 6 pictures" in written.notes["temperatures"]
    assert not torch.equal(written.state["age.weight"], start(COMPACT).state["age.weight"])
    with pytest.raises(ToolError, match="exists already"):
        main([*files, *data])
    assert "even_ages" not in written.notes
    main([*files, *data, "--overwrite", "--even-ages", "0.3"])
    assert "0.3" in load_checkpoint(tmp_path / "out.pt").notes["even_ages"]
    main([*files, *data, "--overwrite", "--held-out", "3"])
    few = load_checkpoint(tmp_path / "out.pt")
    assert "fitted on 3 held out pictures" in few.notes["temperatures"]
    assert not torch.equal(few.state["age.weight"], written.state["age.weight"])
