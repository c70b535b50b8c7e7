"""What recomputing the blocks' activations costs and saves: time and peak memory of a step.

    taskset -c 0 .venv/bin/python -m benchmarks.speed.recompute

Both ways run in turns, a process each, on the same rows without padding. Peak memory is the most
that the process ever held resident, including TensorFlow itself and the weights; the memory before
the first step is shown beside it. The time is the median of all steps but the first of each
process, in which the step is traced and optimised.
"""

import json
import statistics
import time

from benchmarks.harness import arguments, environment


def resident(name):
    """`VmRSS`, the resident memory of this process, or `VmHWM`, its peak so far, in bytes."""
    with open("/proc/self/status", encoding="utf-8") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def training_step(args):
    """A function that takes one step of training and returns its loss."""
    import keras
    import numpy as np
    import tensorflow as tf

    from bert_keras import AdamW, BertClassifier, BertConfig
    from bert_keras.layers.execution import Execution

    keras.utils.set_random_seed(0)
    config = BertConfig(
        hidden_size=args.width,
        num_hidden_layers=args.layers,
        num_attention_heads=args.width // 32,
        intermediate_size=4 * args.width,
        max_position_embeddings=args.length,
    )
    model = BertClassifier(config, 2, dtype=args.dtype)
    model.execution = Execution(recompute=args.side == "on")
    optimizer = AdamW(1e-4)
    optimizer.build(model.trainable_variables)
    shape = (args.rows, args.length)
    zeros = np.zeros(shape, "int32")
    batch = {
        "token_ids": np.random.default_rng(0).integers(0, config.vocab_size, shape, "int32"),
        "segment_ids": zeros,
        "position_ids": zeros + np.arange(args.length, dtype="int32"),
        "example_ids": zeros + 1,
    }
    labels = tf.constant(np.arange(args.rows) % 2)

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

    return lambda: float(step(batch))


def measure(args):
    """Takes the steps in this process; returns bytes before and at the peak, seconds and loss."""
    step = training_step(args)
    before, seconds = resident("VmRSS"), []
    for _ in range(args.steps):
        start = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - start)
    return {"before": before, "peak": resident("VmHWM"), "seconds": seconds[1:], "loss": loss}


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--rows", type=int, default=32, help="rows of a step")
    flags.add_argument("--length", type=int, default=512, help="tokens of a row")
    flags.add_argument("--layers", type=int, default=6)
    flags.add_argument("--width", type=int, default=384, help="hidden size; 32 for each head")
    flags.add_argument("--dtype", default="mixed_bfloat16", help="the Keras dtype policy")
    flags.add_argument("--steps", type=int, default=4, help="steps of a turn")
    flags.add_argument("--rounds", type=int, default=2, help="turns of each side")
    flags.add_argument("--side", choices=["off", "on"], help="be one side; used by the benchmark")
    args = flags.parse_args()
    if args.side:
        print(json.dumps(measure(args)))
        return
    settings = [f"--{name}={value}" for name, value in vars(args).items() if value is not None]
    runs = {"off": [], "on": []}
    for _ in range(args.rounds):
        for side, turns in runs.items():
            command = environment.module("speed.recompute", *settings, f"--side={side}")
            turns.append(json.loads(environment.call(command).splitlines()[-1]))
    peak, seconds = {}, {}
    for side, turns in runs.items():
        before = max(turn["before"] for turn in turns)
        peak[side] = max(turn["peak"] for turn in turns)
        seconds[side] = statistics.median(s for turn in turns for s in turn["seconds"])
        print(
            f"recompute {side:3}: peak {peak[side] / 1e9:.2f} GB, "
            f"{(peak[side] - before) / 1e9:.2f} GB of it for the step, "
            f"{seconds[side]:.2f} s a step, loss {turns[0]['loss']:.6f}"
        )
    ratios = [values["on"] / values["off"] for values in (peak, seconds)]
    print("on / off: memory {:.2f}, time {:.2f}".format(*ratios))


if __name__ == "__main__":
    main()
