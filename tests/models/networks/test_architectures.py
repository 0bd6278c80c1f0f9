from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from models.networks.architectures import (  # noqa: E402
    CompactNet,
    LeviHassnerNet,
    NetworkError,
    NetworkSpec,
    TwoHeadLeviHassnerNet,
    build_network,
    head_logits,
    load_state,
)
from models.networks.layers import ResidualBlock, ResponseNorm, fold_norms  # noqa: E402


def shapes_of(network: Any, names: list[str], pixels: Any) -> dict[str, list[tuple[int, ...]]]:
    """The shapes that some layers give, in the order of the calls, without the batch."""
    seen: dict[str, list[tuple[int, ...]]] = {name: [] for name in names}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: seen[name].append(tuple(output.shape[1:]))
        )
        for name in names
    ]
    network.eval()(pixels)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("norm", ["lrn", "batch"])
def test_every_layer_of_the_papers_network_has_the_published_shape(norm: Any) -> None:
    network = LeviHassnerNet(8, norm)
    names = ["conv1", "norm1", "conv2", "norm2", "conv3", "pool", "fc6", "fc7", "fc8"]
    assert shapes_of(network, names, torch.zeros(1, 3, 227, 227)) == {
        "conv1": [(96, 56, 56)],
        "norm1": [(96, 28, 28)],
        "conv2": [(256, 28, 28)],
        "norm2": [(256, 14, 14)],
        "conv3": [(384, 14, 14)],
        "pool": [(96, 28, 28), (256, 14, 14), (384, 7, 7)],
        "fc6": [(512,)],
        "fc7": [(512,)],
        "fc8": [(8,)],
    }
    assert network.fc6.in_features == 18_816


@pytest.mark.parametrize(("outputs", "parameters"), [(8, 11_415_048), (2, 11_411_970)])
def test_the_papers_network_has_as_many_parameters_as_published(outputs: int, parameters: int) -> None:
    assert sum(one.numel() for one in LeviHassnerNet(outputs).parameters()) == parameters


def test_the_first_values_are_drawn_as_published() -> None:
    torch.manual_seed(0)
    network = LeviHassnerNet(8)
    for name, std, bias in [
        ("conv1", 0.01, 0),
        ("conv2", 0.01, 1),
        ("conv3", 0.01, 0),
        ("fc6", 0.005, 1),
        ("fc7", 0.005, 1),
        ("fc8", 0.01, 0),
    ]:
        layer = getattr(network, name)
        weight = layer.weight.detach()
        assert float(weight.std()) == pytest.approx(std, rel=0.05)
        assert abs(float(weight.mean())) < 0.1 * std
        assert (layer.bias == bias).all()


def test_rates_and_decays_have_the_published_factors() -> None:
    network = LeviHassnerNet(8)
    groups = network.parameter_groups(rate=1e-3, weight_decay=5e-4)
    names = [name for name, _ in network.named_parameters()]
    factors = {name: (one["lr"] / 1e-3, one["weight_decay"]) for name, one in zip(names, groups, strict=True)}
    assert factors["conv1.weight"] == pytest.approx((1, 5e-4))
    assert factors["conv1.bias"] == pytest.approx((2, 0))
    assert factors["fc7.weight"] == pytest.approx((1, 5e-4))
    assert factors["fc8.weight"] == pytest.approx((10, 5e-4))
    assert factors["fc8.bias"] == pytest.approx((20, 0))


def test_response_normalisation_is_caffes() -> None:
    maps = np.random.default_rng(0).normal(0, 50, (1, 9, 2, 3)).astype(np.float32)
    expected = np.empty_like(maps)
    for channel in range(9):
        window = maps[:, max(channel - 2, 0) : channel + 3]
        expected[:, channel] = maps[:, channel] / (1 + 1e-4 / 5 * (window**2).sum(axis=1)) ** 0.75
    measured = ResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)(torch.from_numpy(maps)).numpy()
    np.testing.assert_allclose(measured, expected, rtol=1e-5)


def test_pools_round_up_and_look_no_farther_than_the_border() -> None:
    pool = LeviHassnerNet(2).pool
    ramp = torch.arange(56.0 * 56).reshape(1, 1, 56, 56)
    pooled = pool(ramp)
    assert pooled.shape[-2:] == (28, 28)
    assert pooled[0, 0, 0, 0] == 2 * 56 + 2
    assert pooled[0, 0, -1, -1] == 56 * 56 - 1


