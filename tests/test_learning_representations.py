"""The experiments of 1986: loss, rule and tasks, and the stored studies against fresh runs."""

from itertools import islice

import numpy as np
import pytest

import nnlib
from nnlib.errors import SettingError
from nnlib.learning_representations import (
    EXPERIMENTS,
    ClassicMomentum,
    Switch,
    encoder,
    half_squares,
    mirror_symmetry,
    parity,
    stored_studies,
    study,
)
from nnlib.studies import EARLY, run

every_experiment = pytest.mark.parametrize("name", EXPERIMENTS)


@pytest.mark.parametrize("tolerance", [0.0, 0.2])
@pytest.mark.parametrize("method", ["central", "complex"])
def test_the_slope_of_half_squares_is_its_slope(tolerance, method):
    rng = np.random.default_rng(0)
    net = nnlib.Network([3, 4, 2], "sigmoid", rng=rng, output_activation="sigmoid")
    net.parameters *= 3
    X, y = rng.standard_normal((9, 3)), rng.integers(0, 2, (9, 2)).astype(float)
    assert nnlib.check_gradient(net, half_squares(tolerance), X, y, method=method)


def test_half_squares_is_a_sum():
    p, y = np.full((5, 3), 0.7), np.zeros((5, 3))
    loss = half_squares()
    assert loss.value(p, y) == pytest.approx(15 * 0.49 / 2)
    assert loss.value(p, y) == pytest.approx(len(p.ravel()) / 2 * nnlib.LOSSES["mse"].value(p, y))
    assert half_squares(0.8).value(p, y) == 0
    assert (half_squares(0.8).slope(p, y) == 0).all()
    with pytest.raises(SettingError, match="tolerance should be a number at least 0"):
        half_squares(-0.1)


def test_the_papers_rule_is_momentum_as_long_as_nothing_changes():
    classic, momentum = ClassicMomentum(0.1, alpha=0.8), nnlib.OPTIMIZERS["momentum"](0.1, beta=0.8)
    one = other = np.array([1.0, -2.0])
    state, memory = classic.start(one), momentum.start(other)
    for step in range(5):
        gradient = np.array([np.sin(step), one[1]])
        one, state = classic.update(one, gradient, state)
        other, memory = momentum.update(other, gradient, memory)
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_the_schedules_change_after_twenty_sweeps_and_the_decay_comes_last():
    rule = ClassicMomentum(Switch(1.0, 2.0), alpha=Switch(0.5, 0.9), weight_decay=0.1)
    theta, gradient = np.array([1.0]), np.array([3.0])
    for t, epsilon, alpha in ((19, 1, 0.5), (20, 2, 0.9)):
        new, state = rule.update(theta, gradient, {"t": t, "change": np.array([4.0])})
        change = alpha * 4 - epsilon * 3
        assert state["change"] == pytest.approx(change)
        assert new == pytest.approx(0.9 * (1 + change))


@pytest.mark.parametrize("settings", [{"alpha": 1.0}, {"alpha": -0.1}, {"weight_decay": 1.0}, {"learning_rate": 0}])
def test_the_rule_refuses_what_makes_no_sense(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        ClassicMomentum(**settings)


def test_the_tasks():
    X, y = mirror_symmetry(6)
    assert [bool(t) for t in y[:, 0]] == [tuple(x) == tuple(x[::-1]) for x in X]
    assert parity(4)[1].ravel().tolist() == [bin(n).count("1") % 2 for n in range(16)]
    assert encoder(8)[0].sum() == 8


@every_experiment
def test_an_experiment_starts_as_it_says(name):
    experiment = EXPERIMENTS[name]
    net, again = experiment.network(5), experiment.network(5)
    X, y = experiment.data()
    assert net.parameters.tobytes() == again.parameters.tobytes() != experiment.network(6).parameters.tobytes()
    assert (X.shape[1], y.shape[1]) == (net.sizes[0], net.sizes[-1])
    if experiment.spread is not None:
        assert np.abs(net.parameters).max() <= experiment.spread
    trained, held_out = experiment.cases(5)
    assert sorted([*trained, *held_out]) == list(range(len(X)))
    assert len(held_out) == experiment.held_out
    assert nnlib.check_gradient(net, experiment.loss, X[:9], y[:9], method="complex")


def test_what_is_stored_says_how_it_was_made():
    assert set(stored_studies()["versions"]) == {"numpy", "python"}
    assert set(stored_studies()["studies"]) == set(EXPERIMENTS)
    with pytest.raises(SettingError, match="did you mean 'symmetry'"):
        study("symetry")


@every_experiment
def test_a_study_covers_all_seeds(name):
    results, experiment = study(name), EXPERIMENTS[name]
    assert results["sweeps"] == experiment.sweeps
    cases = len(experiment.data()[0]) - experiment.held_out
    for key in ("right", "close", "early_loss", "loss", "trained"):
        assert len(results[key]) == experiment.seeds, key
    for right, close, trained in zip(results["right"], results["close"], results["trained"], strict=True):
        assert close is None or right <= close
        assert 0 <= trained <= cases


@every_experiment
def test_a_sample_run_again_begins_as_stored(name):
    seeds = [0, EXPERIMENTS[name].seeds - 1]
    fresh = run(EXPERIMENTS[name], seeds, sweeps=EARLY)["early_loss"]
    np.testing.assert_allclose(fresh, [study(name)["early_loss"][seed] for seed in seeds], rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if not name.startswith(("family", "spirals"))])
def test_a_sample_run_again_learns_when_it_did(name):
    stored = study(name)["right"]
    seeds = sorted((sweep, seed) for seed, sweep in enumerate(stored) if sweep is not None)[:3]
    fresh = run(EXPERIMENTS[name], [seed for _, seed in seeds], sweeps=seeds[-1][0] + 10)["right"]
    assert fresh == [sweep for sweep, _ in seeds]


def test_one_network_does_what_the_study_did():
    experiment = EXPERIMENTS["symmetry"]
    steps = nnlib.descend(experiment.network(15), experiment.loss, *experiment.data(), optimizer=experiment.optimizer)
    assert next(islice(steps, EARLY, None)).loss == pytest.approx(study("symmetry")["early_loss"][15], rel=1e-8)
