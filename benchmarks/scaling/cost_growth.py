"""How the time and memory of training and of serving grow with length, batch and model size.

    .venv/bin/python -m benchmarks.scaling.cost_growth
    .venv/bin/python -m benchmarks.scaling.cost_growth --serving

Each study varies one thing around BERT-mini on 16 rows of 128 tokens: the length of the rows at
equal numbers of tokens, the rows, the layers, the width (64 to a head), and the published sizes
from tiny to base. Each point is a process of its own, so its peak memory is its own. A point is a
plain training step (forward, backward, clipping, AdamW, dropout on) on made-up rows without
padding, or a call of a SavedModel in float32 with such rows of ids. All is on one device. Time is
the processor's, all cores together, on which other work has little effect: the fastest step after
two that warm up. Memory is the peak resident memory, less what TensorFlow took before there was a
model. Exponents are least-squares slopes of the logarithms, over all points and over the two
largest alone, where constant costs weigh least: 1 is proportional. Prints the results and writes
them to --results, with a picture beside it. On a machine with GPUs hide them: all this is about
processors.
"""

import functools
import json
import math
import os
import pathlib
import resource
import tempfile
import time

from benchmarks.harness import arguments, environment
from bert_keras import BertConfig

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


# By name: the label of the axis, the points, and the position of a point on the axis.
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


def measure(serving, **point):
    """Takes steps of training in this process, or calls; returns seconds of one and bytes."""
    with tempfile.TemporaryDirectory() as folder:
        if serving:  # another process exports, so that its memory is not the server's
            words = [f"--export={folder}", f"--point={json.dumps(point)}"]
            environment.call(environment.module("scaling.cost_growth", *words))
        tf = environment.start_tensorflow()
        before = _resident()
        if serving:
            inputs, loaded = _inputs(**point), tf.saved_model.load(f"{folder}/1")
            run = functools.partial(loaded.signatures["serving_default"], **inputs)
        else:
            run = _training_step(**point)
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
    from bert_keras import BertClassifier

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
    tf = environment.start_tensorflow()
    from bert_keras.serving.export import export
    from bert_keras.serving.freezing import freeze

    frozen, names = freeze(_model(**point)), list(_inputs(**point))
    serve = tf.function(
        lambda *inputs: {"logits": frozen(dict(zip(names, inputs, strict=True)))},
        [tf.TensorSpec([None, None], tf.int32, name) for name in names],
    )
    export({"serving_default": serve}, tf.Module(), folder)


def _training_step(**point):
    """A function that takes one step of training."""
    import tensorflow as tf

    from bert_keras import AdamW

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


def exponent(positions, values):
    """The slope of the least-squares line through the logarithms."""
    x, y = [math.log(position) for position in positions], [math.log(value) for value in values]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def draw(studies, path, unit_of_work):
    """Writes a picture: a column for each study, time above memory, on logarithmic axes."""
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
    axes[0, 0].set_ylabel(f"processor seconds a {unit_of_work}")
    axes[1, 0].set_ylabel("peak memory, GiB")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def study(name, points, serving, measured):
    """The results of one study.

    Args:
        name: of the study.
        points: how many of its points, from the smallest; 0: all.
        serving: whether to measure calls in place of steps.
        measured: points measured before, by their JSON; studies share their middle points.
    """
    _, chosen, position = STUDIES[name]
    texts = [json.dumps(point) for point in chosen[: points or None]]
    for text in texts:
        if text not in measured:
            words = [f"--point={text}", *(["--serving"] if serving else [])]
            output = environment.call(environment.module("scaling.cost_growth", *words))
            measured[text] = json.loads(text) | json.loads(output.splitlines()[-1])
        cost = measured[text]
        figures = f"{1000 * cost['seconds']:,.0f} ms, {cost['bytes'] / 2**20:,.0f} MiB"
        print(f"{name}: {text}: {figures}", flush=True)
    found = [measured[text] for text in texts]
    positions = [position(point) for point in found]
    costs = {key: [point[key] for point in found] for key in ("seconds", "bytes")}
    return {
        "places": positions,
        "points": found,
        "exponents": {key: exponent(positions, cost) for key, cost in costs.items()},
        "exponents_at_end": {
            key: exponent(positions[-2:], cost[-2:]) for key, cost in costs.items()
        },
    }


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--serving", action="store_true", help="call the model, do not train it")
    flags.add_argument("--studies", default=",".join(STUDIES), help="which, by commas")
    flags.add_argument("--points", type=int, default=0, help="points of each, 0: all")
    flags.add_argument(
        "--results",
        type=pathlib.Path,
        help="default: scaling.json or scaling_serving.json in benchmarks/results",
    )
    flags.add_argument("--point", type=json.loads, help="measure this one; used by the benchmark")
    flags.add_argument("--export", help="only export the point there; used by the benchmark")
    args = flags.parse_args()
    if args.export:
        return _export(args.export, **args.point)
    if args.point:
        return print(json.dumps(measure(args.serving, **args.point)))
    studies, measured = {}, {}
    for name in args.studies.split(","):
        studies[name] = study(name, args.points, args.serving, measured)
        for kind in ("exponents", "exponents_at_end"):
            shown = ", ".join(f"{key} {value:.2f}" for key, value in studies[name][kind].items())
            print(f"{name}: {kind.replace('_', ' ')}: {shown}", flush=True)
    cores = len(os.sched_getaffinity(0))
    name = "scaling_serving.json" if args.serving else "scaling.json"
    path = args.results or environment.RESULTS / name
    results = {"cores": cores, "measured": environment.machine(), "studies": studies}
    path.write_text(json.dumps(results, indent=1) + "\n")
    draw(studies, path.with_suffix(".png"), "call" if args.serving else "step")


if __name__ == "__main__":
    main()
