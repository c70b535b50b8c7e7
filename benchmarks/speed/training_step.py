"""One training step of a classifier beside transformers on PyTorch, on full rows of 128 tokens.

    pip install '.[peers]'
    PYTHONPATH=. python benchmarks/training_step.py
    PYTHONPATH=. python benchmarks/training_step.py --size=base --rows=8

Forward, backward, clipping at 1.0 and AdamW, dropout on, new weights, bfloat16 on both sides: the
policy mixed_bfloat16 and our loop's step here, autocast and the fused AdamW there, with each of its
two ways of attention. Sizes are "six", six layers of width 384, or those of `BertConfig`. Medians
are printed, the ratio of our time to the fastest of theirs, and the share that each reaches of what
the machine's matrix products do alone.
"""

import sys

import turns
from absl import app, flags

FLAGS = flags.FLAGS

flags.DEFINE_string("size", "six", "The model: six, or a published size.")
flags.DEFINE_integer("rows", 32, "Rows of a step.")
flags.DEFINE_integer("length", 128, "Tokens of a row.")
flags.DEFINE_integer("turns", 15, "How often each takes its turn.")
flags.DEFINE_string("precision", "bfloat16", "Of both.")
flags.DEFINE_string("peer_python", sys.executable, "A Python with torch and transformers.")
flags.DEFINE_bool("answer", False, "Be our side; used by the script.")


def config():
    from bert_keras.config import BertConfig

    if FLAGS.size != "six":
        return BertConfig.from_size(FLAGS.size)
    return BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )


def our_step():
    """Our side: the step as the loop takes it, a function that takes it on one batch again."""
    import numpy as np
    import tensorflow as tf

    from bert_keras.models.classifier import BertClassifier
    from bert_keras.training.optimizer import AdamW
    from bert_keras.training.sharing import training_execution
    from bert_keras.training.step import TrainingStep

    class Task:
        compares = False

        def weights(self, batch):
            return {"class": tf.ones_like(batch["labels"], tf.float32)}

        def losses(self, outputs, batch):
            labels = batch["labels"]
            return {
                "class": tf.nn.sparse_softmax_cross_entropy_with_logits(
                    labels=labels, logits=outputs
                )
            }

    rows, length = FLAGS.rows, FLAGS.length
    draw = np.random.default_rng(0)
    shape = rows, length
    batch = {
        "inputs": {
            "token_ids": tf.constant(draw.integers(0, config().vocab_size, shape), tf.int32),
            "segment_ids": tf.zeros(shape, tf.int32),
            "position_ids": tf.tile(tf.range(length)[tf.newaxis], [rows, 1]),
            "example_ids": tf.ones(shape, tf.int32),
        },
        "labels": tf.constant(draw.integers(0, 2, rows), tf.int32),
        "example": tf.range(rows),
    }
    names = {"bfloat16": "mixed_bfloat16"}
    model = BertClassifier(config(), 2, dtype=names.get(FLAGS.precision, FLAGS.precision))
    model.execution = training_execution(model)
    optimizer = AdamW(1e-4)
    optimizer.build(model.trainable_variables)
    step = TrainingStep(model, Task(), optimizer, tf.distribute.get_strategy())
    spec = tf.nest.map_structure(tf.TensorSpec.from_tensor, batch)
    step = step.compiled(spec)
    return lambda: step(batch, tf.constant(0.0))["loss"].numpy()


def main(_):
    if FLAGS.answer:
        return turns.answer(our_step())
    settings = [f"--{name}={FLAGS[name].value}" for name in ("rows", "length", "precision")]
    sides = {"ours": [sys.executable, __file__, "--answer", f"--size={FLAGS.size}", *settings]}
    sizes = config()
    for attention in ("sdpa", "eager"):
        sides[f"torch {attention}"] = [
            *(FLAGS.peer_python, turns.HERE / "peer_training_step.py", *settings),
            *(f"--attention={attention}", f"--hidden_size={sizes.hidden_size}"),
            *(f"--layers={sizes.num_hidden_layers}", f"--heads={sizes.num_attention_heads}"),
        ]
    seconds = turns.measure(sides | turns.products(FLAGS.precision), FLAGS.turns, warm_up=3)
    work = 3 * turns.work_of_encoder(
        FLAGS.rows * FLAGS.length,
        FLAGS.length,
        sizes.num_hidden_layers,
        sizes.hidden_size,
        sizes.intermediate_size,
    )
    what = f"a step of {FLAGS.rows} rows of {FLAGS.length}, {FLAGS.size}, {FLAGS.precision}"
    turns.report(what, seconds, work)


if __name__ == "__main__":
    app.run(main)
