from collections import deque
from itertools import islice, pairwise, product

import numpy as np
import pytest

from nnlib.backpropagation import loss_and_gradient
from nnlib.datasets import DATASETS
from nnlib.dropout import Dropout
from nnlib.errors import NonFiniteError, SettingError, ShapeError, TargetError
from nnlib.gradient_descent import descend
from nnlib.losses import LOSSES
from nnlib.network import Network
from nnlib.optimizers import OPTIMIZERS, SGD, Adam, Momentum
from nnlib.penalties import PENALTIES
from nnlib.schedules import Cosine

every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
both_batches = pytest.mark.parametrize("batch_size", [None, 16])
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def rng(seed):
    return np.random.default_rng(seed)


moons = DATASETS["moons"](n=50, rng=rng(0))


def make(dtype=np.float64, seed=1):
    return Network([2, 5, 4, 1], "tanh", rng=rng(seed), dtype=dtype)


def train(net, optimizer="sgd", batch_size=None, seed=5, **settings):
    if batch_size is not None and settings.get("start") is None:
        settings.setdefault("rng", rng(seed))
    return descend(
        net, "binary_cross_entropy", moons.X, moons.y, optimizer=optimizer, batch_size=batch_size, **settings
    )


def as_bytes(steps):
    return [(step.index, step.loss, step.parameters.tobytes(), step.gradient.tobytes(), step.epoch) for step in steps]


def test_three_steps_by_hand():
    net = Network([1, 1], rng=rng(0))
    net.parameters = [1.0, 0.0]
    walk = descend(net, "mse", [[2.0]], [0.0], optimizer=OPTIMIZERS["sgd"](0.125))  # L = (2w + b)²
    steps = list(islice(walk, 3))
    assert [step.loss for step in steps] == [4, 0.25, 0.015625]
    assert [step.parameters.tolist() for step in steps] == [[1, 0], [0, -0.5], [0.25, -0.375]]
    assert steps[0].gradient.tolist() == [8, 4]


