"""Run the experiments of `nnlib.learning_representations` from many seeds and store what came out.

``make studies`` runs all of them, ``python -m nnlib.studies encoder symmetry`` these two. The others stay as stored.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np

from nnlib.learning_representations import EXPERIMENTS, Experiment
from nnlib.losses import as_loss
from nnlib.replicas import Replicas

STORED = Path(__file__).parent / "data" / "studies.json"
EVERY = 10  # sweeps between two looks at the outputs
EARLY = 100  # sweeps after which the loss is noted, for whoever wants to compare a run of his own
KEPT = 60  # final parameters are stored for networks with no more than these


def run(experiment: Experiment, seeds: list[int], sweeps: int | None = None) -> dict:
    """Run an experiment from each of the seeds, all at once, and return what `study` describes."""
    X, y = experiment.data()
    replicas = Replicas([experiment.network(seed) for seed in seeds])
    trained, held_out = (np.array(rows) for rows in zip(*map(experiment.cases, seeds), strict=True))
    loss, target = as_loss(experiment.loss), y[trained]
    right, close, early = [None] * len(seeds), [None] * len(seeds), []
    sweeps = experiment.sweeps if sweeps is None else sweeps
    for sweep in replicas.descend(loss, X[trained], target, optimizer=experiment.optimizer):
        if sweep % EVERY == 0:
            output = replicas.forward(X[trained])
            error = np.abs(experiment.probabilities(output) - target).max(axis=(1, 2))
            for found, limit in ((right, 0.5), (close, 0.2)):
                for replica in np.flatnonzero(error < limit):
                    if found[replica] is None:
                        found[replica] = sweep
        if sweep == EARLY:
            early = [loss.mean(*pair) for pair in zip(output, target, strict=True)]
        if sweep == sweeps:
            break
    sides = experiment.probabilities(replicas.forward(X)) > 0.5
    correct = (sides == (y > 0.5)).all(axis=2)  # (seeds, cases)
    results = {
        "sweeps": sweeps,
        "right": right,
        "close": close,
        "early_loss": [float(f"{value:.9g}") for value in early],
        "loss": [float(f"{loss.mean(*pair):.6g}") for pair in zip(output, target, strict=True)],
        "trained": np.take_along_axis(correct, trained, axis=1).sum(axis=1).tolist(),
        "held_out": np.take_along_axis(correct, held_out, axis=1).sum(axis=1).tolist() if experiment.held_out else [],
    }
    if replicas.parameters.shape[1] <= KEPT:
        results["parameters"] = [[float(f"{value:.4g}") for value in row] for row in replicas.parameters]
    if experiment.masks is not None:
        people = replicas.blocks(replicas.parameters)[0][:, :24, :6]
        results["people"] = people.round(2).tolist()
    return results


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"which (default: all): {', '.join(EXPERIMENTS)}")
    stored = json.loads(STORED.read_text("utf-8")) if STORED.exists() else {"studies": {}}
    for name in parser.parse_args().names or EXPERIMENTS:
        experiment, start = EXPERIMENTS[name], time.perf_counter()
        stored["studies"][name] = run(experiment, list(range(experiment.seeds)))
        stored["versions"] = {"numpy": np.__version__, "python": platform.python_version()}
        studies = {key: stored["studies"][key] for key in EXPERIMENTS if key in stored["studies"]}
        lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(results)}" for key, results in studies.items())
        STORED.write_text(
            f'{{"versions": {json.dumps(stored["versions"])}, "studies": {{\n{lines}\n}}}}\n', encoding="utf-8"
        )
        solved = sum(sweep is not None for sweep in stored["studies"][name]["right"])
        print(f"{name}: {solved} of {experiment.seeds} right ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
