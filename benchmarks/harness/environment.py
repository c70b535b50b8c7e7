"""The repository's folders, the processes that a benchmark starts, and the machine it runs on."""

import datetime
import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def module(name, *arguments, python=sys.executable):
    """The command that runs a module of this package, such as "speed.training_step"."""
    return [python, "-m", f"benchmarks.{name}", *arguments]


def script(name, *arguments):
    """The command that runs one of the repository's scripts, such as "run_classifier.py"."""
    return [sys.executable, ROOT / name, *arguments]


def call(command, **settings):
    """Runs a command to its end and returns what it printed; other output goes to the terminal."""
    settings = {"check": True, "stdout": subprocess.PIPE, "text": True} | settings
    return subprocess.run(list(map(str, command)), **settings).stdout


def peak_bytes(command, log, **variables):
    """Runs a command to its end; returns the peak resident memory of its process.

    Args:
        command: words.
        log: path of the file that takes its output.
        **variables: additions to its environment.

    Raises:
        SystemExit: the command failed; the message is its output.
    """
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            list(map(str, command)), stdout=file, stderr=file, env=os.environ | variables
        )
        # `resource` knows the peak of all children together; `wait4` knows that of this one.
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {pathlib.Path(log).read_text()}")
    return 1024 * usage.ru_maxrss


def start_tensorflow():
    """Imports TensorFlow and lets it look for devices, without its remarks about GPUs."""
    from bert_keras.quiet import stderr_to_nowhere

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with stderr_to_nowhere():
        import tensorflow as tf

        tf.config.list_physical_devices()
    return tf


def machine():
    """One line on where and when a figure was measured."""
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {_processor()}, {datetime.date.today()}"


def _processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def read_events(folder, name):
    """The (step, value) pairs of a scalar in a folder of TensorBoard's events."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in events.Tensors(name)]