@every_optimizer
@both_dtypes
def test_full_batch_steps_are_loss_gradient_and_update(optimizer, dtype):
    net = make(dtype)
    rule, oracle = OPTIMIZERS[optimizer](), net.copy()
    state = rule.start(oracle.parameters)
    for step in islice(train(net, optimizer), 8):
        value, gradient = loss_and_gradient(oracle, "binary_cross_entropy", moons.X, moons.y)
        tolerance = 1e-12 if dtype == np.float64 else 2e-5
        assert step.loss == pytest.approx(value, rel=tolerance)
        np.testing.assert_allclose(step.gradient, gradient, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(step.parameters, oracle.parameters, rtol=tolerance, atol=tolerance)
        oracle.parameters, state = rule.update(oracle.parameters, gradient, state)


@pytest.mark.parametrize("loss", LOSSES)
@both_dtypes
def test_loss_and_gradient_of_a_batch_are_those_of_its_rows(loss, dtype):
    net = Network([2, 5, 3], "relu", rng=rng(0), dtype=dtype)
    X = rng(1).standard_normal((20, 2))
    y = rng(2).integers(0, 3, 20) if LOSSES[loss].by_row else rng(2).integers(0, 2, (20, 3))
    penalty = PENALTIES["l2"](0.1)
    walk = descend(net, loss, X, y, optimizer="adam", batch_size=7, rng=rng(3), penalty=penalty)
    for step in islice(walk, 6):
        value, gradient = loss_and_gradient(net, loss, X[step.batch], y[step.batch], penalty=penalty)
        tolerance = 1e-12 if dtype == np.float64 else 2e-5
        assert step.loss == pytest.approx(value, rel=tolerance)
        np.testing.assert_allclose(step.gradient, gradient, rtol=tolerance, atol=tolerance)


def test_an_epoch_uses_every_example_once_and_shuffles_anew():
    steps = list(islice(train(make(), batch_size=16), 8))
    assert [len(step.batch) for step in steps] == [16, 16, 16, 2] * 2
    assert [step.epoch for step in steps] == [0] * 4 + [1] * 4
    orders = [np.concatenate([step.batch for step in steps[start : start + 4]]) for start in (0, 4)]
    assert all(sorted(order.tolist()) == list(range(50)) for order in orders)
    assert (orders[0] != orders[1]).any()


@both_batches
def test_the_network_stands_where_the_walk_stands(batch_size):
    net = make()
    start = net.parameters.copy()
    for step in islice(train(net, "adam", batch_size), 5):
        assert net.parameters.tobytes() == step.parameters.tobytes()
        if step.index == 0:
            assert (step.parameters == start).all()


@both_batches
def test_steps_stay_valid_and_cannot_be_changed(batch_size):
    net = make()
    walk = train(net, "adam", batch_size)
    steps, kept = [], []
    for step in islice(walk, 6):
        steps.append(step)
        kept.append((step.parameters.copy(), step.gradient.copy(), {k: np.copy(v) for k, v in step.state.items()}))
    for step, (parameters, gradient, state) in zip(steps, kept, strict=True):
        assert (step.parameters == parameters).all()
        assert (step.gradient == gradient).all()
        assert all((step.state[name] == state[name]).all() for name in state)
        with pytest.raises(ValueError, match="read-only"):
            step.parameters[0] = 1
        with pytest.raises(ValueError, match="read-only"):
            step.gradient[0] = 1
    net.parameters[:] = 0
    assert not (steps[-1].parameters == 0).all()


@every_optimizer
@both_batches
@both_dtypes
@pytest.mark.parametrize("at", [0, 3, 4, 6])
def test_going_on_from_a_step_gives_the_same_bytes(optimizer, batch_size, dtype, at):
    steps = list(islice(train(make(dtype), optimizer, batch_size), 12))
    other = make(dtype, seed=99)
    again = list(islice(train(other, optimizer, batch_size, start=steps[at]), 11 - at))
    assert as_bytes(again) == as_bytes(steps[at + 1 :])


@both_batches
def test_two_forks_on_one_network_do_not_disturb_each_other(batch_size):
    net = make()
    steps = list(islice(train(net, "adam", batch_size), 10))
    forks = [train(net, "adam", batch_size, start=steps[2]) for _ in range(2)]
    for wanted in steps[3:]:
        assert as_bytes([next(fork) for fork in forks]) == as_bytes([wanted, wanted])


SHAPES = {
    "chain": {},
    "shortcuts": {"shortcuts": True},
    "masks": {"masks": [None, np.arange(20).reshape(5, 4) % 3 > 0, None]},
}
EXTRAS = {
    "plain": {},
    "penalty": {"penalty": PENALTIES["l2"](0.01)},
    "dropout": {"dropout": Dropout(0.3, rng=rng(8))},
}


def whole(steps):
    """Return all that steps hold, as bytes where these are numbers."""
    rows = []
    for step in steps:
        order = step.shuffle and (step.shuffle.order.tolist(), step.shuffle.stop, str(step.shuffle.random))
        batch = None if step.batch is None else step.batch.tolist()
        state = {name: np.asarray(value).tobytes() for name, value in step.state.items()}
        rows.append((*as_bytes([step])[0], step.optimizer, state, batch, order))
    return rows


@every_optimizer
@both_batches
@both_dtypes
@pytest.mark.parametrize(
    ("shape", "extra"),
    [(shape, extra) for shape in SHAPES for extra in EXTRAS if (shape, extra) != ("shortcuts", "dropout")],
)
def test_every_so_many_th_step_is_the_step_it_is_among_all(optimizer, batch_size, dtype, shape, extra):
    def walk(every, **settings):
        net = Network([2, 5, 4, 1], "tanh", rng=rng(1), dtype=dtype, **SHAPES[shape])
        return train(net, optimizer, batch_size, every=every, **EXTRAS[extra], **settings)

    steps = list(islice(walk(1), 16))
    some = list(islice(walk(5), 4))
    assert whole(some) == whole(steps[::5])
    assert whole(islice(walk(5, start=some[1]), 2)) == whole(steps[10::5])
    assert whole(islice(walk(1, start=some[2]), 5)) == whole(steps[11:])
    assert whole(islice(walk(3, start=steps[2]), 4)) == whole(steps[5:15:3])


def test_a_step_stays_valid_and_the_network_is_put_back_where_it_stood():
    net, steps, held = make(), [], []
    for step in islice(train(net, "adam", 16, every=3), 4):
        assert net.parameters.tobytes() == step.parameters.tobytes()
        steps.append(step)
        held.extend(whole([step]))
        net.parameters[:] = 0
    assert whole(steps) == held == whole(islice(train(make(), "adam", 16), 0, 10, 3))


@both_batches
def test_an_optimizer_that_keeps_what_it_is_given_can_do_so(batch_size):
    class Average(SGD):
        name, memory = "average", ("last", "before")

        def update(self, parameters, gradient, state):
            step = self.rate(state["t"]) * (gradient + state["last"]) / 2
            return parameters - step, {"t": state["t"] + 1, "last": gradient, "before": parameters}

    steps = list(islice(train(make(), Average(0.1), batch_size), 9))
    assert whole(islice(train(make(), Average(0.1), batch_size, every=4), 3)) == whole(steps[::4])
    for before, after in pairwise(steps):
        assert (after.state["last"] == before.gradient).all()
        assert (after.state["before"] == before.parameters).all()


@every_optimizer
@both_batches
@both_dtypes
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.filterwarnings("error")
def test_a_walk_of_few_steps_blows_up_where_the_walk_of_all_does(optimizer, batch_size, dtype, shape):
    def blow_up(every):
        net = Network([2, 5, 4, 1], "relu", rng=rng(1), dtype=dtype, **SHAPES[shape])
        rate, order = float(np.finfo(dtype).max) ** 0.75, {} if batch_size is None else {"rng": rng(3)}
        rule = OPTIMIZERS[optimizer](rate)
        walk = descend(net, "mse", moons.X, moons.y, optimizer=rule, batch_size=batch_size, every=every, **order)
        steps = []
        with pytest.raises(NonFiniteError) as caught:
            steps.extend(step for step, _ in zip(walk, range(200), strict=False))
        return steps, caught.value

    (all_steps, error), (some, same) = blow_up(1), blow_up(3)
    assert whole(some) == whole(all_steps[::3])
    assert (str(same), same.step, same.layer, same.where, same.formula) == (
        str(error), error.step, error.layer, error.where, error.formula,
    )  # fmt: skip
    assert str(same.value) == str(error.value)
    assert same.numbers == error.numbers or "with every=1 this says" in same.numbers


def test_the_same_seed_gives_the_same_walk_and_another_seed_another():
    one, same, other = (as_bytes(islice(train(make(), "adam", 16, seed=seed), 6)) for seed in (5, 5, 6))
    assert one == same
    assert one != other


def test_a_fork_may_change_the_optimizer_its_settings_and_the_batches():
    start = list(islice(train(make(), Momentum(0.1), 16), 4))[-1]
    slower = next(train(make(), Momentum(0.05), 16, start=start))
    faster = next(train(make(), Momentum(0.1), 16, start=start))
    np.testing.assert_allclose(
        slower.parameters - start.parameters, (faster.parameters - start.parameters) / 2, rtol=1e-9, atol=1e-15
    )
    fresh = next(train(make(), Adam(0.1), 16, start=start))
    assert fresh.state["t"] == 1
    assert fresh.index == 4
    assert len(next(train(make(), Momentum(0.1), 25, start=start)).batch) == 25
    assert next(train(make(), Momentum(0.1), start=start)).batch is None
    again, anew = (train(make(), Momentum(0.1), 16, start=start, **new) for new in ({}, {"rng": rng(77)}))
    assert next(again).batch.tolist() != next(anew).batch.tolist()


def test_a_schedule_is_followed_through_a_fork():
    optimizer = OPTIMIZERS["sgd"](Cosine(0.5, steps=10))
    steps = list(islice(train(make(), optimizer), 12))
    for before, after in pairwise(steps):
        wanted = before.parameters - optimizer.rate(before.index) * before.gradient
        np.testing.assert_allclose(after.parameters, wanted, rtol=1e-14)
    assert as_bytes(islice(train(make(), optimizer, start=steps[4]), 7)) == as_bytes(steps[5:])


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "spirals"])
def test_training_learns_every_data_set(name):
    data = DATASETS[name](n=200, rng=rng(0))
    net = Network([data.X.shape[1], 16, 16, data.outputs], "tanh", rng=rng(0))
    walk = descend(net, data.loss, data.X, data.y, optimizer=OPTIMIZERS["adam"](0.02))
    losses = [step.loss for step in islice(walk, 250)]
    assert losses[-1] < 0.15 * losses[0]


