r"""Token ids to labels: our LiteRT export against ONNX Runtime with the same weights, in turns.

    .venv/bin/pip install --editable '.[peers]'
    .venv/bin/python run_classifier.py --do_train --do_eval --task_name=SST-2 \
        --data_dir=GLUE --init_checkpoint=... --num_train_steps=500 --output_dir=RUN
    .venv/bin/python -m benchmarks.speed.ids_to_label --run_dir=RUN
    .venv/bin/python -m benchmarks.speed.ids_to_label --run_dir=RUN --data_dir=GLUE --accuracy

In float32 and with 8-bit weights, on full rows, with the same number of threads on both sides. The
peer's model is transformers' by torch.onnx, both as it is and with ONNX Runtime's own fusions for
BERT; its 8-bit models are by `quantize_dynamic`. Prints medians, the ratio of our time to the
fastest of theirs, and the share that each reaches of the speed of the machine's matrix products in
float32. The share counts the operations of the whole encoder, although ours leaves out those that
the label does not depend on.

With --accuracy it measures no time. It prints the accuracy on SST-2's dev rows of the run's model,
as `--do_eval` evaluates it, and of both exports, and fails if 8 bits lose over half a point.
"""

import json
import pathlib
import shutil
import sys
import tempfile

from benchmarks.harness import arguments, compare_time, data, environment, results

MOST_LOST = 0.5  # points


def open_signature(version, threads):
    """A function from ids to a dict of arrays."""
    from ai_edge_litert.interpreter import Interpreter

    model = pathlib.Path(version) / "model.tflite"
    return Interpreter(str(model), num_threads=threads).get_signature_runner()


def our_side(args):
    """Takes turns with an export."""
    import numpy as np

    predict = open_signature(args.side, args.threads)
    shape = int(args.rows), args.length
    ids = np.random.default_rng(0).integers(1000, 2000, shape, "int32")
    segments = np.zeros_like(ids)

    def run():
        for _ in range(args.calls):
            predict(token_ids=ids, segment_ids=segments)

    compare_time.take_turns(run)


def export(run_dir, folder):
    """Copies the run and exports it; returns the exports' folders by precision."""
    copy = folder / "run"
    shutil.copytree(run_dir, copy, ignore=shutil.ignore_patterns("checkpoints", "export*"))
    for precision in ("float32", "int8"):
        flags = ["--do_export", f"--output_dir={copy}", "--export_format=litert"]
        flags.append(f"--export_precision={precision}")
        environment.call(environment.script("run_classifier.py", *flags))
    versions = copy / "export_litert"
    return {"float32": versions / "1", "int8": versions / "2"}


def compare_times(args, folder, versions):
    """Times each precision with each number of rows."""
    peer = environment.module("peers.peer_ids_to_label", python=args.peer_python)
    environment.call([*peer, f"--make={args.run_dir}", f"--folder={folder}"])
    sizes = json.loads((args.run_dir / "config.json").read_text())
    for precision, version in versions.items():
        for rows in map(int, args.rows.split(",")):
            calls = max(1, 32 // rows)
            shape = [f"--rows={rows}", f"--length={args.length}", f"--threads={args.threads}"]
            shape.append(f"--calls={calls}")
            ours = [f"--run_dir={args.run_dir}", f"--side={version}", *shape]
            sides = {"ours": environment.module("speed.ids_to_label", *ours)}
            for name in ("onnx", "onnx fused"):
                model = folder / f"{name.replace(' ', '_')}_{precision}.onnx"
                sides[name] = [*peer, f"--model={model}", *shape]
            seconds = compare_time.measure(sides | compare_time.matmul_peak("float32"), args.turns)
            for name in sides:
                seconds[name] = [each / calls for each in seconds[name]]
            operations = compare_time.encoder_operations(
                rows * args.length,
                args.length,
                sizes["num_hidden_layers"],
                sizes["hidden_size"],
                sizes["intermediate_size"],
            )
            title = f"{rows} rows of {args.length}, {precision}"
            entry = compare_time.report(title, seconds, operations)
            results.record(args.results, f"ids_to_label_{rows}_{precision}", entry)


def compare_accuracies(args, versions):
    """Scores the run's model and both exports on the dev rows of SST-2."""
    import numpy as np

    from bert_keras import BertClassifier, BertTokenizer

    texts, classes = data.read_columns(args.data_dir / "SST-2" / "dev.tsv", "sentence", "label")
    tokenizer = BertTokenizer.from_pretrained(args.run_dir)
    model = BertClassifier.from_pretrained(args.run_dir)
    batches = [tokenizer(texts[i : i + 32], max_length=128) for i in range(0, len(texts), 32)]
    labels = json.loads((versions["int8"] / "labels.json").read_text(encoding="utf-8"))
    truth = np.array([labels.index(label) for label in classes])
    predictions = {"the model": [model(batch).numpy().argmax(1) for batch in batches]}
    for precision, version in versions.items():
        predict = open_signature(version, args.threads)
        ids = [{name: batch[name] for name in ("token_ids", "segment_ids")} for batch in batches]
        predictions[f"LiteRT {precision}"] = [predict(**each)["label"] for each in ids]
    points = {
        name: 100 * (np.concatenate(each) == truth).mean() for name, each in predictions.items()
    }
    for name, accuracy in points.items():
        print(f"{name:16} accuracy {accuracy:.2f} on {len(texts)} rows")
    if points["the model"] - points["LiteRT int8"] > MOST_LOST:
        sys.exit(f"8-bit weights lose more than {MOST_LOST} points.")


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--run_dir", type=pathlib.Path, required=True, help="a classifier's run")
    flags.add_argument("--rows", default="1,32", help="rows of a call")
    flags.add_argument("--length", type=int, default=32, help="tokens of a row")
    flags.add_argument("--threads", type=int, default=2, help="of both sides")
    flags.add_argument("--turns", type=int, default=15, help="of each side")
    flags.add_argument(
        "--peer_python", default=sys.executable, help="a Python with onnxruntime and torch"
    )
    flags.add_argument("--results", help="a file to record the figures in")
    flags.add_argument("--accuracy", action="store_true", help="measure accuracy, not time")
    flags.add_argument("--data_dir", type=pathlib.Path, help="GLUE's folder, for --accuracy")
    flags.add_argument("--side", help="be our side, with this export; used by the benchmark")
    flags.add_argument("--calls", type=int, default=1, help="of a turn; used by the benchmark")
    args = flags.parse_args()
    if args.side:
        return our_side(args)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        versions = export(args.run_dir, folder)
        if args.accuracy:
            compare_accuracies(args, versions)
        else:
            compare_times(args, folder, versions)


if __name__ == "__main__":
    main()
