"""What a checkpoint costs a training, compared with `tf.train.Checkpoint`.

    .venv/bin/python -m benchmarks.speed.checkpoint

A classifier of six layers of width 384 (22.7 million parameters with two moments each: 272 MB)
takes steps. Before every fourth step it saves our checkpoint, TensorFlow's or none, in turns. The
cost of a checkpoint is how much longer the four steps then take. It is shown as a share of 1,000
steps, the default interval between checkpoints.
"""

import statistics
import tempfile
import time

from benchmarks.harness import arguments, environment

SHAPE = {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}
ROUNDS, STEPS = 7, 4


def training():
    """A function that takes a step, and the tensors that a checkpoint holds."""
    tf = environment.start_tensorflow()
    from bert_keras import AdamW, BertClassifier, BertConfig

    model, optimizer = BertClassifier(BertConfig(vocab_size=30522, **SHAPE), 2), AdamW(1e-4)
    optimizer.build(model.trainable_variables)
    positions = tf.tile(tf.range(128)[None], [8, 1])  # 8 rows: about 32 short texts, packed
    inputs = {name: tf.ones_like(positions) for name in model.input} | {"position_ids": positions}

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(inputs, training=True) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply([tf.convert_to_tensor(g) for g in gradients], model.trainable_variables)

    return step, [v.value for v in [*model.variables, *optimizer.variables]]


def measure(step, savers, flush):
    """The seconds of each saver: until it returns, until the steps end, until all is on disk."""
    seconds = {name: [] for name in savers}
    for turn in range(ROUNDS + 1):  # the first turn does not count
        for name, save in savers.items():
            start = time.perf_counter()
            save(turn)
            waited = time.perf_counter() - start
            for _ in range(STEPS):
                step()
            stepped = time.perf_counter() - start
            flush()
            if turn:
                seconds[name].append((waited, stepped, time.perf_counter() - start))
    return seconds


def main():
    arguments.parser(__doc__).parse_args()
    step, state = training()
    import tensorflow as tf

    from bert_keras.training.checkpoints import Checkpoints

    with tempfile.TemporaryDirectory(dir=".") as folder:
        ours = Checkpoints(f"{folder}/ours", {"training": state})
        tensorflow = tf.train.CheckpointManager(tf.train.Checkpoint(training=state), folder, 2)
        savers = {"none": lambda _: None, "ours": ours.save, "TensorFlow's": tensorflow.save}
        seconds = measure(step, savers, ours.flush)
    plain = statistics.median(stepped for _, stepped, _ in seconds.pop("none"))
    print(f"a step takes {plain / STEPS:.2f} s")
    for name, times in seconds.items():
        waited, stepped, on_disk = map(statistics.median, zip(*times, strict=True))
        share = (stepped - plain) / (plain / STEPS * 1000)
        print(
            f"{name}: the training waits {waited:.2f} s and loses {stepped - plain:.2f} s, "
            f"{share:.2%} of 1,000 steps; all is on disk after {on_disk:.2f} s"
        )


if __name__ == "__main__":
    main()
