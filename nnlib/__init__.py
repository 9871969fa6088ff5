"""The mathematics of a neural network, as it is written in the book: pure Python and numpy.

Each module is one chapter's; the names that all chapters use are here.
"""

from nnlib.activations import ACTIVATIONS, Activation, log_softmax, softmax
from nnlib.backpropagation import (
    BackwardTrace,
    GradientReport,
    backward,
    check_gradient,
    loss_and_gradient,
)
from nnlib.datasets import DATASETS, Dataset, from_csv
from nnlib.dropout import Dropout
from nnlib.errors import DTypeError, NnlibError, NonFiniteError, SettingError, ShapeError, TableError, TargetError
from nnlib.gradient_descent import Step, descend
from nnlib.graph import Graph
from nnlib.initialisation import INITIALISATIONS, Initialisation
from nnlib.losses import LOSSES, Loss
from nnlib.network import Layer, LayerTrace, Network, Trace
from nnlib.neurons import Neuron, build_bumps, mistake_bound, train_perceptron
from nnlib.optimizers import OPTIMIZERS, Optimizer
from nnlib.penalties import PENALTIES, Penalty
from nnlib.schedules import SCHEDULES

__all__ = [
    "ACTIVATIONS",
    "DATASETS",
    "INITIALISATIONS",
    "LOSSES",
    "OPTIMIZERS",
    "PENALTIES",
    "SCHEDULES",
    "Activation",
    "BackwardTrace",
    "DTypeError",
    "Dataset",
    "Dropout",
    "GradientReport",
    "Graph",
    "Initialisation",
    "Layer",
    "LayerTrace",
    "Loss",
    "Network",
    "Neuron",
    "NnlibError",
    "NonFiniteError",
    "Optimizer",
    "Penalty",
    "SettingError",
    "ShapeError",
    "Step",
    "TableError",
    "TargetError",
    "Trace",
    "backward",
    "build_bumps",
    "check_gradient",
    "descend",
    "from_csv",
    "log_softmax",
    "loss_and_gradient",
    "mistake_bound",
    "softmax",
    "train_perceptron",
]
