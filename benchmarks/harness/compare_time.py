"""Compares the times of several sides, each a process of its own, that take turns.

A side is a module that calls `take_turns` with the function to time. It waits while another side
runs, so other work on the machine slows all sides alike. A side may run in another Python, so this
module imports the standard library alone.
"""

import statistics
import subprocess
import sys
import time

from benchmarks.harness import environment

_SECONDS = "seconds: "
MATMUL_PEAK = "matmul_peak"


def take_turns(run):
    """Calls a function each time the parent process asks, and prints the seconds it took."""
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        print(f"{_SECONDS}{time.perf_counter() - start}", flush=True)


def measure(sides, turns, warm_up=2):
    """Starts the sides and gives each its turn, again and again.

    Args:
        sides: dict name -> command, a list of words.
        turns: how many turns count.
        warm_up: how many turns before these do not count.

    Returns:
        A dict name -> the seconds of each counted turn.
    """
    processes = {
        name: subprocess.Popen(
            list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name, words in sides.items()
    }
    seconds = {name: [] for name in sides}
    try:
        for turn in range(warm_up + turns):
            for name, process in processes.items():
                process.stdin.write("go\n")
                process.stdin.flush()
                line = next((line for line in process.stdout if line.startswith(_SECONDS)), None)
                if line is None:
                    sys.exit(f"{name}: exit code {process.wait()} before its turn was over.")
                if turn >= warm_up:
                    seconds[name].append(float(line.removeprefix(_SECONDS)))
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return seconds


def matmul_peak(dtype):
    """The side that multiplies matrices as fast as TensorFlow can, `matmul_operations()` a turn."""
    return {MATMUL_PEAK: environment.module("harness.matmul_peak", f"--dtype={dtype}")}


def report(title, seconds, operations):
    """Prints medians, their ratio, and the share of the matrix products' speed that each reaches.

    Args:
        title: what was timed.
        seconds: what `measure` returned, of "ours", of its peers and of `matmul_peak`.
        operations: floating-point operations of one turn of each side.

    Returns:
        The figures as `results.record` takes them: ours, the fastest peer, and our time to its.
    """
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    speed = matmul_operations() / medians.pop(MATMUL_PEAK)
    print(f"{title}; matrix products alone: {speed / 1e9:,.0f} GFLOP/s")
    figures = {
        name: {"value": 1e3 * median, "unit": "ms", "share": operations / median / speed}
        for name, median in medians.items()
    }
    for name, figure in figures.items():
        share = f"{figure['share']:4.0%} of the matrix products' speed"
        print(f"{name:>16}: {figure['value']:9.2f} ms, {share}")
    best = min(medians.keys() - {"ours"}, key=medians.get)
    ratio = medians["ours"] / medians[best]
    each = [ours / peer for ours, peer in zip(seconds["ours"], seconds[best], strict=True)]
    print(f"{'ratio':>16}: {ratio:9.2f} to {best}, by turn {min(each):.2f} to {max(each):.2f}")
    return comparison(figures["ours"], figures[best], ratio)


def comparison(ours, peer, ratio):
    """An entry of results/speed.json; see `results.record`."""
    measured = environment.machine()
    return {"ours": ours, "peer": peer, "ratio": ratio, "measured": measured}


def matmul_operations():
    """Floating-point operations of a turn of `matmul_peak`."""
    return 20 * 2 * 4096 * 384 * 1536


def encoder_operations(tokens, length, layers, hidden, intermediate):
    """Floating-point operations of the matrix products in one forward pass of an encoder.

    Args:
        tokens: of all rows.
        length: how many tokens each token attends to.
        layers, hidden, intermediate: the model's sizes.
    """
    linear = 2 * (4 * hidden * hidden + 2 * hidden * intermediate)
    return tokens * layers * (linear + 4 * length * hidden)