@every_optimizer
@both_dtypes
@pytest.mark.filterwarnings("error")
def test_a_walk_that_blows_up_says_where_and_keeps_its_steps(optimizer, dtype):
    net = Network([2, 4, 1], "relu", rng=rng(0), dtype=dtype)
    rate = float(np.finfo(dtype).max) ** 0.75
    steps = []
    walk = descend(net, "mse", moons.X, moons.y, optimizer=OPTIMIZERS[optimizer](rate))
    with pytest.raises(NonFiniteError, match="training stopped at step") as caught:
        steps.extend(step for step, _ in zip(walk, range(200), strict=False))
    error = caught.value
    assert error.step == len(steps) == steps[-1].index + 1
    assert not np.isfinite(error.value)
    assert f"learning rate well below {rate:g}" in str(error)
    assert error.where in str(error)
    assert all(np.isfinite(step.parameters).all() and np.isfinite(step.loss) for step in steps)


@pytest.mark.parametrize(
    ("index", "layer", "where"), [(0, 0, "W[0, 0]"), (8, 0, "W[1, 3]"), (14, 0, "b[4]"), (15, 1, "W[0, 0]")]
)
def test_the_first_bad_number_is_named(index, layer, where):
    net = make()
    net.parameters[index] = np.nan
    with pytest.raises(NonFiniteError) as caught:
        next(train(net))
    assert (caught.value.step, caught.value.layer, caught.value.where) == (0, layer, where)
    assert np.isnan(caught.value.value)
    assert f"{where} of layers[{layer}] is nan; the parameters the walk started from" in str(caught.value)


