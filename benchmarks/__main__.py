"""Measure: ``python -m benchmarks`` (or ``make bench``) prints a table and stores it for the book's chart.

All contenders of a load take turns in one process, so a busy moment hurts all alike. Each turn is some training
steps; a number is the median over the turns, a ratio the median of the ratios turn by turn, both with quartiles.
Contenders that are not installed are left out. Memory is the most that a process of its own held, beyond what it
held after its imports; for a cold start it is all that the process held.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median, quantiles

parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure nnlib against its peers.")
parser.add_argument("--threads", type=int, default=2, help="threads of every contender (2)")
parser.add_argument("--turns", type=int, default=30, help="turns of each contender (30)")
parser.add_argument("--only", default="", help="only loads with this word in their name; nothing is stored")
parser.add_argument("--no-memory", action="store_true", help="leave out the memory, which takes a process each")
parser.add_argument("--memory", nargs=2, metavar=("LOAD", "CONTENDER"), help=argparse.SUPPRESS)

RESULTS = Path("benchmarks/results.json")
NEEDS = {"sklearn": "sklearn", "torch": "torch", "torch_fused": "torch", "jax": "jax"}
NAMES = {
    "products": "bare matrix products",
    "nnlib": "nnlib",
    "plain": "nnlib, plain form",
    "sklearn": "scikit-learn",
    "torch": "PyTorch eager",
    "torch_fused": "PyTorch, fused optimizer",
    "jax": "JAX, jitted",
    "micrograd_style": "micrograd's way",
}


def pin(threads: int) -> None:
    """Give every library the same number of threads; before any of them is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    single = "" if threads > 1 else " --xla_cpu_multi_thread_eigen=false"
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + single
    if find_spec("torch"):
        import torch

        torch.set_num_threads(threads)


def installed(contender: str) -> bool:
    """Whether what this contender needs is there."""
    return contender not in NEEDS or find_spec(NEEDS[contender]) is not None


def take_turns(load, contenders, steps: int, turns: int) -> dict[str, list[float]]:
    """Return seconds for a step, one number for each turn."""
    runs = {contender: getattr(load, contender)() for contender in contenders}
    for run in runs.values():
        run(steps)
    times: dict[str, list[float]] = {contender: [] for contender in runs}
    for _ in range(turns):
        for contender, run in runs.items():
            start = time.perf_counter()
            run(steps)
            times[contender].append((time.perf_counter() - start) / steps)
    return times


def spread(values: list[float]) -> tuple[float, float, float]:
    """Return median, lower and upper quartile."""
    low, _, high = quantiles(values, n=4)
    return median(values), low, high


def ratios(times: dict[str, list[float]], contender: str) -> tuple[float, float, float]:
    """Return how many times nnlib's time a contender takes; for the products how many times theirs nnlib takes."""
    pairs = zip(times["nnlib"], times[contender], strict=True)
    if contender == "products":
        return spread([mine / theirs for mine, theirs in pairs])
    return spread([theirs / mine for mine, theirs in pairs])


def verdict(contender: str, ratio: float, target: float | None) -> str:
    """Say whether a target is met."""
    if target is None:
        return ""
    met = ratio <= target if contender == "products" else ratio >= target
    return f"{'meets' if met else 'MISSES'} {'at most' if contender == 'products' else 'at least'} {target:g}"


def held(load: str, contender: str) -> float | None:
    """Return the megabytes that a process of its own needs for the steps, beyond its imports."""
    command = [sys.executable, "-m", "benchmarks", "--memory", load, contender]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def measure_memory(name: str, contender: str) -> None:
    """Print the growth of this process while it trains, in MB."""
    from benchmarks.loads import LOADS

    make, _, steps, _ = LOADS[name]
    load = make()
    if contender in NEEDS:
        import_module("sklearn.neural_network" if contender == "sklearn" else NEEDS[contender])
    before = largest()
    getattr(load, contender)()(steps)
    print(largest() - before)


def largest() -> float:
    """Return the most memory that this process has held so far, in MB (Linux)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def start_cold(code: str) -> bytes:
    """Run a program in a process of its own and return what it prints. Python may keep its bytecode, as it does."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment).stdout


def cold_start(turns: int) -> dict[str, list[float]]:
    """Return seconds from starting Python to digits trained for 20 epochs, in turns; the first does not count."""
    from benchmarks.loads import COLD

    times: dict[str, list[float]] = {name: [] for name in COLD if installed(name)}
    for turn in range(turns + 1):
        for name in times:
            start = time.perf_counter()
            start_cold(COLD[name])
            if turn:
                times[name].append(time.perf_counter() - start)
    return times


def held_cold(name: str) -> float:
    """Return the megabytes that the whole process of a cold start needs, imports included."""
    from benchmarks.loads import COLD

    return float(start_cold(f"{COLD[name]}\nfrom benchmarks.__main__ import largest\nprint(largest())"))


def report(title: str, times: dict[str, list[float]], targets: dict[str, float], memory: dict) -> dict[str, dict]:
    """Print one load's table and return what to store of it: for each contender microseconds, ratio, megabytes."""
    print(f"\n{title}")
    stored = {}
    for contender, values in times.items():
        middle, low, high = (1e6 * value for value in spread(values))
        entry = stored[NAMES[contender]] = {"microseconds": [round(value, 1) for value in (middle, low, high)]}
        line = f"  {NAMES[contender]:26}{middle:12,.1f} µs  ({low:,.1f} to {high:,.1f})"
        if contender != "nnlib":
            ratio, down, up = ratios(times, contender)
            words = "nnlib takes {:.2f}x" if contender == "products" else "takes {:.2f}x nnlib's time"
            line += f"   {words.format(ratio)} ({down:.2f} to {up:.2f})"
            line += f"  {verdict(contender, ratio, targets.get(contender))}"
            entry["ratio"] = [round(value, 2) for value in (ratio, down, up)]
        if memory.get(contender) is not None:
            line += f"   {memory[contender]:,.0f} MB"
            entry["megabytes"] = round(memory[contender])
        print(line, flush=True)
    return stored


def main() -> None:
    """Measure, print and store."""
    given = parser.parse_args()
    pin(given.threads)
    warnings.simplefilter("ignore")
    if given.memory:
        measure_memory(*given.memory)
        return
    from benchmarks.loads import COLD_TARGETS, LOADS

    busy = f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"Time for a training step: float32, {given.threads} threads, {given.turns} turns, {busy}")
    results = {}
    for title, (make, contenders, steps, targets) in LOADS.items():
        if given.only in title:
            present = [contender for contender in contenders if installed(contender)]
            times = take_turns(make(), present, steps, given.turns)
            weighed = [] if given.no_memory else [contender for contender in present if contender != "products"]
            memory = {contender: held(title, contender) for contender in weighed}
            results[title] = report(title, times, targets, memory)
    title = "cold start: from starting Python to digits trained for 20 epochs"
    if given.only in title:
        times = cold_start(max(3, given.turns // 5))
        memory = {} if given.no_memory else {name: held_cold(name) for name in times}
        results[title] = report(title, times, COLD_TARGETS, memory)
    if not given.only:
        measured = {"threads": given.threads, "turns": given.turns, "loads": results}
        RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
        print(f"\nStored for the chart, which `make notebooks NAME=plan` draws anew: {RESULTS}")


if __name__ == "__main__":
    main()
