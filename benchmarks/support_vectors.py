"""How well a support vector machine reads the digits, on the ten splits of the chapter and on ten of scikit-learn's.

``python -m benchmarks.support_vectors`` prints it. It needs scikit-learn, which ``make bench`` installs into an
environment of its own; the book itself does not.
"""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.svm import SVC

import nnlib


def main() -> None:
    """Print mean and standard deviation of the accuracy over each ten stratified splits."""
    data = nnlib.DATASETS["digits"](rng=np.random.default_rng(0))
    machine = SVC(C=10, gamma="scale")
    ours, theirs = [], []
    for seed in range(10):
        train, test = data.split(0.75, rng=np.random.default_rng(seed), stratified=True)
        ours.append(machine.fit(train.X, train.y).score(test.X, test.y))
    for rows, others in StratifiedShuffleSplit(10, test_size=0.25, random_state=0).split(data.X, data.y):
        theirs.append(machine.fit(data.X[rows], data.y[rows]).score(data.X[others], data.y[others]))
    for name, right in (("the chapter's splits", ours), ("scikit-learn's", theirs)):
        print(f"Gaussian kernel, C = 10, {name}: {100 * np.mean(right):.1f} ± {100 * np.std(right, ddof=1):.1f} %")


if __name__ == "__main__":
    main()
