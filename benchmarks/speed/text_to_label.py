"""Strings to labels: our SavedModel compared with `tokenizers` and ONNX Runtime, in turns.

    .venv/bin/pip install --editable '.[peers]'
    .venv/bin/python -m benchmarks.speed.text_to_label --run_dir=RUN --texts=sst2_dev.txt

The run's classifier is exported in bfloat16 and called by a process that imports TensorFlow alone.
The peer has the same weights, by torch.onnx in float32, in ONNX Runtime behind `tokenizers`, which
pads a batch to its longest text. A call has one text, the first with about 32 tokens, or the first
32 texts. Prints medians, the ratio of our time to the fastest of theirs, and the share that each
reaches of the speed of the machine's matrix products in bfloat16, by the operations of the whole
encoder on the texts' own tokens.
"""

import json
import pathlib
import shutil
import sys
import tempfile

from benchmarks.harness import arguments, compare_time, environment, results


def our_side(args):
    """Takes turns with a SavedModel."""
    import tensorflow as tf

    predict = tf.saved_model.load(args.side).signatures["serving_default"]
    texts = json.loads(pathlib.Path(args.texts).read_text())

    def run():
        for _ in range(args.calls):
            predict(text=tf.constant(texts))["label"].numpy()

    compare_time.take_turns(run)


def export(args, folder):
    """Copies the run and exports it; returns the SavedModel's folder."""
    copy = folder / "run"
    shutil.copytree(args.run_dir, copy, ignore=shutil.ignore_patterns("checkpoints", "export*"))
    flags = ["--do_export", f"--output_dir={copy}", f"--export_precision={args.precision}"]
    environment.call(environment.script("run_classifier.py", *flags))
    return copy / "export/1"


def choose(lines, run_dir):
    """The texts of a call and how many tokens each has, by the number of texts."""
    from bert_keras import BertTokenizer

    tokenizer = BertTokenizer.from_pretrained(run_dir)
    lengths = tokenizer.encode(lines, max_length=128)["token_ids"].row_lengths().numpy().tolist()
    one = min(range(len(lines)), key=lambda index: abs(lengths[index] - 32))
    return {1: (lines[one : one + 1], lengths[one : one + 1]), 32: (lines[:32], lengths[:32])}


def compare(args, folder, version, texts, lengths):
    """Times calls with these texts."""
    count = len(texts)
    path = folder / f"{count}.json"
    path.write_text(json.dumps(texts))
    calls = max(1, 32 // count)
    request = [f"--texts={path}", f"--calls={calls}"]
    ours = [f"--run_dir={args.run_dir}", f"--side={version}", *request]
    sides = {"ours": environment.module("speed.text_to_label", *ours)}
    for name in ("onnx", "onnx fused"):
        words = [f"--model={folder / name.replace(' ', '_')}_float32.onnx", *request]
        words.append(f"--vocab={args.run_dir / 'vocab.txt'}")
        sides[name] = environment.module("peers.peer_ids_to_label", *words, python=args.peer_python)
    seconds = compare_time.measure(sides | compare_time.matmul_peak("bfloat16"), args.turns)
    for name in sides:
        seconds[name] = [each / calls for each in seconds[name]]
    sizes = json.loads((args.run_dir / "config.json").read_text())
    shape = [sizes[key] for key in ("num_hidden_layers", "hidden_size", "intermediate_size")]
    operations = sum(compare_time.encoder_operations(each, each, *shape) for each in lengths)
    title = f"{count} texts of {min(lengths)} to {max(lengths)} tokens, {args.precision}"
    entry = compare_time.report(title, seconds, operations)
    results.record(args.results, f"text_to_label_{count}", entry)


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--run_dir", type=pathlib.Path, required=True, help="a classifier's run")
    flags.add_argument("--texts", required=True, help="a file of texts, one a line")
    flags.add_argument("--precision", default="bfloat16", choices=["bfloat16", "float32"])
    flags.add_argument("--turns", type=int, default=15, help="of each side")
    flags.add_argument(
        "--peer_python", default=sys.executable, help="a Python with onnxruntime and torch"
    )
    flags.add_argument("--results", help="a file to record the figures in")
    flags.add_argument("--side", help="be our side, with this export; used by the benchmark")
    flags.add_argument("--calls", type=int, default=1, help="of a turn; used by the benchmark")
    args = flags.parse_args()
    if args.side:
        return our_side(args)
    lines = pathlib.Path(args.texts).read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        version = export(args, folder)
        make = [f"--make={args.run_dir}", f"--folder={folder}"]
        environment.call(
            environment.module("peers.peer_ids_to_label", *make, python=args.peer_python)
        )
        for texts, lengths in choose(lines, args.run_dir).values():
            compare(args, folder, version, texts, lengths)


if __name__ == "__main__":
    main()
