"""An activation bends the straight line that a layer computes; without it many layers are worth one.

Each is declared here once, its value and its slope side by side, with the points where the slope jumps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import numpy as np

from nnlib.errors import as_numbers, check_number, look_up


@dataclass(frozen=True)
class Activation:
    """A function of one number, applied to every weighted sum of a layer, declared with its derivative.

    Attributes
    ----------
    name : str
        The key in `ACTIVATIONS`.
    function : callable
        ``function(z) -> a``, element by element, for real and for complex arrays. A complex array is judged
        by its real part wherever the formula has branches, so complex-step derivatives work.
    derivative : callable
        ``derivative(z, a) -> da/dz``: given the input and the output, so that nothing is computed twice.
    formula, slope_formula : str
        Both in LaTeX, for the figures.
    range : tuple of float
        Lower and upper bound of the values.
    kinks : tuple of float
        The inputs at which the derivative (or the function itself) jumps. There `slope` gives the value from
        the left, for `step` and `identity` the value of both sides.

    Examples
    --------
    >>> relu = ACTIVATIONS["relu"]
    >>> relu.value([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    >>> relu.slope([-1.0, 0.0, 2.0])
    array([0., 0., 1.])
    """

    name: str
    function: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray, np.ndarray], np.ndarray]
    formula: str
    slope_formula: str
    range: tuple[float, float]
    kinks: tuple[float, ...] = ()

    def value(self, z) -> np.ndarray:
        """Return a = f(z), element by element, in the dtype of z.

        Parameters
        ----------
        z : array_like of any shape
            The weighted sums. Integers become float64.

        Raises
        ------
        DTypeError
            If z holds anything but numbers.
        """
        return self.function(as_numbers("z", z))

    def slope(self, z, a=None) -> np.ndarray:
        """Return f'(z), element by element; pass the output `a` where it is already known."""
        z = as_numbers("z", z)
        return self.derivative(z, self.function(z) if a is None else as_numbers("a", a))


def as_activation(name: str | Activation) -> Activation:
    """Return the activation of this name; an `Activation` is returned as it is.

    Raises
    ------
    SettingError
        If there is none of this name.
    """
    return name if isinstance(name, Activation) else look_up("activation", name, ACTIVATIONS)


def _in_double(formula):
    """Return the formula, computed in double precision and rounded once to the precision of its input."""

    @wraps(formula)
    def rounded(z, *output):
        if z.dtype.char in "dD":
            return formula(z, *output)
        double = [part.astype(np.result_type(part, np.float64)) for part in (z, *output)]
        return formula(*double).astype(z.dtype)

    return rounded


def _below_zero(z):
    """Return -|z|, from which exp never overflows; for complex z its analytic continuation from each side."""
    return np.where(z.real > 0, -z, z)


def _size(z, most):
    """Return |z|, at most `most`, where exp(-|z|) is long zero; continued analytically for complex z."""
    t = np.where(z.real > 0, z, -z)
    return np.where(t.real > most, most, t)


@_in_double
def _sigmoid(z):
    e = np.exp(_below_zero(z))
    return np.where(z.real > 0, 1, e) / (1 + e)


@_in_double
def _sigmoid_slope(z, a):
    e = np.exp(_below_zero(z))
    small = e / (1 + e)  # a or 1 - a, whichever is below 1/2: the other one's digits say nothing of it
    return small * (1 - small)


@_in_double
def _tanh_slope(z, a):
    e = np.exp(-2 * _size(z, 400))
    small = e / (1 + e)  # tanh z = 2 sigmoid(2z) - 1, so 1 - a² is four times the sigmoid's slope at 2z
    return 4 * (small * (1 - small))


@_in_double
def _softplus(z):
    return np.where(z.real > 0, z, 0) + np.log1p(np.exp(_below_zero(z)))


def _exp_in_two(x):
    """Return two factors of exp(x), x at most zero, the second 1 down to -700.

    What is multiplied by the first and then by the second stays exact where exp(x) alone is too tiny to be.
    """
    tiny = x.real < -700
    return np.exp(np.where(tiny, -700, x)), np.exp(np.where(tiny, x + 700, 0))


@_in_double
def _silu(z):
    e, rest = _exp_in_two(_below_zero(z))
    return np.where(z.real > 0, z, z * e * rest) / (1 + e)


_SILU_LOWEST = (-1.2784645427610737, -1.0946994183093437e-16)  # where 1 + z + exp(z) = 0, as a sum


@_in_double
def _silu_slope(z, a):
    below = _below_zero(z)
    e, rest = _exp_in_two(below)
    small = e / (1 + e)
    away = (below - _SILU_LOWEST[0]) - _SILU_LOWEST[1]
    bend = away + 0.2784645427610738 * np.expm1(away)  # 1 + z + exp(z), exact next to its zero too
    slope = bend * (small * (1 - small)) * rest
    return np.where(z.real > 0, 1 - slope, slope)


def elu(alpha: float = 1.0) -> Activation:
    r"""Return the exponential linear unit: z above zero, :math:`\alpha (e^z - 1)` below.

    Source: Clevert, Unterthiner & Hochreiter, *Fast and accurate deep network learning by exponential linear
    units*, ICLR 2016, equation 15.

    Raises
    ------
    SettingError
        If `alpha` is not above 0.

    >>> elu(2.0).value([-np.inf, 3.0])
    array([-2.,  3.])
    """
    alpha = check_number("alpha", alpha, above=0)
    return Activation(
        "elu",
        _in_double(lambda z: np.where(z.real > 0, z, alpha * np.expm1(np.where(z.real > 0, 0, z)))),
        _in_double(lambda z, a: np.where(z.real > 0, 1, alpha * np.exp(np.where(z.real > 0, 0, z)))),
        rf"z \text{{ if }} z > 0 \text{{ else }} {'' if alpha == 1 else f'{alpha:g} '}(e^z - 1)",
        rf"1 \text{{ if }} z > 0 \text{{ else }} {'' if alpha == 1 else f'{alpha:g} '}e^z",
        (-alpha, math.inf),
        () if alpha == 1 else (0.0,),
    )


def leaky_relu(leak: float = 0.01) -> Activation:
    r"""Return the leaky rectifier: z above zero, `leak` times z below, so that no unit dies.

    Source: Maas, Hannun & Ng, *Rectifier nonlinearities improve neural network acoustic models*, ICML 2013.

    Raises
    ------
    SettingError
        If `leak` is not between 0 and 1.

    >>> leaky_relu(0.1).value([-5.0, 3.0])
    array([-0.5,  3. ])
    """
    leak = check_number("leak", leak, above=0, below=1)
    return Activation(
        "leaky_relu",
        lambda z: np.where(z.real > 0, z, leak * z),
        lambda z, a: np.where(z.real > 0, 1, leak).astype(z.dtype),
        rf"z \text{{ if }} z > 0 \text{{ else }} {leak:g} z",
        rf"1 \text{{ if }} z > 0 \text{{ else }} {leak:g}",
        (-math.inf, math.inf),
        (0.0,),
    )


# The normal distribution, for GELU. Its tail is Φ(-t) = exp(-t²/2) G(t), where G falls slowly from 1/2; and
# the slope of GELU at -t is exp(-t²/2) (t - t₀) Q(t), where t₀ is its lowest point. In u = (t - 5) / (t + 5),
# which maps 0..∞ to -1..1, (1 + t) G(t) and Q(t) are short Chebyshev series (the method of Shepherd &
# Laframboise, Mathematics of Computation 36:249, 1981; the coefficients are this book's own, computed with 70
# digits).
_TAIL_SERIES = (
    0.4619742120721857,
    -0.06516520239491264,
    -0.005458781501136567,
    0.01229619904556344,
    -0.006470872915703688,
    0.0022407355224168305,
    -0.0005638623774651974,
    9.984031082925812e-05,
    -9.849514843168493e-06,
    -4.032494233045217e-07,
    2.99023962013034e-07,
    -3.032070748442814e-08,
    -4.617665713929027e-09,
    1.3298288008382692e-09,
    3.007242719019045e-11,
    -4.4299537255328156e-11,
    1.3999857147018152e-12,
    1.4718957028912571e-12,
    -9.325953119165372e-14,
    -5.294681169067695e-14,
    3.958188414414517e-15,
    2.1048214642963194e-15,
    -1.345671286136144e-16,
    -9.097614914495833e-17,
    2.9906032105666557e-18,
    4.120292578607833e-18,
)
_SLOPE_SERIES = (
    -0.48907062712404814,
    0.1212536609715865,
    -0.040217019986598074,
    0.011307596661473327,
    -0.0026524499989152395,
    0.0005011769744012647,
    -7.031283979361125e-05,
    5.5589981152528526e-06,
    2.6104869194805633e-07,
    -1.3804750782011604e-07,
    1.1562162085705361e-08,
    1.8197249187356083e-09,
    -4.402773828621291e-10,
    -1.2519327335156285e-11,
    1.2703745159303577e-11,
    -2.9226651070995185e-13,
    -3.702109795288263e-13,
    1.967764886441231e-14,
    1.1809036561614357e-14,
    -7.628032634666373e-16,
    -4.201693491226225e-16,
    2.330450113554955e-17,
    1.6395719566540518e-17,
)
_GELU_LOWEST = (0.7517915246935645, -1.4956759177009883e-17)  # t₀, as a sum


def _series(coefficients, t):
    """Sum a Chebyshev series in (t - 5) / (t + 5) by Clenshaw's recurrence."""
    u = (t - 5) / (t + 5)
    high, low = np.zeros_like(u), np.zeros_like(u)
    for coefficient in coefficients[:0:-1]:
        high, low = coefficient + 2 * u * high - low, high
    return coefficients[0] + (u * high - low)


def _under_bell(x, t):
    """Return x exp(-t²/2) for t up to 64, with the rounding of t² undone."""
    coarse = np.round(t.real * 256) / 256  # so short that its square is exact
    e, rest = _exp_in_two(-coarse * coarse / 2)
    return (x + x * np.expm1((coarse - t) * (coarse + t) / 2)) * e * rest


@_in_double
def _tail(t):
    return _under_bell(_series(_TAIL_SERIES, t) / (1 + t), t)


def normal_cdf(z) -> np.ndarray:
    r"""Return :math:`\Phi(z) = \tfrac12 (1 + \operatorname{erf}(z / \sqrt 2))`, for any array of numbers.

    >>> normal_cdf([-40.0, 0.0, 1.0]).round(6)
    array([0.      , 0.5     , 0.841345])
    """
    z = as_numbers("z", z)
    tail = _tail(_size(z, 64))
    return np.where(z.real > 0, 1 - tail, tail)


@_in_double
def _gelu(z):
    t = _size(z, 64)
    tail = _under_bell(t * _series(_TAIL_SERIES, t) / (1 + t), t)  # t Φ(-t)
    return np.where(z.real > 0, z, 0) - tail


@_in_double
def _gelu_slope(z, a):
    t = _size(z, 64)
    away = (t - _GELU_LOWEST[0]) - _GELU_LOWEST[1]
    slope = _under_bell(away * _series(_SLOPE_SERIES, t), t)
    return np.where(z.real > 0, 1 - slope, slope)


_REAL_LINE = (-math.inf, math.inf)

ACTIVATIONS: dict[str, Activation] = {
    entry.name: entry
    for entry in (
        Activation("identity", np.positive, lambda z, a: np.ones_like(z), "z", "1", _REAL_LINE),
        Activation(
            "step",  # McCulloch & Pitts 1943; Rosenblatt 1958
            lambda z: np.where(z.real >= 0, 1, 0).astype(z.dtype),
            lambda z, a: np.zeros_like(z),
            r"1 \text{ if } z \ge 0 \text{ else } 0",
            "0",
            (0.0, 1.0),
            (0.0,),
        ),
        Activation(
            "sigmoid",  # Rumelhart, Hinton & Williams 1986, equation 2
            _sigmoid,
            _sigmoid_slope,
            r"1 / (1 + e^{-z})",
            r"a (1 - a)",
            (0.0, 1.0),
        ),
        Activation("tanh", _in_double(np.tanh), _tanh_slope, r"\tanh z", r"1 - a^2", (-1.0, 1.0)),
        Activation(
            "relu",  # Nair & Hinton 2010; Glorot, Bordes & Bengio 2011
            lambda z: np.where(z.real <= 0, 0, z),
            lambda z, a: np.where(z.real > 0, 1, 0).astype(z.dtype),
            r"\max(0, z)",
            r"1 \text{ if } z > 0 \text{ else } 0",
            (0.0, math.inf),
            (0.0,),
        ),
        leaky_relu(),
        elu(),
        Activation(
            "gelu",  # Hendrycks & Gimpel 2016, section 2, the exact form
            _gelu,
            _gelu_slope,
            r"z\, \Phi(z)",
            r"\Phi(z) + z\, \varphi(z)",
            (-0.16997120747990369, math.inf),
        ),
        Activation(
            "silu",  # Elfwing, Uchibe & Doya 2018, equation 1
            _silu,
            _silu_slope,
            r"z\, \sigma(z)",
            r"\sigma(z) + a\, (1 - \sigma(z))",
            (-0.27846454276107381, math.inf),
        ),
        Activation(
            "softplus",  # Dugas et al. 2001, equation 4
            _softplus,
            lambda z, a: _sigmoid(z),
            r"\ln(1 + e^z)",
            r"\sigma(z)",
            (0.0, math.inf),
        ),
    )
}


def log_softmax(z, temperature: float = 1.0) -> np.ndarray:
    r"""Return the logarithms of the softmax over the last axis, exact for every finite z.

    .. math:: \ln p_k = z_k / T - \ln \sum_j e^{z_j / T}

    Parameters
    ----------
    z : array_like (..., classes)
        Logits.
    temperature : float
        T above 0: below 1 it sharpens, above 1 it flattens the probabilities.

    Returns
    -------
    ndarray (..., classes)

    Raises
    ------
    SettingError
        If the temperature is not above 0.

    Examples
    --------
    >>> log_softmax([1000.0, 0.0])
    array([    0., -1000.])
    """
    z = as_numbers("z", z)
    z = z if temperature == 1 else z / check_number("temperature", temperature, above=0)
    top = np.argmax(z.real, axis=-1, keepdims=True)
    gap = z - np.take_along_axis(z, top, axis=-1)
    others = np.exp(gap)
    np.put_along_axis(others, top, 0, axis=-1)  # log(1 + others) keeps the digits that log(total) would lose
    return gap - np.log1p(others.sum(axis=-1, keepdims=True))


def softmax(z, temperature: float = 1.0) -> np.ndarray:
    r"""Return :math:`p_k = e^{z_k / T} / \sum_j e^{z_j / T}` over the last axis: above 0, with sum 1.

    Source: Bridle, *Training stochastic model recognition algorithms...*, NIPS 1989. The arguments, the
    errors and the shape of the result are those of `log_softmax`.

    Examples
    --------
    >>> softmax([0.0, 0.0]), softmax([2.0, 0.0], temperature=1e-3)
    (array([0.5, 0.5]), array([1., 0.]))
    """
    z = as_numbers("z", z)
    z = z if temperature == 1 else z / check_number("temperature", temperature, above=0)
    weights = np.exp(z - np.take_along_axis(z, np.argmax(z.real, axis=-1, keepdims=True), axis=-1))
    return weights / weights.sum(axis=-1, keepdims=True)
