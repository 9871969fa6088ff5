"""An activation bends the straight line that a layer computes; without it many layers are worth one.

Each is declared here once, its value and its slope side by side, with the points where the slope jumps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

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


def _decay(z):
    """Return exp(-|z|): never overflows. Analytic on each side of zero, which is what complex z needs."""
    return np.exp(np.where(z.real > 0, -z, z))


def _sigmoid(z):
    e = _decay(z)
    return np.where(z.real > 0, 1, e) / (1 + e)


def _sigmoid_slope(z, a):
    e = _decay(z)  # e / (1 + e)² = a (1 - a), but without the loss of digits in 1 - a
    return e / ((1 + e) * (1 + e))


def _tanh_slope(z, a):
    e = _decay(2 * z)  # 4e / (1 + e)² = 1 - a², but without the loss of digits near a = ±1
    return 4 * (e / ((1 + e) * (1 + e)))


def _softplus(z):
    return np.where(z.real > 0, z, 0) + np.log1p(_decay(z))


def _silu(z):
    half = _decay(z / 2)  # the square root of e, because z * e would be inexact where e is tiny
    e = half * half
    return np.where(z.real > 0, z, z * half * half) / (1 + e)


def _silu_slope(z, a):
    half = _decay(z / 2)
    e = half * half
    bend = 1 + z * np.where(z.real > 0, e, 1) / (1 + e)  # 1 + z (1 - sigmoid(z))
    return np.where(z.real > 0, bend, bend * half * half) / (1 + e)


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
        lambda z: np.where(z.real > 0, z, alpha * np.expm1(np.where(z.real > 0, 0, z))),
        lambda z, a: np.where(z.real > 0, 1, alpha * np.exp(np.where(z.real > 0, 0, z))),
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


# The normal distribution, for GELU. Its tail is Φ(-t) = exp(-t²/2) G(t), where G falls slowly from 1/2. In the
# variable u = (t - 5) / (t + 5), which maps 0..∞ to -1..1, the product (1 + 1.25 t) G(t) is a Chebyshev series
# of 26 terms (the method of Shepherd & Laframboise, Mathematics of Computation 36:249, 1981; the coefficients
# are this book's own, computed with 60 digits).
_TAIL_SERIES = (
    0.5385288138992342,
    -0.02645925107935259,
    -0.028386077272723416,
    0.022438833059881966,
    -0.010014371788857852,
    0.0032270946077398253,
    -0.0007773358378847752,
    0.00013291756873865117,
    -1.2492600229847826e-05,
    -6.331162602793908e-07,
    3.951505696905665e-07,
    -3.7434383155557186e-08,
    -6.3517209623716656e-09,
    1.6999795574677543e-09,
    5.119550416240489e-11,
    -5.7296362937918556e-11,
    1.4153040384573e-12,
    1.9141195007673026e-12,
    -1.0696250192131425e-13,
    -6.892737587234324e-14,
    4.604424764513564e-15,
    2.7324224089305913e-15,
    -1.5321124561749416e-16,
    -1.174225371662994e-16,
    2.996126874418231e-18,
    5.276781438013796e-18,
)


def _normal_tail(t):
    """Return G(t) and exp(-t²/2), whose product is Φ(-t), for a real part of t from 0 up."""
    u = (t - 5) / (t + 5)
    high, low = np.zeros_like(u), np.zeros_like(u)
    for coefficient in _TAIL_SERIES[:0:-1]:
        high, low = coefficient + 2 * u * high - low, high
    series = _TAIL_SERIES[0] + u * high - low
    coarse = np.round(np.minimum(t.real, 64) * 256) / 256  # its square is exact, so the big exponent is, too
    fine = np.exp(-(t - coarse) * (t + coarse) / 2)
    return series / (1 + 1.25 * t), np.exp(-coarse * coarse / 2) * fine


def _toward_positive(z):
    """Return |z|, for complex z its analytic continuation from each side of zero."""
    return np.where(z.real > 0, z, -z)


def normal_cdf(z) -> np.ndarray:
    r"""Return :math:`\Phi(z) = \tfrac12 (1 + \operatorname{erf}(z / \sqrt 2))`, for any array of numbers.

    >>> normal_cdf([-40.0, 0.0, 1.0]).round(6)
    array([0.      , 0.5     , 0.841345])
    """
    z = as_numbers("z", z)
    slow, gauss = _normal_tail(_toward_positive(z))
    return np.where(z.real > 0, 1 - slow * gauss, slow * gauss)


def _gelu(z):
    slow, gauss = _normal_tail(_toward_positive(z))
    return np.where(z.real > 0, z * (1 - slow * gauss), z * slow * gauss)


def _gelu_slope(z, a):
    slow, gauss = _normal_tail(_toward_positive(z))
    density = z * (1 / math.sqrt(2 * math.pi))
    return np.where(z.real > 0, 1 - slow * gauss + density * gauss, (slow + density) * gauss)


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
        Activation("tanh", np.tanh, _tanh_slope, r"\tanh z", r"1 - a^2", (-1.0, 1.0)),
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

    Source: Bridle, *Training stochastic model recognition algorithms...*, NIPS 1989. The arguments, the errors
    and the shape of the result are those of `log_softmax`.

    Examples
    --------
    >>> softmax([0.0, 0.0]), softmax([2.0, 0.0], temperature=1e-3)
    (array([0.5, 0.5]), array([1., 0.]))
    """
    z = as_numbers("z", z)
    z = z if temperature == 1 else z / check_number("temperature", temperature, above=0)
    weights = np.exp(z - np.take_along_axis(z, np.argmax(z.real, axis=-1, keepdims=True), axis=-1))
    return weights / weights.sum(axis=-1, keepdims=True)
