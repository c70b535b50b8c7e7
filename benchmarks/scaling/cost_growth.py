"""How cost grows, of training and of serving: time and peak memory by length, batch and model size.

    PYTHONPATH=. python benchmarks/scaling.py
    PYTHONPATH=. python benchmarks/scaling.py --serving

One thing is varied at a time around BERT-mini on 16 rows of 128 tokens: the length of the rows with
as many tokens in all, the rows, the layers, the width (64 to a head), and the published sizes from
tiny to base. Each point is a process of its own, so that its peak memory is its own: the model, and
a plain training step (forward, backward, clipping, AdamW, dropout on) on made-up rows without
padding, or a SavedModel in float32 that answers them, ids in. All is on one device. Time is the
processor's, all cores together, so that other work on the machine counts little: the fastest of the
steps after two that warm up. Memory is the highest resident one, less what TensorFlow took before
there was a model. Exponents are slopes of least squares of the logarithms, over all points and over
the two largest alone, where what does not grow weighs least: 1 is in proportion. Results go to
--results, as a picture beside it, and are printed. On a machine with a graphics processor hide it:
all this is of the processor.
"""

import functools
import json
import math
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from absl import app, flags

from bert_keras.cli.script import start_tensorflow_quietly
from bert_keras.config import BertConfig

FLAGS = flags.FLAGS
HERE = pathlib.Path(__file__).resolve().parent

flags.DEFINE_bool("serving", False, "Answer with the model, in place of training it.")
flags.DEFINE_list("studies", [], "Some of length, rows, layers, width, size; by default all.")
flags.DEFINE_integer("points", 0, "How many points of each, from the smallest; 0: all.", 0)
flags.DEFINE_string(
    "results",
    "",
    "Where the numbers are kept; of itself benchmarks/results/scaling[_serving].json.",
)
flags.DEFINE_string("point", None, "Measure this one alone, a JSON object; used by the script.")
flags.DEFINE_string("export", None, "Only write the point's SavedModel there; used by the script.")

_TOKENS = 2048  # in a step
_WARM_UP, _LEAST_STEPS, _LEAST_SECONDS = 2, 3, 3.0


def _point(rows=16, length=128, layers=4, width=256):
    return {"rows": rows, "length": length, "layers": layers, "width": width}


def _size(name):
    config = BertConfig.from_size(name)
    return _point(layers=config.num_hidden_layers, width=config.hidden_size)


def weights_of_blocks(point):
    """Millions of weights in the Transformer blocks' matrices."""
    return 12 * point["layers"] * point["width"] ** 2 / 1e6


# By name: what is on the axis, the points, and the place of each on the axis.
STUDIES = {
    "length": (
        "tokens a row, 2,048 in all",
        [_point(rows=_TOKENS // length, length=length) for length in (64, 128, 256, 512, 1024)],
        lambda point: point["length"],
    ),
    "rows": (
        "rows of 128 tokens",
        [_point(rows=rows) for rows in (4, 8, 16, 32, 64)],
        lambda point: point["rows"],
    ),
    "layers": (
        "layers of width 256",
        [_point(layers=layers) for layers in (1, 2, 4, 8, 16)],
        lambda point: point["layers"],
    ),
    "width": (
        "width of 4 layers",
        [_point(width=width) for width in (128, 256, 512, 768, 1024)],
        lambda point: point["width"],
    ),
    "size": (
        "million weights in blocks, tiny to base",
        [_size(name) for name in ("tiny", "mini", "small", "medium", "base")],
        weights_of_blocks,
    ),
}


def measure(**point):
    """Trains some steps in this process, or answers; returns seconds of one and bytes."""
    with tempfile.TemporaryDirectory() as folder:
        if FLAGS.serving:  # made by another process, for its memory is not the server's
            command = [sys.executable, __file__, f"--export={folder}"]
            subprocess.run([*command, f"--point={json.dumps(point)}"], check=True)
        start_tensorflow_quietly()
        import tensorflow as tf

        before = _resident()
        if FLAGS.serving:
            inputs, loaded = _inputs(**point), tf.saved_model.load(f"{folder}/1")
            run = functools.partial(loaded.signatures["serving_default"], **inputs)
        else:
            run = _trains(**point)
        seconds = []
        while len(seconds) < _WARM_UP + _LEAST_STEPS or sum(seconds[_WARM_UP:]) < _LEAST_SECONDS:
            start = time.process_time()
            tf.nest.map_structure(lambda tensor: tensor.numpy(), run())
            seconds.append(time.process_time() - start)
        peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": min(seconds[_WARM_UP:]), "bytes": peak - before, "bytes_before": before}


def _inputs(rows, length, **_):
    """Made-up rows without padding."""
    import numpy as np
    import tensorflow as tf

    shape = (rows, length)
    ids = np.random.default_rng(0).integers(1000, BertConfig().vocab_size, shape)
    return {
        "token_ids": tf.constant(ids, tf.int32),
        "segment_ids": tf.zeros(shape, tf.int32),
        "position_ids": tf.broadcast_to(tf.range(length), shape),
        "example_ids": tf.ones(shape, tf.int32),
    }


def _model(length, layers, width, **_):
    from bert_keras.models.classifier import BertClassifier

    config = BertConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        max_position_embeddings=max(length, 512),
    )
    return BertClassifier(config, num_classes=2)


def _export(folder, **point):
    """Writes a SavedModel as the package does."""
    start_tensorflow_quietly()
    import tensorflow as tf

    from bert_keras.serving.export import export
    from bert_keras.serving.freezing import freeze

    frozen, names = freeze(_model(**point)), list(_inputs(**point))
    serve = tf.function(
        lambda *inputs: {"logits": frozen(dict(zip(names, inputs, strict=True)))},
        [tf.TensorSpec([None, None], tf.int32, name) for name in names],
    )
    export({"serving_default": serve}, tf.Module(), folder)


def _trains(**point):
    """A function that does one step of training."""
    import tensorflow as tf

    from bert_keras.training.optimizer import AdamW

    model, inputs = _model(**point), _inputs(**point)
    labels = tf.range(point["rows"]) % 2
    variables = model.trainable_variables
    optimizer = AdamW(1e-4)
    optimizer.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            )
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]
        gradients, _ = tf.clip_by_global_norm(gradients, 1.0)
        optimizer.apply(gradients, variables)
        return loss

    return step


