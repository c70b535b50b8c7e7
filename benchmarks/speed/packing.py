"""What it costs to make a training batch: processor time an example, all cores together.

    PYTHONPATH=. python benchmarks/packing.py

Examples of 10 to 120 made-up tokens are drawn and packed into rows of 128, as in training, and
nothing is done with them. Every worker of a training does this for the whole batch.
"""

import time

import numpy as np
from absl import app

from bert_keras.cli.script import start_tensorflow_quietly

_EXAMPLES, _COUNTED = 20_000, 8_192


def main(_):
    start_tensorflow_quietly()
    import tensorflow as tf

    from bert_keras.data.batches import EncodedExamples, training_batches

    draw = np.random.default_rng(0)
    lengths = draw.integers(10, 121, _EXAMPLES)
    token_ids = tf.RaggedTensor.from_row_lengths(
        tf.constant(draw.integers(5, 30_000, lengths.sum()), tf.int32), lengths
    )
    examples = EncodedExamples(token_ids, token_ids * 0, truncated=0)
    targets = {"labels": np.zeros(_EXAMPLES, np.int32)}
    for size in (32, 1024):
        batches = iter(training_batches(examples, targets, size, seed=0))
        for _ in range(3):
            next(batches)
        start = time.process_time()
        for _ in range(_COUNTED // size):
            next(batches)
        seconds = (time.process_time() - start) / _COUNTED
        print(f"{size} examples a batch: {1e6 * seconds:.0f} µs an example", flush=True)


if __name__ == "__main__":
    app.run(main)
