"""A training step of a classifier against transformers on PyTorch, on full rows of 128 tokens.

    .venv/bin/pip install --editable '.[peers]'
    .venv/bin/python -m benchmarks.speed.training_step
    .venv/bin/python -m benchmarks.speed.training_step --size=base --rows=8

Forward, backward, clipping at 1.0 and AdamW, with dropout and new weights, in bfloat16 on both
sides. Ours is the step of our training loop under the policy mixed_bfloat16. The peer has autocast,
the fused AdamW, and each of its two implementations of attention. The size is "six", six layers of
width 384, or a published size. Prints medians, the ratio of our time to the fastest of theirs, and
the share that each reaches of the speed of the machine's matrix products.
"""

import sys

from benchmarks.harness import arguments, compare_time, environment, results


def parser(doc):
    """The flags of our step."""
    flags = arguments.parser(doc)
    flags.add_argument("--size", default="six", help="six, or a published size")
    flags.add_argument("--rows", type=int, default=32, help="rows of a step")
    flags.add_argument("--length", type=int, default=128, help="tokens of a row")
    flags.add_argument("--precision", default="bfloat16", help="of both sides")
    flags.add_argument("--results", help="a file to record the figures in")
    return flags


def config(size):
    """The sizes of the model."""
    from bert_keras import BertConfig

    if size != "six":
        return BertConfig.from_size(size)
    return BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )


def our_step(args):
    """A function that takes our training loop's step on one batch and returns its loss."""
    import numpy as np
    import tensorflow as tf

    from bert_keras import AdamW, BertClassifier
    from bert_keras.training.sharing import training_execution
    from bert_keras.training.step import TrainingStep

    class Task:
        def loss_weights(self, batch):
            return {"class": tf.ones_like(batch["labels"], tf.float32)}

        def losses(self, outputs, batch):
            labels = batch["labels"]
            return {
                "class": tf.nn.sparse_softmax_cross_entropy_with_logits(
                    labels=labels, logits=outputs
                )
            }

    rows, length = args.rows, args.length
    sizes = config(args.size)
    rng = np.random.default_rng(0)
    shape = rows, length
    batch = {
        "inputs": {
            "token_ids": tf.constant(rng.integers(0, sizes.vocab_size, shape), tf.int32),
            "segment_ids": tf.zeros(shape, tf.int32),
            "position_ids": tf.tile(tf.range(length)[tf.newaxis], [rows, 1]),
            "example_ids": tf.ones(shape, tf.int32),
        },
        "labels": tf.constant(rng.integers(0, 2, rows), tf.int32),
        "example": tf.range(rows),
    }
    policies = {"bfloat16": "mixed_bfloat16"}
    model = BertClassifier(sizes, 2, dtype=policies.get(args.precision, args.precision))
    model.execution = training_execution(model)
    optimizer = AdamW(1e-4)
    optimizer.build(model.trainable_variables)
    step = TrainingStep(model, Task(), optimizer, tf.distribute.get_strategy())
    step = step.compiled(tf.nest.map_structure(tf.TensorSpec.from_tensor, batch))
    return lambda: step(batch, tf.constant(0.0))["loss"].numpy()


def main():
    flags = parser(__doc__)
    flags.add_argument("--turns", type=int, default=15, help="of each side")
    flags.add_argument(
        "--peer_python", default=sys.executable, help="a Python with torch and transformers"
    )
    flags.add_argument("--side", action="store_true", help="be our side; used by the benchmark")
    args = flags.parse_args()
    if args.side:
        return compare_time.take_turns(our_step(args))
    shape = [f"--{name}={getattr(args, name)}" for name in ("rows", "length", "precision")]
    ours = ["--side", f"--size={args.size}", *shape]
    sides = {"ours": environment.module("speed.training_step", *ours)}
    sizes = config(args.size)
    for attention in ("sdpa", "eager"):
        sides[f"torch {attention}"] = environment.module(
            *("peers.peer_training_step", *shape, f"--attention={attention}"),
            *(f"--hidden_size={sizes.hidden_size}", f"--layers={sizes.num_hidden_layers}"),
            f"--heads={sizes.num_attention_heads}",
            python=args.peer_python,
        )
    peak = compare_time.matmul_peak(args.precision)
    seconds = compare_time.measure(sides | peak, args.turns, warm_up=3)
    operations = 3 * compare_time.encoder_operations(
        args.rows * args.length,
        args.length,
        sizes.num_hidden_layers,
        sizes.hidden_size,
        sizes.intermediate_size,
    )
    title = f"a step of {args.rows} rows of {args.length}, {args.size}, {args.precision}"
    entry = compare_time.report(title, seconds, operations)
    results.record(args.results, f"training_step_{args.size}", entry)


if __name__ == "__main__":
    main()