def test_an_overflowing_weighted_sum_is_named():
    net = Network([1, 1, 1], "relu", rng=rng(0))
    net.parameters = [1e200, 0, 1e200, 0]
    with pytest.raises(NonFiniteError, match=r"z\[1, 0\] of layers\[1\] is inf") as caught:
        next(descend(net, "mse", [[-1.0], [2.0]], [0.0, 1.0], optimizer="sgd"))
    error = caught.value
    assert (error.layer, error.where, error.value) == (1, "z[1, 0]", np.inf)
    assert error.formula == "Z = X W + b"
    assert error.numbers == "the largest product x · w of the sum is 2e+200 · 1e+200 = inf"


def test_an_overflowing_loss_is_named():
    net = Network([1, 1], rng=rng(0))
    net.parameters = [1e200, 0]
    with pytest.raises(NonFiniteError, match="step 0: the loss is inf") as caught:
        next(descend(net, "mse", [[1.0]], [0.0], optimizer="sgd"))
    assert (caught.value.layer, caught.value.where) == (None, "loss")
    assert caught.value.formula == "L = mean of (p − y)²"
    assert caught.value.numbers == "p = 1e+200 where y = 0: its loss is inf"


@both_dtypes
@pytest.mark.parametrize("label", [0, 1])
def test_an_infinite_logit_is_named_though_its_loss_may_be_zero(label, dtype):
    net = Network([1, 1], rng=rng(0), dtype=dtype)
    large = float(np.finfo(dtype).max) / 2
    net.parameters = [large if label else -large, 0]
    with pytest.raises(NonFiniteError, match=r"z\[0, 0\] of layers\[0\] is -?inf"):
        next(descend(net, "binary_cross_entropy", [[4.0]], [label], optimizer="sgd"))


def test_numbers_near_overflow_are_left_to_the_plain_form():
    net = Network([1, 1], rng=rng(0))
    net.parameters = [1e100, 0]
    step = next(descend(net, "mse", [[1e53]], [0.0], optimizer="sgd"))
    assert (step.loss, step.gradient.tolist()) == (1e306, [2e206, 2e153])


@pytest.mark.filterwarnings("error")
def test_a_walk_leaves_numpys_error_state_alone():
    with np.errstate(all="raise"):
        before = np.geterr()
        for _ in islice(train(make(), "adam", 16), 3):
            assert np.geterr() == before


def test_an_overflowing_gradient_is_named():
    net = Network([1, 1], rng=rng(0))
    net.parameters = [1e-200, 0]
    with pytest.raises(NonFiniteError, match=r"gradient of W\[0, 0\] of layers\[0\] is -inf") as caught:
        next(descend(net, "mse", [[1e300]], [1e150], optimizer="sgd"))
    assert caught.value.formula == "∂L/∂W = Xᵀ δ"
    assert caught.value.numbers == "the largest |x| is 1e+300, the largest |δ| is 2e+150"


