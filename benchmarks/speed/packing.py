"""What a training batch costs to make: processor time an example, all cores together.

    .venv/bin/python -m benchmarks.speed.packing

Draws examples of 10 to 120 made-up tokens and packs them into rows of 128, as in training, and does
nothing with them. In a training every worker does this for the whole batch.
"""

import time

import numpy as np

from benchmarks.harness import arguments, environment

_EXAMPLES, _COUNTED = 20_000, 8_192


def main():
    arguments.parser(__doc__).parse_args()
    tf = environment.start_tensorflow()
    from bert_keras.data.batches import EncodedExamples, training_batches

    rng = np.random.default_rng(0)
    lengths = rng.integers(10, 121, _EXAMPLES)
    token_ids = tf.RaggedTensor.from_row_lengths(
        tf.constant(rng.integers(5, 30_000, lengths.sum()), tf.int32), lengths
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
    main()