def _resident():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def exponent(places, values):
    """Slope of the least-squares line through the logarithms."""
    x, y = [math.log(place) for place in places], [math.log(value) for value in values]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - mean_x) ** 2 for a in x)


def draw(studies, path):
    """Writes a picture: a column a study, time above memory, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib import ticker

    figure, axes = plt.subplots(2, len(studies), figsize=(3 * len(studies), 5.5), squeeze=False)
    for (name, study), column in zip(studies.items(), axes.T, strict=True):
        for axis, key, unit in zip(column, ("seconds", "bytes"), (1, 2**30), strict=True):
            values = [point[key] / unit for point in study["points"]]
            axis.loglog(study["places"], values, marker="o")
            axis.set_xticks(study["places"])
            axis.xaxis.set_major_formatter("{x:.4g}")
            axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter("{x:g}")
            for side in (axis.xaxis, axis.yaxis):
                side.set_minor_locator(ticker.NullLocator())
            axis.tick_params(axis="x", labelsize=7, rotation=30)
            overall, at_end = study["exponents"][key], study["exponents_at_end"][key]
            axis.set_title(f"{name}: {overall:.2f}, at the end {at_end:.2f}", fontsize=9)
            axis.grid(alpha=0.3)
        column[1].set_xlabel(STUDIES[name][0])
    axes[0, 0].set_ylabel(f"processor seconds a {'call' if FLAGS.serving else 'step'}")
    axes[1, 0].set_ylabel("peak memory, GiB")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main(_):
    if FLAGS.point:
        point = json.loads(FLAGS.point)
        if FLAGS.export:
            _export(FLAGS.export, **point)
        else:
            print(json.dumps(measure(**point)))
        return
    found, measured = {}, {}
    for name in FLAGS.studies or STUDIES:
        _, points, place = STUDIES[name]
        points = points[: FLAGS.points or None]
        for point in points:
            text = json.dumps(point)
            if text not in measured:  # the middle ones are shared
                command = [sys.executable, __file__, f"--point={text}"]
                command += ["--serving"] if FLAGS.serving else []
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                measured[text] = point | json.loads(done.stdout.splitlines()[-1])
            now = measured[text]
            told = ", ".join(f"{key} {value:,}" for key, value in point.items())
            cost = f"{1000 * now['seconds']:,.0f} ms, {now['bytes'] / 2**20:,.0f} MiB"
            print(f"{name}: {told}: {cost}", flush=True)
        points = [measured[json.dumps(point)] for point in points]
        places = [place(point) for point in points]
        costs = {key: [point[key] for point in points] for key in ("seconds", "bytes")}
        found[name] = {
            "places": places,
            "points": points,
            "exponents": {key: exponent(places, cost) for key, cost in costs.items()},
            "exponents_at_end": {
                key: exponent(places[-2:], cost[-2:]) for key, cost in costs.items()
            },
        }
        for kind in ("exponents", "exponents_at_end"):
            told = ", ".join(f"{key} {value:.2f}" for key, value in found[name][kind].items())
            print(f"{name}: {kind.replace('_', ' ')}: {told}", flush=True)
    cores = len(os.sched_getaffinity(0))
    name = "scaling_serving.json" if FLAGS.serving else "scaling.json"
    results = pathlib.Path(FLAGS.results or HERE / "results" / name)
    results.write_text(json.dumps({"cores": cores, "studies": found}, indent=1) + "\n")
    draw(found, results.with_suffix(".png"))


if __name__ == "__main__":
    app.run(main)
