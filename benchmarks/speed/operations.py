r"""Which of TensorFlow's operations take the time of a training step, or of a served text.

    .venv/bin/python -m benchmarks.speed.operations          # the step of speed.training_step
    .venv/bin/python -m benchmarks.speed.operations --rows=10 --length=48
    .venv/bin/python -m benchmarks.speed.operations --export=RUN/export/1 --text="..."

Prints a table of the kinds of operations: how many run in a call, the sum of their times, and its
share of the whole. Two operations may run side by side, and the time of one that waits for a core
includes the waiting, so the sum is more than the time that passes.
"""

import collections
import glob
import statistics
import tempfile
import time

from benchmarks.harness import environment, results
from benchmarks.speed import training_step

_SHOWN = 16


def served(export, text):
    """A function that calls a SavedModel for the label of one text."""
    import tensorflow as tf

    predict = tf.saved_model.load(export).signatures["serving_default"]
    return lambda: predict(text=tf.constant([text]))["label"].numpy()


def profile(call, calls):
    """How many operations of each kind a call runs, and the sum of their milliseconds."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    counts, times = collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(calls):
            call()
        tf.profiler.experimental.stop()
        space = xplane_pb2.XSpace()
        (path,) = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)
        with open(path, "rb") as file:
            space.ParseFromString(file.read())
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            # An operation is called name:kind; two colons mark functions of the runtime.
            if name and not name.endswith(":") and kind.isidentifier():
                counts[kind] += 1 / calls
                times[kind] += event.duration_ps / 1e9 / calls
    return counts, times


def main():
    flags = training_step.parser(__doc__)
    flags.add_argument("--export", help="a SavedModel to call, in place of a step")
    flags.add_argument("--text", help="the text to call it with")
    flags.add_argument("--calls", type=int, default=20, help="how many calls are profiled")
    args = flags.parse_args()
    call = served(args.export, args.text) if args.export else training_step.our_step(args)
    seconds = []
    for _ in range(3 + args.calls):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    counts, times = profile(call, args.calls)
    median = 1e3 * statistics.median(seconds[3:])
    total = times.total()
    print(f"a call: {median:.2f} ms, {counts.total():,.0f} operations, {total:.2f} ms added up")
    rows = [[kind, counts[kind], spent, spent / total] for kind, spent in times.most_common(_SHOWN)]
    results.show_table(
        args.results,
        ["operation", "runs in a call", "ms", "share"],
        ["", ",.0f", ".2f", ".0%"],
        rows,
        command="benchmarks.speed.operations",
        measured=environment.machine(),
        milliseconds=median,
        operations=counts.total(),
        added_up=total,
    )


if __name__ == "__main__":
    main()
