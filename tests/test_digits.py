"""The complete process on digits: its parts, and the three figures that show it."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnlib
from nnlib import digits
from nnlib.errors import NnlibError, SettingError, ShapeError
from nnlib.widgets import DataQuality, DigitPad, DigitPipeline
from nnlib.widgets.digit_pad import DRAWINGS, part, trained


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def halves():
    data = nnlib.DATASETS["digits"](rng=rng())
    return data.split(0.75, rng=rng(), stratified=True)


# The parts.


def test_scaling_is_measured_on_what_it_is_given_and_no_more(halves):
    train, test = halves
    for each in (True, False):
        scaling = digits.Scaling.of(train.X, each=each)
        scaled = scaling(train.X)
        assert scaled.mean(axis=0) == pytest.approx(np.zeros(64), abs=1e-12)
        assert abs(scaling(test.X).mean(axis=0)).max() > 0.01  # the test images are not part of it
        varies = train.X.std(axis=0) > 0
        assert scaled[:, varies].std(axis=0) == pytest.approx(np.ones(varies.sum())) or not each
    assert scaled.std() == pytest.approx(1)
    with pytest.raises(NnlibError, match="X should hold numbers"):
        digits.Scaling.of([["a"]])


def test_epochs_are_the_walk_of_descend(halves):
    train, validation = (replace(half, X=half.X[:200], y=half.y[:200]) for half in halves)

    def made():
        return nnlib.Network([64, 8, 10], rng=rng(1))

    optimizer = nnlib.OPTIMIZERS["adam"](0.01)
    epochs = list(islice(digits.train_by_epoch(made(), train, validation, optimizer=optimizer, rng=rng(2)), 4))
    steps = nnlib.descend(made(), "cross_entropy", train.X, train.y, optimizer=optimizer, batch_size=64, rng=rng(2))
    walk = list(islice(steps, 22))
    for number, epoch in enumerate(epochs):
        assert epoch.number == number
        assert epoch.parameters.tobytes() == walk[4 * number].parameters.tobytes()  # 4 batches of at most 64
        net = made().with_parameters(epoch.parameters)
        for half, loss, right in (
            (train, epoch.train_loss, epoch.train_accuracy),
            (validation, epoch.validation_loss, epoch.validation_accuracy),
        ):
            output = net.forward(half.X).output
            assert loss == nnlib.LOSSES["cross_entropy"].value(output, half.y)
            assert right == np.mean(output.argmax(axis=1) == half.y)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 5))
def test_early_stopping_waits_as_long_as_it_is_patient(losses, patience):
    taken = digits.stop_early((digits.Epoch(i, None, 0, loss, 1, 1) for i, loss in enumerate(losses)), patience)
    assert [epoch.number for epoch in taken] == list(range(len(taken)))
    best = int(np.argmin(losses[: len(taken)]))
    assert len(taken) == min(len(losses), best + patience + 1)
    for shorter in range(1, len(taken)):
        assert shorter - 1 - int(np.argmin(losses[:shorter])) < patience


def test_patience_is_a_count():
    with pytest.raises(SettingError, match="patience should be a whole number"):
        digits.stop_early([], 0)


@settings(max_examples=30)
@given(st.integers(1, 400), st.integers(1, 12), st.integers(0, 99))
def test_reliability_adds_up(count, bins, seed):
    p = rng(seed).dirichlet(np.full(4, 0.3), count)
    y = rng(seed + 1).integers(0, 4, count)
    found = digits.reliability(p, y, bins)
    full = found.count > 0
    assert found.count.sum() == count
    weights = found.count[full] / count
    assert weights @ found.accuracy[full] == pytest.approx(digits.accuracy(p, y))
    assert weights @ found.confidence[full] == pytest.approx(p.max(axis=1).mean())
    edges = np.arange(bins + 1) / bins
    for sure, low, high in zip(found.confidence[full], edges[:-1][full], edges[1:][full], strict=True):
        assert low - 1e-12 <= sure <= high + 1e-12
    assert abs(p.max(axis=1).mean() - digits.accuracy(p, y)) - 1e-12 <= found.error <= 1


def test_honest_probabilities_are_calibrated():
    p = rng().dirichlet(np.full(10, 0.2), 40_000)
    y = (rng(1).random(len(p))[:, None] > p.cumsum(axis=1)).sum(axis=1)
    assert digits.reliability(p, y).error < 0.01


def test_confusion_counts_every_answer(halves):
    _, test = halves
    answers = rng().integers(0, 10, len(test))
    matrix = digits.confusion_matrix(test.y, answers, 10)
    assert matrix.sum(axis=1).tolist() == np.bincount(test.y).tolist()
    assert matrix.sum(axis=0).tolist() == np.bincount(answers, minlength=10).tolist()
    assert np.trace(matrix) == (answers == test.y).sum()
    with pytest.raises(ShapeError, match="an answer for each y"):
        digits.confusion_matrix([0, 1], [0], 2)


def test_neighbours_in_the_form_of_loops(halves):
    train, test = (replace(half, X=half.X[:60], y=half.y[:60]) for half in halves)
    near = digits.neighbours(train, test.X, 5)
    for x, rows in zip(test.X, near, strict=True):
        distances = [sum((x - z) ** 2) for z in train.X]
        assert [distances[row] for row in rows] == sorted(distances)[:5]
    votes = digits.nearest_neighbours(train, test.X, 5)
    for rows, vote in zip(near, votes, strict=True):
        counts = np.bincount(train.y[rows], minlength=10)
        assert counts[vote] == counts.max()
        assert (counts[:vote] < counts.max()).all()
    assert (digits.nearest_neighbours(train, train.X, 1) == train.y).all()
    centroids = [train.X[train.y == k].mean(axis=0) for k in range(10)]
    loops = [np.argmin([np.linalg.norm(x - centre) for centre in centroids]) for x in test.X]
    assert digits.nearest_centroid(train, test.X).tolist() == loops
    with pytest.raises(SettingError, match="k is 61, but there are only 60"):
        digits.neighbours(train, test.X, 61)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1])
def test_wrong_labels_are_wrong_and_as_many_as_asked(halves, share):
    train, _ = halves
    spoilt, wrong = digits.mislabel(train, share, rng=rng())
    assert wrong.sum() == round(share * len(train))
    assert ((spoilt.y != train.y) == wrong).all()
    assert spoilt.y.min() >= 0
    assert spoilt.y.max() < 10
    assert spoilt.X is train.X


def test_shifts_move_ink():
    images = rng().random((3, 8, 8))
    flat = images.reshape(3, 64)
    assert np.array_equal(digits.shift(flat, 0, 0), flat)
    assert np.array_equal(digits.shift(flat, 2, 0).reshape(3, 8, 8)[:, :, 2:], images[:, :, :-2])
    assert np.array_equal(digits.shift(flat, -1, 3).reshape(3, 8, 8)[:, 3:, :-1], images[:, :-3, 1:])
    assert not digits.shift(flat, 8, 0).any()
    assert not digits.shift(flat, 0, -9).any()
    half = digits.shift(flat, 0.5, 0)
    np.testing.assert_allclose(half, (flat + digits.shift(flat, 1, 0)) / 2)
    np.testing.assert_allclose(digits.shift(flat, -0.25, 0), 0.75 * flat + 0.25 * digits.shift(flat, -1, 0))


def test_shifted_copies(halves):
    train, _ = halves
    many = digits.with_shifted_copies(train)
    assert len(many) == 5 * len(train)
    assert (many.y.reshape(5, -1) == train.y).all()
    assert np.array_equal(many.X[: len(train)], train.X)


def test_a_classifier_learns_and_tells_its_probabilities(halves):
    train, test = halves
    made = digits.Classifier.fit(train, rng=rng(), epochs=8)
    assert made.accuracy(test) > 0.95
    p = made.probabilities(test.X)
    assert p.sum(axis=1) == pytest.approx(np.ones(len(test)))
    again = digits.Classifier.fit(train, rng=rng(), epochs=8)
    assert made.net.parameters.tobytes() == again.net.parameters.tobytes()
    linear = digits.Classifier.fit(train, rng=rng(), hidden=(), epochs=8)
    assert linear.net.sizes == (64, 10)
    few = replace(train, X=train.X[:20], y=train.y[:20])
    assert digits.Classifier.fit(few, rng=rng(), epochs=2).net.sizes == (64, 32, 10)


# Strokes.


def test_a_drawing_is_centred_and_scaled():
    seven = np.array(DRAWINGS[7][0])
    image = digits.draw([seven])
    for factor, move in ((0.3, (0.1, 0.6)), (0.8, (0, 0))):
        np.testing.assert_array_equal(digits.draw([seven * factor + move]).round(1), image.round(1))
    assert not np.array_equal(digits.draw([seven * 0.3], centre=False), image)
    pixels = image.reshape(8, 8)
    assert pixels[0].any()
    assert pixels[-1].any()
    assert not pixels[:, [0, 7]].any()
    assert ((16 * image) % 1 == 0).all()


def test_drawings_look_like_the_data(halves):
    train, _ = halves
    drawn = np.array([digits.draw(strokes) for strokes in DRAWINGS.values()])
    assert drawn.sum(axis=1).mean() == pytest.approx(train.X.sum(axis=1).mean(), rel=0.05)  # as much ink
    assert digits.nearest_neighbours(train, drawn, 3).tolist() == list(DRAWINGS)


def test_nothing_and_a_dot_can_be_drawn():
    assert not digits.draw([]).any()
    assert not digits.draw([[]]).any()
    dot = digits.draw([[(0.1, 0.9)]]).reshape(8, 8)
    assert dot[3:5, 3:5].all()
    assert dot.sum() == dot[2:6, 2:6].sum()
    line = digits.draw([[(0.1, 0.5), (0.9, 0.5)]]).reshape(8, 8)
    assert line[3:5].any()
    assert not line[[0, 1, 6, 7]].any()


def test_parts_of_a_drawing_grow():
    for strokes in DRAWINGS.values():
        lengths = []
        for share in (0.2, 0.5, 0.8, 1):
            drawn = part(strokes, share)
            lengths.append(sum(np.linalg.norm(np.diff(stroke, axis=0), axis=1).sum() for stroke in drawn))
        assert np.array(lengths) / lengths[-1] == pytest.approx([0.2, 0.5, 0.8, 1], abs=0.01)
        assert drawn == strokes


# The figures.


def run_view(program: str, question: dict) -> list:
    """Run the functions at the head of the pad's view under node, on a question, and return what they answer."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    source = Path(nnlib.__file__).with_name("widgets").joinpath("digit_pad.js").read_text("utf-8")
    functions = source[: source.index("const HELP")]
    assert re.findall(r"^function (\w+)", functions, re.M) == ["drawStrokes", "answerOf", "nearestTo"]
    answer = f"const asked = JSON.parse(require('fs').readFileSync(0));\nconsole.log(JSON.stringify({program}));"
    command = [node, "-e", f"{functions}\n{answer}"]
    return json.loads(subprocess.check_output(command, input=json.dumps(question), text=True))


