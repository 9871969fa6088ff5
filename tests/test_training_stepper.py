"""The training stepper's own matters: a reader's own points, both futures of a fork, many seeds, and the autopsy."""

import contextlib
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib.datasets import DATASETS, REACH, Dataset
from nnlib.errors import NnlibError, SettingError, TableError
from nnlib.widgets import TrainingStepper, own_points
from nnlib.widgets.recording import pack, unpack
from nnlib.widgets.training_stepper import DATASET_NAMES, SUCCESS, moments

TABLE = "x1,x2,class\n" + "".join(f"{x},{y},{int(x * y > 0)}\n" for x in (-0.8, -0.5, 0.6, 0.9) for y in (-0.7, 0.4, 1))
POINTS = own_points.tidy(TABLE)


def recorded(**changes):
    return TrainingStepper.recorded(**{"updates": 100} | changes)


def printed(code: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "<show as code>", "exec"), {})
    return out.getvalue().rstrip("\n")


places = st.integers(-180, 180)


@settings(deadline=None)
@given(st.lists(st.tuples(places, places, st.integers(0, 1)), max_size=40))
def test_points_in_a_link_come_back_as_they_were(points):
    X = np.array([point[:2] for point in points], dtype=float).reshape(-1, 2) / 100
    y = np.array([label for *_, label in points], dtype=int)
    code = own_points.write(Dataset(X, y, "binary", 2, "own"))
    assert len(code) == 3 * len(points)
    assert re.fullmatch(r"[A-Za-z0-9_-]*", code)  # what a link need not escape
    back = own_points.read(code)
    np.testing.assert_array_equal(back.X, X)
    np.testing.assert_array_equal(back.y, y)
    assert own_points.tidy(code) == code


def test_the_page_writes_points_as_python_does():
    source = TrainingStepper._esm
    assert f'POINT_DIGITS = "{own_points.DIGITS}"' in source
    assert f"POINT_REACH = {round(100 * REACH)};" in source
    assert f"POINTS_NEEDED = {own_points.LEAST};" in source


def test_points_beyond_the_plane_come_to_its_edge_and_are_rounded():
    data = Dataset(np.array([[5.0, -2.0], [0.123, 0.456]]), np.array([1, 0]), "binary", 2, "own")
    assert own_points.read(own_points.write(data)).X.tolist() == [[1.8, -1.8], [0.12, 0.46]]


@pytest.mark.parametrize("code", ["a", "ab", "AA!", "____", "___", "häh"])
def test_text_that_the_figure_did_not_write_is_refused(code):
    with pytest.raises(SettingError, match="points should be a table, or text that this figure wrote"):
        TrainingStepper.settings_for(points=code)


def test_a_table_is_a_setting_like_any_other():
    settings = TrainingStepper.settings_for(dataset="own", points=TABLE)
    assert settings["points"] == POINTS
    assert f"&points={POINTS}&" in TrainingStepper.key(settings)
    assert TrainingStepper.packed(**settings) == TrainingStepper.packed(dataset="own", points=TABLE)


def test_a_bad_table_is_refused_with_its_line_and_the_figure_keeps_its_frames():
    figure = TrainingStepper(updates=100)
    before = figure.recording
    figure.settings = figure.settings | {"dataset": "own", "points": "1,2,a\n2,x,b"}
    assert figure.problem == "line 2: the second feature should be a number, got 'x'"
    assert figure.recording == before
    figure.settings = figure.settings | {"dataset": "own", "points": TABLE}
    assert figure.problem == ""
    assert figure.settings["points"] == POINTS
    with pytest.raises(TableError) as caught:
        TrainingStepper.settings_for(points="1,2,a\n2,x,b")
    assert caught.value.line == 2


def test_there_are_limits_to_own_points():
    with pytest.raises(SettingError, match="at least 2 points of each class; so far 0 of class 0 and 0 of class 1"):
        recorded(dataset="own")
    with pytest.raises(SettingError, match="so far 3 of class 0 and 1 of class 1"):
        recorded(dataset="own", points="0,0,a\n0,1,a\n1,1,a\n1,0,b")
    with pytest.raises(SettingError, match="a link carries at most 500 points; got 501: leave some out"):
        recorded(dataset="own", points="".join(f"{i / 501},0,{i % 2}\n" for i in range(501)))
    assert len(own_points.read(own_points.tidy("".join(f"0.{i},0,{i % 2}\n" for i in range(500))))) == 500