def test_the_papers_network_can_learn_from_smaller_pictures() -> None:
    network = TwoHeadLeviHassnerNet(9, 2, "batch")
    ages, genders = network(torch.randn(2, 3, 131, 131))
    assert (ages.shape, genders.shape) == ((2, 9), (2, 2))


def test_one_network_can_answer_both_questions() -> None:
    spec = NetworkSpec(architecture="levi-hassner", ages=9, genders=2)
    network = build_network(spec).eval()
    logits = head_logits(spec, network(torch.zeros(2, 3, 227, 227)))
    assert {head: tuple(one.shape) for head, one in logits.items()} == {"age": (2, 9), "gender": (2, 2)}


def test_the_compact_network_shrinks_as_drawn() -> None:
    network = CompactNet(9, 2, blocks=(1, 1, 2, 1))
    names = ["stem.0", "stem.2", "stages.0", "stages.1", "stages.2", "stages.3"]
    assert shapes_of(network, names, torch.zeros(1, 3, 227, 227)) == {
        "stem.0": [(24, 75, 75)],
        "stem.2": [(32, 38, 38)],
        "stages.0": [(32, 38, 38)],
        "stages.1": [(64, 19, 19)],
        "stages.2": [(128, 10, 10)],
        "stages.3": [(256, 5, 5)],
    }
    age, gender = network(torch.zeros(3, 3, 227, 227))
    assert age.shape == (3, 9)
    assert gender.shape == (3, 2)


def test_a_smaller_side_is_reached_inside_the_network() -> None:
    torch.manual_seed(0)
    whole = CompactNet(9, 2, widths=(8, 16), blocks=(1, 1)).eval()
    shrinking = CompactNet(9, 2, widths=(8, 16), blocks=(1, 1), side=100).eval()
    load_state(shrinking, whole.state_dict())
    pixels = torch.rand(2, 3, 227, 227)
    shrunk = nn.functional.interpolate(pixels, (100, 100), mode="bilinear", align_corners=False)
    torch.testing.assert_close(shrinking(pixels)[0], whole(shrunk)[0])
    assert not torch.allclose(shrinking(pixels)[0], whole(pixels)[0])


def randomise_norms(network: Any) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)


def test_folding_the_norms_changes_no_answer() -> None:
    torch.manual_seed(0)
    network = CompactNet(9, 2, widths=(8, 16), blocks=(1, 2)).eval()
    randomise_norms(network)
    pixels = torch.rand(2, 3, 227, 227)
    before = network(pixels)
    fold_norms(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    for one, other in zip(before, network(pixels), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_other_weights_are_refused_in_one_sentence() -> None:
    with pytest.raises(NetworkError, match="do not fit"):
        load_state(CompactNet(9, 2), CompactNet(8, 2).state_dict())


def test_a_spec_survives_being_stored() -> None:
    spec = NetworkSpec(architecture="compact", ages=4, genders=2, widths=(8, 16), blocks=(1, 2), side=160)
    assert NetworkSpec.from_dict({**spec.as_dict(), "widths": [8, 16]}) == spec
    with pytest.raises(NetworkError):
        NetworkSpec.from_dict({"architecture": "compact", "colour": "blue"})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"architecture": "tree"}, "architecture"),
        ({"norm": "none"}, "norm"),
        ({"ages": 10**9}, "ages"),
        ({"ages": 0}, "ages"),
        ({"ages": "9"}, "ages"),
        ({"genders": -1}, "genders"),
        ({"stem_width": 0}, "stem_width"),
        ({"widths": (10**9,)}, "widths"),
        ({"widths": (8, 8)}, "widths"),
        ({"widths": ()}, "widths"),
        ({"blocks": (10**6,)}, "blocks"),
        ({"attention": 1}, "attention"),
        ({"side": 8}, "side"),
    ],
)
def test_a_spec_of_which_no_network_can_be_made_is_refused(changes: dict[str, Any], named: str) -> None:
    good = NetworkSpec(architecture="compact", ages=4, genders=2, widths=(8,), blocks=(1,))
    with pytest.raises(NetworkError, match=f"no network can be made with {named} "):
        NetworkSpec.from_dict({**good.as_dict(), **changes})


@pytest.mark.parametrize(("stride", "side"), [(1, 9), (2, 5)])
def test_the_shortcut_of_a_block_keeps_pace(stride: int, side: int) -> None:
    block = ResidualBlock(8, 16, stride=stride, attention=True)
    assert block(torch.zeros(1, 8, 9, 9)).shape == (1, 16, side, side)