@pytest.mark.parametrize(("optimizer", "rule"), [("sgd", "∂L/∂W"), ("momentum", "momentum(∂L/∂W)")])
def test_an_overflowing_update_is_named_with_what_it_was_made_of(optimizer, rule):
    net = Network([1, 1], rng=rng(0))
    net.parameters = [1.0, 0]
    walk = descend(net, "mae", [[1e100]], [0.0], optimizer=OPTIMIZERS[optimizer](1e300))
    assert next(walk).index == 0
    with pytest.raises(NonFiniteError, match=r"step 1: W\[0, 0\] of layers\[0\] is -inf") as caught:
        next(walk)
    assert caught.value.formula == f"W ← W − η {rule}"
    assert caught.value.numbers == "η = 1e+300, W was 1, ∂L/∂W was 1e+100"
    net.parameters = [1.0, 0]
    walk = descend(net, "mae", [[1e100]], [0.0], optimizer=OPTIMIZERS[optimizer](1e300), every=2)
    assert next(walk).index == 0
    with pytest.raises(NonFiniteError, match=r"step 1: W\[0, 0\] of layers\[0\] is -inf") as caught:
        next(walk)
    assert caught.value.formula == f"W ← W − η {rule}"
    assert caught.value.numbers == "η = 1e+300; with every=1 this says as well what W and ∂L/∂W were"


@pytest.mark.parametrize("name", LOSSES)
def test_every_way_to_end_has_a_formula_and_numbers(name):
    """Whatever the loss, from large parameters or with a large rate."""
    found = []
    for activation, size, rate in product(["relu", "identity", "elu"], [1.0, 1e150, 1e300], [1e-3, 1e300]):
        net = Network([2, 3, 2 if name == "cross_entropy" else 1], activation, rng=rng(0))
        net.parameters *= size
        try:
            deque(islice(descend(net, name, moons.X, moons.y, optimizer=OPTIMIZERS["sgd"](rate)), 40), maxlen=0)
        except NonFiniteError as error:
            found.append(error)
    assert found
    for error in found:
        assert error.formula
        assert not set("{}\\") & set(error.formula), error.formula
        assert error.numbers


@pytest.mark.parametrize(
    ("X", "y", "where"),
    [([[0.0, np.nan]], [1], r"X\[0, 1\] is nan"), ([[0.0, 1.0]], [np.inf], r"y\[0, 0\] is inf")],
)
def test_bad_data_is_named_before_training(X, y, where):
    with pytest.raises(NonFiniteError, match=where + "; clean the data") as caught:
        descend(make(), "mse", X, y, optimizer="sgd")
    assert caught.value.step is None


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"optimizer": "sdg"}, SettingError, "did you mean 'sgd'"),
        ({"batch_size": 0}, SettingError, "batch_size should be a whole number"),
        ({"batch_size": 51}, SettingError, "batch_size is 51, but there are only 50 examples"),
        ({"batch_size": 5, "rng": None}, SettingError, r"give rng=np\.random\.default_rng\(0\)"),
        ({"batch_size": 5, "rng": 3}, SettingError, r"write rng=np\.random\.default_rng\(3\)"),
        ({"every": 0}, SettingError, "every should be a whole number"),
        ({"every": 2.5}, SettingError, "every should be a whole number"),
        ({"penalty": 0.1}, SettingError, "penalty should come from PENALTIES"),
    ],
)
def test_errors_come_at_the_call(settings, error, message):
    with pytest.raises(error, match=message):
        train(make(), **settings)


def test_errors_of_data_and_of_a_start_that_does_not_fit():
    net = make()
    with pytest.raises(ShapeError, match="X has 3 columns"):
        descend(net, "mse", np.zeros((4, 3)), np.zeros(4), optimizer="sgd")
    with pytest.raises(ShapeError, match=r"y has shape \(3,\)"):
        descend(net, "mse", np.zeros((4, 2)), np.zeros(3), optimizer="sgd")
    with pytest.raises(TargetError, match="between 0 and 1"):
        descend(net, "binary_cross_entropy", np.zeros((1, 2)), [2], optimizer="sgd")
    step = next(train(net, batch_size=16))
    with pytest.raises(ShapeError, match="start comes from a network with 44 parameters, this one has 3"):
        train(Network([2, 1], rng=rng(0)), start=step)
    with pytest.raises(ShapeError, match="start comes from a walk over 50 examples, X holds 20"):
        descend(net, "mse", np.zeros((20, 2)), np.zeros(20), optimizer="sgd", batch_size=16, start=step)
