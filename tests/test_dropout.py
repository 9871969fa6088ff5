from itertools import islice, product

import numpy as np
import pytest

from nnlib.activations import ACTIVATIONS
from nnlib.backpropagation import check_gradient, loss_and_gradient
from nnlib.dropout import Dropout
from nnlib.errors import NonFiniteError, SettingError, ShapeError
from nnlib.gradient_descent import descend
from nnlib.losses import LOSSES
from nnlib.network import Network
from nnlib.optimizers import Adam
from nnlib.plan import Examples

X = np.random.default_rng(1).standard_normal((7, 2))
y = np.array([0, 1, 2, 0, 1, 2, 0])


def rng(seed=0):
    return np.random.default_rng(seed)


def net(activation="tanh", dtype=np.float64, sizes=(2, 6, 5, 3)):
    made = Network(sizes, activation, rng=rng(), dtype=dtype)
    made.parameters[:] = 0.7 * rng(4).standard_normal(made.parameters.size)
    return made


def steps(count=6, made=None, **settings):
    settings = {"optimizer": Adam(0.01), "dropout": Dropout(0.4, rng=rng(9))} | settings
    return list(islice(descend(made or net(), "cross_entropy", X, y, **settings), count))


def test_all_masks_together_give_the_network_without_holes():
    """Every mask of one hidden layer, weighted by its probability: the mean of the weighted sums above is exact."""
    made, q = net(sizes=(2, 4, 3)), 0.3
    mean, square = 0, 0
    for silent in product([False, True], repeat=4):
        weight = q ** sum(silent) * (1 - q) ** (4 - sum(silent))
        mask = np.broadcast_to(np.where(silent, 0, 1 / (1 - q)), (7, 4))
        trace = made.forward(X, masks=[mask])
        mean, square = mean + weight * trace.output, square + weight * trace.layers[1].x ** 2
    plain = made.forward(X)
    np.testing.assert_allclose(mean, plain.output, rtol=1e-13)
    a = plain.layers[0].a
    np.testing.assert_allclose(square - a**2, q / (1 - q) * a**2, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_as_many_are_silent_as_the_rate_says(rate):
    made = net()
    masks = Dropout(rate, rng=rng()).masks(made, 40_000, step=3)
    assert [mask.shape for mask in masks] == [(40_000, 6), (40_000, 5)]
    for mask in masks:
        assert set(np.unique(mask)) <= {0, 1 / (1 - rate)}
        assert np.mean(mask == 0) == pytest.approx(rate, abs=0.005)
        assert mask.mean(axis=0) == pytest.approx(np.ones(mask.shape[1]), abs=0.06)


def test_masks_follow_from_the_seed_and_the_step():
    made, dropout = net(), Dropout(0.5, rng=rng(1))
    one = dropout.masks(made, 20, step=5)
    for again, same in [
        (dropout.masks(made, 20, step=5), True),
        (Dropout(0.5, rng=rng(1)).masks(net(dtype=np.float32), 20, step=5), True),
        (dropout.masks(made, 20, step=6), False),
        (Dropout(0.5, rng=rng(2)).masks(made, 20, step=5), False),
    ]:
        assert all(map(np.array_equal, one, again)) is same
    assert Dropout(0.5, rng=rng(1)) == dropout != Dropout(0.5, rng=rng(2))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("method", ["central", "complex"])
def test_gradients_with_holes(activation, loss, method):
    made = net(activation)
    target = y if LOSSES[loss].by_row else rng(5).integers(0, 2, (7, 3))
    masks = Dropout(0.4, rng=rng(2)).masks(made, len(X), step=0)
    report = check_gradient(made, loss, X, target, masks=masks, method=method)
    assert report, report
    if activation == "tanh":
        whole = loss_and_gradient(made, loss, X, target)[1]
        assert not check_gradient(made, loss, X, target, masks=masks, gradient=whole, method=method)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_plan_with_holes_is_the_plain_form(activation, dtype):
    made = net(activation, dtype)
    plan, dropout = Examples(made, "cross_entropy", X, y).plan(dropout=True), Dropout(0.4, rng=rng())
    for step in range(3):
        masks = dropout.masks(made, len(X), step)
        plan.mask(masks)
        value, gradient, finite = plan.run()
        expected, slope = loss_and_gradient(made, "cross_entropy", X, y, masks=masks)
        close = 1e-13 if dtype == np.float64 else 1e-5
        assert finite
        assert gradient.dtype == dtype
        assert value == pytest.approx(expected, rel=close)
        np.testing.assert_allclose(gradient, slope, rtol=0, atol=close * np.abs(slope).max())


def test_without_dropout_the_plan_is_what_it_was():
    made = net()
    examples = Examples(made, "cross_entropy", X, y)
    plain, holed = examples.plan(), examples.plan(dropout=True)
    assert len(holed.calls) == len(plain.calls) + 4  # a product for each hidden layer, up and down
    assert not any("h0" in call.formula for call in plain.calls)
    assert "h0 = m0 a0" in str(holed)


@pytest.mark.parametrize("batch_size", [None, 3])
def test_a_walk_with_holes_goes_on_where_it_stopped(batch_size):
    batches = {} if batch_size is None else {"batch_size": batch_size, "rng": rng(3)}
    whole = steps(8, **batches)
    again = steps(3, start=whole[4], batch_size=batch_size)
    for one, other in zip(whole[5:], again, strict=True):
        assert one.index == other.index
        assert one.loss == other.loss
        assert one.parameters.tobytes() == other.parameters.tobytes()


def test_a_step_states_the_loss_with_its_holes():
    dropout, made = Dropout(0.4, rng=rng(9)), net()
    for step in steps():
        made.parameters = step.parameters
        value, gradient = loss_and_gradient(
            made, "cross_entropy", X, y, masks=dropout.masks(made, len(X), step.index)
        )
        assert step.loss == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(step.gradient, gradient, rtol=1e-9, atol=1e-13)
    np.testing.assert_array_equal(
        steps(dropout=Dropout(0, rng=rng()))[-1].parameters, steps(dropout=None)[-1].parameters
    )


def test_a_walk_with_holes_that_diverges_says_where():
    made = net("relu")
    made.parameters[0] = np.inf
    with pytest.raises(NonFiniteError, match="training stopped at step 0"):
        steps(made=made)


def test_bad_rates_generators_and_masks_are_refused():
    with pytest.raises(SettingError, match="rate should be a number at least 0 and below 1, got 1"):
        Dropout(1, rng=rng())
    with pytest.raises(SettingError, match="rng should be a Generator"):
        Dropout(0.5, rng=0)
    with pytest.raises(SettingError, match="dropout should be like Dropout"):
        steps(dropout=0.5)
    with pytest.raises(ShapeError, match=r"masks should have a shape for each hidden layer, \[\(7, 6\), \(7, 5\)\]"):
        net().forward(X, masks=[np.ones((7, 6))])
