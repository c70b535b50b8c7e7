r"""Which of TensorFlow's operations take the time of a training step, or of a served text.

    PYTHONPATH=. python benchmarks/operations.py                    # training_step.py's step
    PYTHONPATH=. python benchmarks/operations.py --rows=10 --length=48
    PYTHONPATH=. python benchmarks/operations.py --export=RUN/export/1 --text="..."

A table of the kinds of operations: how many are run in a call, their time, added up, and its share.
Two operations may run side by side, and one that waits for a core counts the waiting, so that the
sum is more than the time that passes.
"""

import collections
import glob
import statistics
import tempfile
import time

from absl import app, flags
from training_step import our_step

FLAGS = flags.FLAGS

flags.DEFINE_string("export", None, "A SavedModel to ask, in place of a step.")
flags.DEFINE_string("text", None, "What to ask it.")
flags.DEFINE_integer("calls", 20, "How many calls are watched.")
_SHOWN = 16


def served():
    """A function that asks a SavedModel for the label of one text."""
    import tensorflow as tf

    ask = tf.saved_model.load(FLAGS.export).signatures["serving_default"]
    return lambda: ask(text=tf.constant([FLAGS.text]))["label"].numpy()


def watch(call):
    """How many operations of each kind a call runs, and their milliseconds, added up."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    counts, times = collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(FLAGS.calls):
            call()
        tf.profiler.experimental.stop()
        space = xplane_pb2.XSpace()
        (path,) = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)
        with open(path, "rb") as file:
            space.ParseFromString(file.read())
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            # An operation's name, a colon, its kind; two colons are of the runtime's own functions.
            if name and not name.endswith(":") and kind.isidentifier():
                counts[kind] += 1 / FLAGS.calls
                times[kind] += event.duration_ps / 1e9 / FLAGS.calls
    return counts, times


def main(_):
    call = served() if FLAGS.export else our_step()
    passed = []
    for _ in range(3 + FLAGS.calls):
        start = time.perf_counter()
        call()
        passed.append(time.perf_counter() - start)
    counts, times = watch(call)
    median = 1e3 * statistics.median(passed[3:])
    total = times.total()
    print(f"a call: {median:.2f} ms, {counts.total():,.0f} operations, {total:.2f} ms added up")
    print("| operation | in a call | ms | share |")
    print("|-|-|-|-|")
    for kind, spent in times.most_common(_SHOWN):
        print(f"| {kind} | {counts[kind]:,.0f} | {spent:.2f} | {spent / total:.0%} |")


if __name__ == "__main__":
    app.run(main)