def test_own_points_are_shown_where_they_were_drawn_and_every_fourth_is_held_out():
    recording = recorded(dataset="own", points=TABLE)
    X = own_points.read(POINTS).X
    np.testing.assert_allclose(recording.static["held_out"], X[3::4])
    assert len(recording.static["train"]) == 9
    assert recording.static["limit"].item() == 1.2
    assert recorded(dataset="own", points="".join(f"1.{i},0,{i % 2}\n" for i in range(8))).static["limit"].item() > 1.7


def test_a_point_added_at_the_end_changes_neither_the_start_nor_what_is_held_out():
    one, more = (recorded(dataset="own", points=TABLE + extra) for extra in ("", "0.1,0.1,1\n"))
    np.testing.assert_array_equal(one.frames["weights"][0], more.frames["weights"][0])
    np.testing.assert_array_equal(one.static["held_out"], more.static["held_out"])
    assert not np.array_equal(one.frames["weights"][-1], more.frames["weights"][-1])


@pytest.mark.parametrize("dataset", [name for name in DATASET_NAMES if name != "own"])
def test_no_other_data_set_looks_at_own_points(dataset):
    with_points, without = (recorded(dataset=dataset, points=points, loss="mse") for points in (POINTS, ""))
    for name, array in without.frames.items():
        np.testing.assert_array_equal(with_points.frames[name], array)
    assert with_points.meta["code"] == without.meta["code"]


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        ({"fork_optimizer": "adam"}, {"optimizer": "adam"}),
        ({"fork_batch_size": 1}, {"batch_size": 1}),
        ({"batch_size": 10, "fork_batch_size": "full"}, {"batch_size": "full"}),
        ({"batch_size": 10, "optimizer": "momentum"}, {}),
    ],
)
def test_a_fork_goes_on_with_its_settings_and_the_other_future_with_its_own(settings, changed):
    run = {"learning_rate": 0.1} | {name: value for name, value in settings.items() if not name.startswith("fork")}
    fork = recorded(**run | settings, fork_at=37, fork_learning_rate=0.1)
    straight, updates = recorded(**run), fork.frames["update"]
    shared = np.isin(updates, straight.frames["update"])
    after = updates > 37
    np.testing.assert_array_equal(fork.frames["unforked_loss"][shared], straight.frames["loss"])
    np.testing.assert_array_equal(fork.frames["unforked_accuracy"][shared], straight.frames["accuracy"])
    later = straight.frames["surface"][updates[shared] > 37]
    np.testing.assert_array_equal(fork.frames["unforked_surface"][shared & after], later)
    assert not fork.frames["unforked_surface"][~after].any(), "before the fork there is one future"
    assert (fork.frames["loss"][after] == fork.frames["unforked_loss"][after]).all() == (not changed)
    loss, accuracy = fork.frames["unforked_loss"][-1], fork.frames["unforked_accuracy"][-1]
    assert f"(without the fork, training loss {loss:.4f}, {accuracy:.0%} right)" in fork.meta["sentences"][-1]


def test_a_fork_of_a_curve_shows_two_curves():
    fork = recorded(dataset="sine", loss="mse", fork_at=10, fork_learning_rate=0.001)
    assert fork.frames["unforked_curve"].shape == fork.frames["curve"].shape
    assert not np.array_equal(fork.frames["unforked_curve"][-1], fork.frames["curve"][-1])


def test_the_future_that_diverges_keeps_its_last_picture():
    fork = recorded(loss="mse", learning_rate=3, fork_at=20, fork_learning_rate=0.01, updates=1000)
    assert "stopped" not in fork.meta
    lost = ~np.isfinite(fork.frames["unforked_loss"])
    assert lost[-1]
    assert not lost[fork.frames["update"] <= 100].any()
    assert np.isfinite(fork.frames["unforked_surface"]).all()
    assert "without the fork, training loss no longer finite" in fork.meta["sentences"][-1]
    other = recorded(loss="mse", learning_rate=0.01, fork_at=20, fork_learning_rate=3, updates=1000)
    assert other.meta["stopped"]["step"] > 20
    assert np.isfinite(other.frames["unforked_loss"]).all()


