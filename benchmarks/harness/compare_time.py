"""Sides that are timed in turns: a process each, which waits while another runs.

A side is a script that calls `answer` with what is to be timed. It may run in a Python of its own,
so this module needs nothing installed. What a machine does meanwhile falls on all sides alike.
"""

import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
_TOLD = "seconds: "
PRODUCTS = "products"


def answer(run):
    """Calls a function whenever the starting process asks, and tells how long it took."""
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        print(f"{_TOLD}{time.perf_counter() - start}", flush=True)


def measure(sides, turns, warm_up=2):
    """Starts the sides and lets each take its turn, again and again.

    Args:
        sides: commands by name; lists of words.
        turns: how many turns are counted.
        warm_up: how many turns before them are not.

    Returns:
        The seconds of each counted turn, a list by name.
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
                told = next((line for line in process.stdout if line.startswith(_TOLD)), None)
                if told is None:
                    sys.exit(f"{name} ended with {process.wait()} before it had been timed.")
                if turn >= warm_up:
                    seconds[name].append(float(told.removeprefix(_TOLD)))
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return seconds


def products(dtype):
    """The side that multiplies matrices as fast as TensorFlow can, `work_of_products()` a turn."""
    return {PRODUCTS: [sys.executable, HERE / "products.py", f"--dtype={dtype}"]}


def report(what, seconds, work):
    """Prints medians, our ratio, and the share of the speed of `products` that was reached.

    Args:
        what: what was timed.
        seconds: what `measure` returned, of "ours", its peers and `products`.
        work: floating-point operations of one turn of each side.

    Returns:
        Our time to the fastest peer's.
    """
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    speed = work_of_products() / medians.pop(PRODUCTS)
    print(f"{what}; matrix products alone: {speed / 1e9:,.0f} GFLOP/s")
    for name, median in medians.items():
        share = work / median / speed
        print(f"{name:>16}: {1e3 * median:9.2f} ms, {share:4.0%} of the products' speed")
    ours = medians.pop("ours")
    best = min(medians, key=medians.get)
    ratio = ours / medians[best]
    each = [mine / theirs for mine, theirs in zip(seconds["ours"], seconds[best], strict=True)]
    print(f"{'ratio':>16}: {ratio:9.2f} to {best}, turn by turn {min(each):.2f} to {max(each):.2f}")
    return ratio


def work_of_products():
    """Floating-point operations of a turn of `products.py`."""
    return 20 * 2 * 4096 * 384 * 1536


def work_of_encoder(tokens, length, layers, hidden, intermediate):
    """Floating-point operations of the matrix products of one pass of an encoder.

    Args:
        tokens: of all rows.
        length: tokens that a token attends to.
        layers, hidden, intermediate: the model's sizes.
    """
    linear = 2 * (4 * hidden * hidden + 2 * hidden * intermediate)
    return tokens * layers * (linear + 4 * length * hidden)
