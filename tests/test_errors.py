import pickle

import numpy as np
import pytest

from nnlib.errors import (
    DTypeError,
    NnlibError,
    NonFiniteError,
    SettingError,
    ShapeError,
    as_numbers,
    check_count,
    check_number,
    check_rng,
    look_up,
)


@pytest.mark.parametrize("kind", NnlibError.__subclasses__())
def test_every_error_is_ours_and_also_the_builtin_a_caller_expects(kind):
    assert issubclass(kind, NnlibError)
    assert issubclass(kind, (ValueError, TypeError))


def test_non_finite_error_names_step_layer_place_and_value():
    error = NonFiniteError("stopped", step=3, layer=1, where="z[0, 2]", value=np.inf)
    assert (error.step, error.layer, error.where, error.value) == (3, 1, "z[0, 2]", np.inf)
    assert str(error) == "stopped"
    assert str(pickle.loads(pickle.dumps(ShapeError("text")))) == "text"


def test_look_up_suggests_the_nearest_name_and_lists_all():
    with pytest.raises(SettingError, match=r"'mze'; did you mean 'mse'\? The choices are: mse, mae"):
        look_up("loss", "mze", {"mse": 1, "mae": 2})
    with pytest.raises(SettingError, match=r"no loss called 'zzzz'\. The choices"):
        look_up("loss", "zzzz", {"mse": 1})
    with pytest.raises(SettingError, match="name or one of nnlib's own objects, got 3"):
        look_up("loss", 3, {"mse": 1})


@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "0.1", None, True, 1, [0.5]])
def test_check_number_refuses_what_is_out_of_bounds_or_no_number(value):
    with pytest.raises(SettingError, match="beta should be a number above 0 and below 1, got"):
        check_number("beta", value, above=0, below=1)


def test_check_number_takes_bounds_and_numpy_numbers():
    assert check_number("x", np.float32(0.5), at_least=0.5, at_most=0.5) == 0.5
    assert check_number("x", 3) == 3.0
    assert isinstance(check_number("x", 3), float)


@pytest.mark.parametrize("value", [0, 2.0, "3", None, True])
def test_check_count_refuses_what_is_no_count(value):
    with pytest.raises(SettingError, match="n should be a whole number, at least 1, got"):
        check_count("n", value)


def test_check_count_takes_numpy_integers():
    assert check_count("n", np.int64(3)) == 3


@pytest.mark.parametrize(("value", "seed"), [(7, 7), (None, 0), (True, 0), (np.random, 0)])
def test_check_rng_says_which_line_to_write(value, seed):
    with pytest.raises(SettingError, match=rf"write rng=np\.random\.default_rng\({seed}\)"):
        check_rng(value)


@pytest.mark.parametrize("values", [["a"], [None], np.array(["2020-01-01"], "M8[D]")])
def test_as_numbers_refuses_words_and_objects(values):
    with pytest.raises(DTypeError, match="X should hold numbers, got dtype"):
        as_numbers("X", values)


def test_as_numbers_refuses_ragged_rows():
    with pytest.raises(ShapeError, match="X should be a rectangular array"):
        as_numbers("X", [[1, 2], [3]])


def test_as_numbers_keeps_floats_and_complex_and_converts_the_rest():
    single = np.ones(2, np.float32)
    assert as_numbers("X", single) is single
    assert as_numbers("X", [True]).dtype == np.float64
    assert as_numbers("X", np.ones(2, np.longdouble)).dtype == np.float64
    assert as_numbers("X", np.ones(2, np.clongdouble)).dtype == np.complex128
    assert as_numbers("X", single, np.float64).dtype == np.float64
    assert as_numbers("X", [1j], np.float32).dtype == np.complex64
    assert as_numbers("X", [1.0], np.complex128).dtype == np.complex128