def test_the_view_turns_strokes_into_the_same_pixels():
    made = rng()
    scribbles = [
        [made.uniform(0.02, 0.98, (made.integers(1, 12), 2)).round(3).tolist() for _ in range(made.integers(1, 4))]
        for _ in range(150)
    ]
    whole = [part(strokes, share) for strokes in DRAWINGS.values() for share in (0.1, 0.37, 1)]
    straight = [[[[0.5, 0.1], [0.5, 0.8]]], [[[0.2, 0.4], [0.9, 0.4]]], [[[0.3, 0.3]]], [[]], []]
    sheets = [*scribbles, *whole, *straight]
    for centre in (True, False):
        answered = run_view(
            "asked.sheets.map((s) => [...drawStrokes(s, asked.centre)])", {"sheets": sheets, "centre": centre}
        )
        expected = [digits.draw(strokes, centre=centre).tolist() for strokes in sheets]
        assert answered == expected


@pytest.mark.parametrize("training", ["plain", "shifted"])
def test_the_view_answers_as_the_network_does(training):
    """The weights are those in the recording, so both sides start from the same numbers."""
    recording = DigitPad.recorded(training=training)
    train, test, made = trained(training)
    names = ("mean", "deviation", "w1", "b1", "w2", "b2")
    network = {name: np.ravel(recording.static[name]).tolist() for name in names}
    images = np.concatenate([test.X, recording.frames["image"], rng().integers(0, 17, (50, 64)) / 16])
    question = {"network": network, "images": images.tolist()}
    answered = run_view("asked.images.map((i) => answerOf(asked.network, i))", question)
    trace = made.net.forward(made.scaling(images))
    np.testing.assert_allclose([one["hidden"] for one in answered], trace.layers[0].a, rtol=0, atol=1e-12)
    np.testing.assert_allclose([one["logits"] for one in answered], trace.output, rtol=0, atol=1e-11)
    np.testing.assert_allclose([one["p"] for one in answered], made.probabilities(images), rtol=0, atol=1e-12)
    some = images[::7]
    question = {"known": train.X.ravel().tolist(), "images": some.tolist()}
    nearest = run_view("asked.images.map((i) => nearestTo(asked.known, i, 5))", question)
    assert [one["rows"] for one in nearest] == digits.neighbours(train, some, 5).tolist()


