"""The gradient profile: the sizes are those of the deltas, and depth does what the chapter says."""

import numpy as np
import pytest

import nnlib
from nnlib.widgets.gradient_profile import GradientProfile, power_of_ten, rings, size_of_deltas


def whole(**settings):
    *_, recording = GradientProfile.recordings(**settings)
    return recording


def test_the_size_of_a_delta_does_not_depend_on_the_number_of_examples():
    rng = np.random.default_rng(0)
    X, y = rings(rng)
    net = nnlib.Network([2, 8, 1], "tanh", rng=rng)
    loss, sizes, gradient = size_of_deltas(net, X, y)
    twice = size_of_deltas(net, np.vstack([X, X]), np.vstack([y, y]))
    assert twice[0] == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(twice[1], sizes, rtol=1e-12)
    np.testing.assert_allclose(gradient, nnlib.loss_and_gradient(net, "binary_cross_entropy", X, y)[1], rtol=1e-12)
    # At the last layer δ is what the network believes minus what is true.
    p = 1 / (1 + np.exp(-net.forward(X).output))
    assert sizes[-1] == pytest.approx(np.sqrt(np.mean((p - y) ** 2)), rel=1e-12)


@pytest.mark.parametrize(("depth", "most"), [(5, 4**-4), (10, 4**-9), (20, 4**-19)])
def test_sigmoids_with_xavier_lose_three_quarters_at_each_layer(depth, most):
    sizes = whole(activation="sigmoid", initialisation="xavier", depth=depth).frames["sizes"][0]
    assert sizes[0] / sizes[-1] < 10 * most


def test_weights_of_one_explode_and_zeros_are_deaf():
    naive = whole(activation="relu", initialisation="naive", depth=20).frames["sizes"][0]
    assert naive[0] > 1e5 * naive[-1]
    zero = whole(activation="tanh", initialisation="zero", depth=20).frames["sizes"]
    assert (zero[:, :-1] <= 1e-20).all()
    assert (zero[:, -1] > 0.4).all()


def test_every_bar_stands_on_the_axis():
    for initialisation in ("xavier", "naive", "zero"):
        recording = whole(activation="tanh", initialisation=initialisation, depth=10)
        low, high = recording.static["range"]
        sizes = recording.frames["sizes"]
        assert (sizes[sizes > 1e-20] > low).all()
        assert (sizes < high).all()
        assert recording.frames["loss"].max() < recording.static["highest_loss"][0]


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.5"), (2.6e-14, "2.6 · 10⁻¹⁴"), (2100.0, "2.1 · 10³"), (0.0, "0")])
def test_powers_of_ten_are_written_as_such(value, text):
    assert power_of_ten(value) == text
