"""Dropout trains a network with holes: at each step a random part of the hidden neurons is silent.

No neuron can rely on another one being there, so each has to be of use by itself.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field

import numpy as np

from nnlib.errors import SettingError, check_number, check_rng
from nnlib.network import Network


@dataclass(frozen=True)
class Dropout:
    r"""Which hidden neurons are silent at which step of training.

    .. math::
        h = M \odot a, \qquad M = \begin{cases} 0 & \text{with probability } q \\ 1 / (1 - q) & \text{otherwise}
        \end{cases}, \qquad \mathbb{E}[h] = a, \quad \operatorname{Var}[h] = \frac{q}{1 - q} a^2

    What is left is scaled up (*inverted dropout*), so the next layer's weighted sums have the same mean as
    without holes, and a trained network is used as it is. A step's masks follow from the seed and the step's
    index alone: a run that is resumed or forked meets the same ones.

    Parameters
    ----------
    rate : float
        q, from 0 to below 1.
    rng : numpy.random.Generator
        Draws the seed, once.

    Source: Hinton et al., *Improving neural networks by preventing co-adaptation of feature detectors*,
    arXiv:1207.0580, 2012; Srivastava et al., JMLR 15:1929, 2014.

    Examples
    --------
    >>> net = Network([2, 6, 1], rng=np.random.default_rng(0))
    >>> dropout = Dropout(0.5, rng=np.random.default_rng(0))
    >>> (mask,) = dropout.masks(net, 2, step=0)
    >>> mask
    array([[2., 0., 2., 2., 0., 0.],
           [0., 2., 0., 0., 2., 2.]])
    """

    rate: float
    seed: int = field(init=False)
    rng: InitVar[np.random.Generator] = field(kw_only=True)

    def __post_init__(self, rng: np.random.Generator) -> None:
        object.__setattr__(self, "rate", check_number("rate", self.rate, at_least=0, below=1))
        object.__setattr__(self, "seed", int(check_rng(rng).integers(2**63)))

    def masks(self, net: Network, batch: int, step: int) -> tuple[np.ndarray, ...]:
        """Return what multiplies the activations of each hidden layer at a step, (batch, outputs) each."""
        rng, scale = np.random.default_rng([self.seed, step]), net.dtype.type(1 / (1 - self.rate))
        # Both dtypes lose the same neurons.
        return tuple((rng.random((batch, m), np.float32) >= self.rate) * scale for m in net.sizes[1:-1])


def as_dropout(dropout: Dropout | None) -> Dropout | None:
    """Return a dropout (or None) as it is; anything else raises SettingError with the line to write."""
    if dropout is None or isinstance(dropout, Dropout):
        return dropout
    raise SettingError(f"dropout should be like Dropout(0.2, rng=np.random.default_rng(0)), got {dropout!r}")
