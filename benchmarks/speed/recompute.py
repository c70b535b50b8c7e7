"""What recomputing the blocks' insides costs and gains: peak memory and time of a training step.

    PYTHONPATH=. taskset -c 0 python benchmarks/recompute.py

Both ways run in turns, a process each, on the same rows without padding. Peak memory is the most
that the process ever held resident, TensorFlow itself and the weights included; what it held
before the first step is told beside it. A step's time is the median of all but each process's
first, which is traced and optimised.
"""

import json
import statistics
import subprocess
import sys
import time

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("rows", 32, "Rows of a step.")
flags.DEFINE_integer("length", 512, "Tokens of a row.")
flags.DEFINE_integer("layers", 6, "Blocks.")
flags.DEFINE_integer("width", 384, "Width of the vectors; a head is 32 wide.")
flags.DEFINE_string("dtype", "mixed_bfloat16", "The Keras dtype policy.")
flags.DEFINE_integer("steps", 4, "Steps of a turn.")
flags.DEFINE_integer("rounds", 2, "How often each takes its turn.")
flags.DEFINE_bool("recompute", None, "Do one turn of this kind, and print it as JSON.")


def resident(name):
    """`VmRSS`, what this process holds, or `VmHWM`, the most that it ever held, in bytes."""
    with open("/proc/self/status", encoding="utf-8") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def turn():
    """Trains for some steps; returns memory before and at most, and the steps' seconds."""
    import keras
    import numpy as np
    import tensorflow as tf

    from bert_keras.config import BertConfig
    from bert_keras.layers.execution import Execution
    from bert_keras.models.classifier import BertClassifier
    from bert_keras.training.optimizer import AdamW

    keras.utils.set_random_seed(0)
    config = BertConfig(
        hidden_size=FLAGS.width,
        num_hidden_layers=FLAGS.layers,
        num_attention_heads=FLAGS.width // 32,
        intermediate_size=4 * FLAGS.width,
        max_position_embeddings=FLAGS.length,
    )
    model = BertClassifier(config, 2, dtype=FLAGS.dtype)
    model.execution = Execution(recompute=FLAGS.recompute)
    optimizer = AdamW(1e-4)
    optimizer.build(model.trainable_variables)
    shape = (FLAGS.rows, FLAGS.length)
    zeros = np.zeros(shape, "int32")
    batch = {
        "token_ids": np.random.default_rng(0).integers(0, config.vocab_size, shape, "int32"),
        "segment_ids": zeros,
        "position_ids": zeros + np.arange(FLAGS.length, dtype="int32"),
        "example_ids": zeros + 1,
    }
    labels = tf.constant(np.arange(FLAGS.rows) % 2)

    spec = {name: tf.TensorSpec([None, None], tf.int32) for name in batch}  # as in training

    @tf.function(input_signature=[spec])
    def step(batch):
        variables = model.trainable_variables
        with tf.GradientTape() as tape:
            logits = model(batch, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]
        gradients, _ = tf.clip_by_global_norm(gradients, 1.0)
        optimizer.apply(gradients, variables)
        return loss

    before, seconds, losses = resident("VmRSS"), [], []
    for _ in range(FLAGS.steps):
        start = time.perf_counter()
        losses.append(float(step(batch)))
        seconds.append(time.perf_counter() - start)
    return {
        "before": before,
        "peak": resident("VmHWM"),
        "seconds": seconds[1:],
        "loss": losses[-1],
    }


def main(_):
    if FLAGS.recompute is not None:
        print(json.dumps(turn()))
        return
    found = {False: [], True: []}
    for _ in range(FLAGS.rounds):
        for recompute, turns in found.items():
            command = [sys.executable, *sys.argv, f"--recompute={recompute}"]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            turns.append(json.loads(done.stdout.splitlines()[-1]))
    peak, seconds = {}, {}
    for recompute, turns in found.items():
        before = max(one["before"] for one in turns)
        peak[recompute] = max(one["peak"] for one in turns)
        seconds[recompute] = statistics.median(s for one in turns for s in one["seconds"])
        print(
            f"recompute {'on ' if recompute else 'off'}: {peak[recompute] / 1e9:.2f} GB at most, "
            f"{(peak[recompute] - before) / 1e9:.2f} GB of it the step's, "
            f"{seconds[recompute]:.2f} s a step, loss {turns[0]['loss']:.6f}"
        )
    ratios = [values[True] / values[False] for values in (peak, seconds)]
    print("on / off: memory {:.2f}, time {:.2f}".format(*ratios))


if __name__ == "__main__":
    app.run(main)