def test_the_pads_frames_are_what_the_network_says():
    recording = nnlib.widgets.recording.unpack(DigitPad.packed(training="plain"))
    train, _, made = trained("plain")
    images = recording.frames["image"]
    p = made.probabilities(images)
    np.testing.assert_allclose(recording.frames["p"], p, atol=1e-6)
    np.testing.assert_array_equal(recording.frames["near"], digits.neighbours(train, images, 5))
    np.testing.assert_array_equal(recording.static["images"], train.X)
    np.testing.assert_array_equal(recording.static["labels"], train.y)
    for sentence, row in zip(recording.meta["sentences"], p, strict=True):
        assert f"says {row.argmax()} with probability {row.max():.3f}" in sentence
    np.testing.assert_array_equal(recording.frames["p"].argmax(axis=1), recording.frames["answer"])


@pytest.mark.parametrize("data", ["clean", "few", "mislabelled"])
def test_the_pipeline_opens_the_test_images_once_and_last(data):
    recording = DigitPipeline.recorded(data=data, against="dropout", seed=3)
    stage, frames = recording.frames["stage"], recording.frames
    assert sorted(stage) == stage.tolist()
    assert (np.bincount(stage) == [1, 1, 1, 1, 30, 1, 1]).all()
    losses = frames["validation_loss"][3:-2]
    assert frames["epoch"][-2] == frames["epoch"][-1] == np.argmin(losses) == recording.meta["best"]
    assert (frames["confusion"].sum(axis=(1, 2)) == [0] * 3 + [270] * 32 + [449]).all()
    for i in range(3, len(stage) - 1):
        assert np.trace(frames["confusion"][i]) / 270 == pytest.approx(frames["validation_accuracy"][i])
    assert f"{449 - np.trace(frames['confusion'][-1])} wrong" in recording.meta["sentences"][-1]


def test_bad_data_hurts():
    for fault, kept in (("labels", "nearest_mean"), ("examples", None), ("shift", "remedy")):
        frames = DataQuality.recorded(fault=fault).frames
        for name in ("network", "three_nearest", "softmax_regression"):
            assert frames[name][0] > 0.95
            assert frames[name][-1] < 0.85
        if kept:
            assert frames[kept][-1] > frames["network"][-1] + 0.1
    assert not frames["wrong"].any()
