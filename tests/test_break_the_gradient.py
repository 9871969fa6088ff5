"""Break the gradient: every fault leaves its own traces, and "none" is the true gradient."""

import numpy as np
import pytest

import nnlib
from nnlib.widgets.break_the_gradient import CASES, FAULTS, RULES, BreakTheGradient, broken_gradient

# Which of the blocks W₁ b₁ W₂ b₂ W₃ b₃ each fault spoils, and by which factor if it is one and the same.
TRACES = {
    "none": ("", 1),
    "mean": ("W₁ b₁ W₂ b₂ W₃ b₃", 6),
    "sign": ("W₁ b₁ W₂ b₂ W₃ b₃", -1),
    "twice": ("W₁ b₁ W₂ b₂ W₃ b₃", 2),
    "bias": ("b₁ b₂ b₃", None),
    "stale": ("W₂ W₃", None),
    "transpose": ("W₁ b₁", None),
    "slope": ("W₁ b₁ W₂ b₂", None),
}


def whole(case: str, seed: int):
    *_, recording = BreakTheGradient.recordings(case=case, seed=seed)
    return recording


def test_each_fault_is_one_case():
    assert sorted(CASES.values()) == sorted(FAULTS) == sorted(TRACES)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", CASES)
def test_each_fault_leaves_its_traces(case, seed):
    recording = whole(case, seed)
    blocks, factor = TRACES[CASES[case]]
    claimed, measured, agrees, block = (recording.static[name] for name in ("claimed", "measured", "agrees", "block"))
    wrong = [one["name"] for k, one in enumerate(recording.meta["blocks"]) if not agrees[block == k].any()]
    partly = [one["name"] for k, one in enumerate(recording.meta["blocks"]) if not agrees[block == k].all()]
    assert wrong == partly == blocks.split()
    if factor:
        np.testing.assert_allclose(claimed, factor * measured, rtol=2e-4)
    elif blocks:
        ratio = (claimed / measured)[~agrees.astype(bool)]
        assert ratio.max() - ratio.min() > 0.1


@pytest.mark.parametrize("case", CASES)
def test_the_tally_counts_what_the_cells_show(case):
    recording = whole(case, 0)
    agrees, block = recording.static["agrees"].astype(bool), recording.static["block"]
    for step in range(len(recording)):
        checked = recording.frames["checked"][step]
        assert checked == step
        assert recording.frames["checked_in"][step].sum() == step
        for k in range(6):
            assert recording.frames["right_in"][step][k] == agrees[:step][block[:step] == k].sum()
        assert recording.frames["wrong"][step] == (~agrees[:step]).sum()


@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy"])
def test_without_a_fault_it_is_the_gradient(loss):
    rng = np.random.default_rng(3)
    net = nnlib.Network([2, 4, 4, 1], "sigmoid", rng=rng)
    X, y = rng.normal(size=(7, 2)), rng.integers(0, 2, (7, 1)).astype(float)
    np.testing.assert_allclose(
        broken_gradient(net, loss, X, y, "none"), nnlib.loss_and_gradient(net, loss, X, y)[1], rtol=1e-12
    )


def test_every_fault_but_none_names_the_line_that_it_breaks():
    for name, fault in FAULTS.items():
        assert (fault.rule is None) == (name == "none")
        if fault.rule is not None:
            assert fault.wrong.strip() != RULES[fault.rule].strip()
