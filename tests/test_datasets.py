import numpy as np
import pytest

from nnlib.datasets import DATASETS, blobs, from_csv
from nnlib.errors import DTypeError, SettingError, TableError
from nnlib.losses import LOSSES
from nnlib.network import Network

every = pytest.mark.parametrize("name", DATASETS)


def rng(seed=0):
    return np.random.default_rng(seed)


@every
def test_shapes_types_and_scale(name):
    data = DATASETS[name](n=120, noise=0.05, rng=rng())
    assert data.name == name
    assert len(data) == 120 == len(data.X) == len(data.y)
    assert data.X.dtype == np.float64
    assert np.abs(data.X).max() < 1.4
    if data.task == "regression":
        assert (data.classes, data.y.shape, data.y.dtype) == (0, (120, 1), np.float64)
    else:
        assert data.y.dtype.kind == "i"
        assert set(data.y.tolist()) == set(range(data.classes))
        assert (data.classes == 2) == (data.task == "binary")


@every
def test_the_suggested_outputs_and_loss_fit(name):
    data = DATASETS[name](n=20, rng=rng())
    net = Network([data.X.shape[1], data.outputs], rng=rng())
    assert LOSSES[data.loss].value(net.forward(data.X).output, data.y) > 0


@every
def test_the_same_generator_gives_the_same_bytes_and_another_gives_others(name):
    one, same, other = (DATASETS[name](n=50, noise=0.1, rng=rng(seed)) for seed in (1, 1, 2))
    assert one.X.tobytes() == same.X.tobytes()
    assert one.y.tobytes() == same.y.tobytes()
    assert one.X.tobytes() != other.X.tobytes()


@every
def test_split_divides_without_loss(name):
    data = DATASETS[name](n=50, noise=0.1, rng=rng())
    train, held_out = data.split(0.8, rng=rng())
    assert (len(train), len(held_out)) == (40, 10)
    assert train.task == held_out.task == data.task
    together = np.vstack([train.X, held_out.X])
    assert sorted(map(tuple, together)) == sorted(map(tuple, data.X))
    assert (np.concatenate([train.y, held_out.y]).sum()) == pytest.approx(data.y.sum())


@every
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0, "rng": rng()}, "n should be a whole number"),
        ({"n": 10, "noise": -1, "rng": rng()}, "noise should be a number at least 0"),
        ({"n": 10, "rng": 5}, r"write rng=np\.random\.default_rng\(5\)"),
    ],
)
def test_bad_settings_are_refused(name, settings, message):
    with pytest.raises(SettingError, match=message):
        DATASETS[name](**settings)


def test_errors_of_split_blobs_and_digits():
    data = DATASETS["xor"](n=10, rng=rng())
    for fraction in (0, 1, -0.5):
        with pytest.raises(SettingError, match="fraction should be a number above 0 and below 1"):
            data.split(fraction, rng=rng())
    with pytest.raises(SettingError, match="one example cannot be split"):
        DATASETS["xor"](n=1, rng=rng()).split(0.5, rng=rng())
    with pytest.raises(SettingError, match="classes should be a whole number, at least 2"):
        blobs(classes=1, rng=rng())
    with pytest.raises(SettingError, match="only 1797 digits"):
        DATASETS["digits"](n=1798, rng=rng())


def test_both_parts_of_a_split_hold_at_least_one_example():
    data = DATASETS["xor"](n=3, rng=rng())
    assert [len(part) for part in data.split(0.01, rng=rng())] == [1, 2]
    assert [len(part) for part in data.split(0.99, rng=rng())] == [2, 1]


def test_spirals_are_those_of_lang_and_witbrock():
    data = DATASETS["spirals"](rng=rng())
    assert len(data) == 194
    i = np.arange(97)
    radius, angle = 6.5 * (104 - i) / 104, i * np.pi / 16
    original = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)])
    np.testing.assert_allclose(6.5 * data.X[data.y == 1], original, atol=1e-14)
    np.testing.assert_allclose(6.5 * data.X[data.y == 0], -original, atol=1e-14)


def test_without_noise_the_points_are_where_the_formulas_put_them():
    ring = DATASETS["circles"](n=40, noise=0, rng=rng())
    np.testing.assert_allclose(np.linalg.norm(ring.X, axis=1), np.where(ring.y == 0, 1, 0.5))
    corners = DATASETS["xor"](n=8, noise=0, rng=rng())
    assert ((corners.X[:, 0] * corners.X[:, 1] < 0) == corners.y).all()
    wave = DATASETS["sine"](n=40, noise=0, rng=rng())
    np.testing.assert_allclose(wave.y, np.sin(np.pi * wave.X))
    moons = DATASETS["moons"](n=400, noise=0, rng=rng())
    assert np.abs(moons.X).max() <= 1
    centres = np.array([[-1 / 3, -1 / 6], [1 / 3, 1 / 6]])[moons.y]
    np.testing.assert_allclose(np.linalg.norm(moons.X - centres, axis=1), 2 / 3)


def test_digits_are_the_1797_of_the_repository():
    data = DATASETS["digits"](rng=rng())
    assert data.X.shape == (1797, 64)
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (data.X * 16).sum() == 561718
    assert (data.X * 16)[0, :8].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    some = DATASETS["digits"](n=100, rng=rng())
    assert len(np.unique(some.X, axis=0)) == 100