def test_each_seed_ends_where_it_would_end_alone():
    many = recorded(seeds=8, seed=3, learning_rate=1)
    assert len(many) == 8
    np.testing.assert_array_equal(many.frames["seed"], np.arange(3, 11))
    np.testing.assert_array_equal(many.static["updates"], moments(100))
    for index in (0, 5):
        alone = recorded(seed=3 + index, learning_rate=1)
        for name in ("loss", "held_out_loss", "accuracy", "weights", "update"):
            np.testing.assert_array_equal(many.frames[name][index], alone.frames[name][-1])
        for name in ("train", "train_target", "held_out", "held_out_target"):
            np.testing.assert_array_equal(many.frames[name][index], alone.static[name])
        np.testing.assert_array_equal(many.frames["losses"][index], alone.frames["loss"])
    np.testing.assert_array_equal(many.frames["success"], many.frames["accuracy"] >= SUCCESS)
    np.testing.assert_array_equal(many.frames["successes"], np.cumsum(many.frames["success"]))


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 1},
        {"dataset": "sine", "loss": "mse", "learning_rate": 0.1},
        {"dataset": "own", "points": TABLE, "hidden": "4", "learning_rate": 1},
        {"fork_at": 20, "fork_optimizer": "adam", "batch_size": 10},
    ],
)
def test_the_success_rate_is_in_words_and_the_code_finds_the_same(settings):
    meta = recorded(seeds=8, **settings).meta
    for count, sentence in enumerate(meta["sentences"], 1):
        assert re.match(rf"\d of {count} seeds? (reach|explain)\w* .*at least 90% (on|of) .*held-out points", sentence)
    assert (meta["seeds"], meta["newest"]) == (8, True)
    assert meta["sentences"][-1].startswith(printed(meta["code"]))


def test_a_seed_that_diverges_is_no_success_and_does_not_end_the_others():
    many = recorded(seeds=8, loss="mse", learning_rate=1000, activation="relu")
    assert len(many) == 8
    assert "stopped" not in many.meta
    assert "it stopped at step" in many.meta["sentences"][-1]
    assert many.frames["successes"][-1] == 0
    assert np.isnan(many.frames["losses"]).any()
    assert len(unpack(pack(many, TrainingStepper.ENCODINGS))) == 8


def test_frames_of_seeds_come_one_by_one():
    recordings = TrainingStepper.recordings(seeds=24, updates=100)
    first = next(recordings)
    assert len(first) == 1
    assert first.meta["seeds"] == 24
    recordings.close()


def test_the_poster_shows_the_seeds():
    assert TrainingStepper(seeds=8, updates=100).poster_png().startswith(b"\x89PNG")


@pytest.mark.parametrize(("settings", "problem"), [({"seed": 2**32 - 3, "seeds": 8}, "must be below 2\\^32")])
def test_settings_that_do_not_go_together_are_refused(settings, problem):
    with pytest.raises(NnlibError, match=problem):
        recorded(**settings)


@pytest.mark.parametrize(
    ("settings", "formula"),
    [
        ({"loss": "mse", "learning_rate": 1, "updates": 1000}, "L = mean of (p − y)²"),
        ({"loss": "hinge", "learning_rate": 1000, "activation": "identity", "hidden": "8,8,8,8"}, "Z = X W + b"),
        ({"loss": "mse", "learning_rate": 1000, "activation": "relu", "fork_at": 3, "fork_learning_rate": 100}, "L = "),
    ],
)
def test_a_run_that_ends_tells_step_layer_value_and_formula(settings, formula):
    recording = recorded(**settings)
    stopped = recording.meta["stopped"]
    assert stopped["formula"].startswith(formula)
    assert stopped["numbers"]
    assert stopped["value"] in ("inf", "-inf", "nan")
    assert (stopped["layer"] is None) == (stopped["where"] == "loss")
    assert recording.frames["update"][-1] == stopped["kept"] == stopped["step"] - 1
    assert np.isfinite(recording.frames["loss"][-1]), "the last frame is the last that is finite"
    assert [float(loss) for loss in stopped["before"]][-1] == pytest.approx(recording.frames["loss"][-1], rel=1e-2)


def test_the_data_sets_of_the_menu_are_nnlibs_and_ones_own():
    assert set(DATASET_NAMES) == {name for name in DATASETS if name != "digits"} | {"own"}
