from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from desktop_app.catalogue.manifest import InputSpec  # noqa: E402
from desktop_app.vision.preprocessing import Preprocessing  # noqa: E402
from models.training.batches import Normaliser  # noqa: E402
from tests.helpers.random_networks import SMALL, checkpoint_of  # noqa: E402


@pytest.mark.parametrize("colour", ["BGR", "RGB"])
@pytest.mark.parametrize("scale", [1 / 64, 0.017, 1.0])
@pytest.mark.parametrize("mean", [127.5, (104.1, 117.3, 123.7), "image"])
def test_training_sees_bit_for_bit_what_the_app_sees(colour: Any, scale: float, mean: Any) -> None:
    image = np.random.default_rng(2).uniform(0, 255, (256, 256, 3)).astype(np.float32) if mean == "image" else None
    spec = InputSpec(colour=colour, scale=scale, mean=0.0 if mean == "image" else mean)
    views = np.random.default_rng(2).integers(0, 256, (2, 227, 227, 3), np.uint8)
    seen = Normaliser(checkpoint_of(SMALL, input=spec, mean_image=image))(torch.from_numpy(views))
    np.testing.assert_array_equal(seen.numpy(), Preprocessing(spec, image)(views))