def test_holding_out_every_fourth_moves_no_earlier_example():
    data = DATASETS["moons"](n=42, rng=rng())
    train, held_out = data.hold_out(every=4)
    assert (len(train), len(held_out)) == (32, 10)
    np.testing.assert_array_equal(held_out.X, data.X[3::4])
    np.testing.assert_array_equal(held_out.y, data.y[3::4])
    assert (train.task, train.classes, train.name) == ("binary", 2, "moons")
    shorter, _ = data._rows(np.arange(20)).hold_out(every=4)
    np.testing.assert_array_equal(shorter.X, train.X[: len(shorter)])
    with pytest.raises(SettingError, match="one in 4 examples can be held out of at least 4; got 3"):
        data._rows(np.arange(3)).hold_out(every=4)


@pytest.mark.parametrize(
    "text",
    [
        "0.5,-1,0\n1.5,0.25,1\n-1.25,0,0",
        "x1,x2,class\n0.5,-1,0\n1.5,0.25,1\n-1.25,0,0\n",
        "\ufeff# from my notebook\r\n\r\nx1;x2;class\r\n0,5;-1;0\r\n1,5;0,25;1\r\n-1,25;0;0\r\n",
        "0.5\t-1\t0\n1.5\t0.25\t1\n\n-1.25\t0\t0",
        "  0.5  -1   a\n1.5  2.5e-1 b\n-1.25 0 a",
        '"x one","x two","class"\n"0.5","-1","no"\n"1.5","0.25","yes"\n"-1.25","0","no"',
        "0.5, -1, 10\n1.5, 0.25, 9.0\n-1.25, 0, 1e1",
    ],
    ids=["bare", "names", "semicolons", "tabs", "spaces", "quotes", "numbers"],
)
def test_a_table_is_read_however_its_columns_are_divided(text):
    data = from_csv(text)
    assert data.X.tolist() == [[0.5, -1], [1.5, 0.25], [-1.25, 0]]
    swapped = "10" in text  # class 0 is the smaller number
    assert data.y.tolist() == ([1, 0, 1] if swapped else [0, 1, 0])
    assert (data.task, data.classes, data.name, data.outputs) == ("binary", 2, "own", 1)


def test_only_a_feature_that_leaves_the_plane_is_scaled():
    data = from_csv("150,0.3,a\n200,-1.8,b\n175,1.8,a")
    assert data.X.tolist() == [[-1, 0.3], [1, -1.8], [0, 1.8]]
    assert from_csv("7,0,a\n7,1,b").X.tolist() == [[0, 0], [0, 1]]
    assert from_csv("-1.7e308,0,a\n1.7e308,1,b").X.tolist() == [[-1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", None, "the table holds no points; each line should be two features and a class, as in 0.5,-0.2,1"),
        ("x1,x2,class", None, "the table holds no points"),
        ("0,1,a\n\n0.5,a", 3, "there should be three columns, two features and the class, divided by commas; got 2 co"),
        ("5.1,3.5,1.4,0.2,setosa", 1, "there should be three columns, .* got 5 columns"),
        ("points.csv", 1, "there should be three columns, .* got 1 column$"),
        ("0,1,a\n0,,b", 2, "the second feature is missing; fill it in or leave the line out"),
        ("0,1,a\n,1,b", 2, "the first feature is missing"),
        ("0,1,a\n# b\n0,one,b", 3, "the second feature should be a number, got 'one'"),
        ("x,1,a", 1, "the first feature should be a number, got 'x'"),
        ("0,1,a\nx1,x2,class", 2, "the first feature should be a number, got 'x1'"),
        ("0,1_0,a", 1, "the second feature should be a number, got '1_0'"),
        ("0,1,a\nnan,1,b", 2, "the first feature is nan; mend it or leave the line out"),
        ("0,1,a\n0,-inf,b", 2, "the second feature is -inf"),
        ("0,1,a\n0,1,", 2, "the class is missing; fill it in or leave the line out"),
        ("0,1,a\n0,1,b\n1,1,a\n1,1,c", 4, "'c' is a third class, after 'a' and 'b'; keep two"),
        ("0,1,1\n0,1,1.0", None, "all points are of class '1'; there should be two classes"),
    ],
)
def test_a_bad_table_gets_the_line_and_the_reason(text, line, reason):
    with pytest.raises(TableError, match=reason) as caught:
        from_csv(text)
    assert caught.value.line == line
    assert line is None or str(caught.value).startswith(f"line {line}: ")


def test_a_table_should_be_text():
    with pytest.raises(DTypeError, match=r"text should be the table itself, as in .*, got \[\[0, 1\]\]"):
        from_csv([[0, 1]])


@pytest.mark.parametrize("fraction", [0.03, 0.25, 0.5, 0.75, 0.9])
def test_a_stratified_split_keeps_the_shares_of_the_classes(fraction):
    data = DATASETS["digits"](rng=rng())
    parts = data.split(fraction, rng=rng(3), stratified=True)
    assert len(parts[0]) == round(fraction * len(data))
    for part, share in zip(parts, (fraction, 1 - fraction), strict=True):
        assert np.abs(np.bincount(part.y) - share * np.bincount(data.y)).max() < 1
        assert (np.diff(part.y) != 0).mean() > 0.8  # still mixed
    whole = np.column_stack([np.concatenate([part.X for part in parts]), np.concatenate([part.y for part in parts])])
    both = np.column_stack([data.X, data.y])
    assert np.array_equal(whole[np.lexsort(whole.T)], both[np.lexsort(both.T)])
    again = data.split(fraction, rng=rng(3), stratified=True)
    assert all(np.array_equal(one.X, other.X) for one, other in zip(parts, again, strict=True))
    other = data.split(fraction, rng=rng(4), stratified=True)
    assert not np.array_equal(parts[0].X, other[0].X)


def test_values_cannot_be_stratified():
    with pytest.raises(SettingError, match="only classes can be stratified, and sine has none"):
        DATASETS["sine"](rng=rng()).split(0.5, rng=rng(), stratified=True)
