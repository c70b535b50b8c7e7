"""What a checkpoint costs a training, beside `tf.train.Checkpoint`.

    PYTHONPATH=. python benchmarks/checkpoint.py

A classifier of six layers of width 384 (22.7 million parameters with two moments each: 272 MB)
takes steps, and before every fourth saves ours, TensorFlow's or nothing, in turns. A checkpoint
costs what the four steps take longer; its share is of 1,000 steps, the default interval.
"""

import statistics
import tempfile
import time

import tensorflow as tf
from absl import app

from bert_keras.config import BertConfig
from bert_keras.models.classifier import BertClassifier
from bert_keras.training.checkpoints import Checkpoints
from bert_keras.training.optimizer import AdamW

SHAPE = {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}
ROUNDS, STEPS = 7, 4


def main(_):
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

    state = [v.value for v in [*model.variables, *optimizer.variables]]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        ours = Checkpoints(f"{folder}/ours", {"training": state})
        theirs = tf.train.CheckpointManager(tf.train.Checkpoint(training=state), folder, 2)
        savers = {"nothing": lambda _: None, "ours": ours.save, "TensorFlow's": theirs.save}
        seconds = {name: [] for name in savers}
        for turn in range(ROUNDS + 1):  # the first is not counted
            for name, save in savers.items():
                times = [time.perf_counter()]
                for act in (lambda: save(turn), lambda: [step() for _ in range(STEPS)], ours.flush):  # noqa: B023
                    act()
                    times.append(time.perf_counter() - times[0])
                seconds[name] += [times[1:]] if turn else []
    plain = statistics.median(stepped for _, stepped, _ in seconds.pop("nothing"))
    print(f"a step takes {plain / STEPS:.2f} s")
    for name, found in seconds.items():
        waited, stepped, on_disk = map(statistics.median, zip(*found, strict=True))
        share = (stepped - plain) / (plain / STEPS * 1000)
        print(
            f"{name}: the training waits {waited:.2f} s and loses {stepped - plain:.2f} s, ", end=""
        )
        print(f"{share:.2%} of 1,000 steps; all is on disk after {on_disk:.2f} s")


if __name__ == "__main__":
    app.run(main)
