"""Strings to labels: our SavedModel beside Hugging Face's tokenizer and ONNX Runtime, in turns.

    pip install '.[peers]'
    PYTHONPATH=. python benchmarks/text_to_label.py --run_dir=RUN --texts=sst2_dev.txt

The run's classifier is exported in bfloat16 and asked by a process that imports TensorFlow alone;
the peer is the same weights by torch.onnx in float32, in ONNX Runtime, behind `tokenizers`, which
pads a batch to its longest text. Texts are a line each: for one at a time the first that has about
32 tokens, for 32 at a time the first 32. Medians are printed, the ratio of our time to the fastest
of theirs, and the share that each reaches of what the machine's matrix products do alone in
bfloat16, by the operations of the whole encoder on the texts' own tokens.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import turns
from absl import app, flags

from bert_keras.config import read_json

FLAGS = flags.FLAGS

flags.DEFINE_string("run_dir", None, "The folder of a classifier's run.", required=True)
flags.DEFINE_string("texts", None, "A file of texts, one a line.")
flags.DEFINE_enum("precision", "bfloat16", ["bfloat16", "float32"], "Of ours.")
flags.DEFINE_integer("turns", 15, "How often each takes its turn.")
flags.DEFINE_integer("calls", 1, "Of a turn; used by the script.")
flags.DEFINE_string("peer_python", sys.executable, "A Python with onnxruntime and torch.")
flags.DEFINE_string("answer", None, "Be our side with this SavedModel; used by the script.")


def answer():
    """Our side."""
    import tensorflow as tf

    ask = tf.saved_model.load(FLAGS.answer).signatures["serving_default"]
    texts = json.loads(pathlib.Path(FLAGS.texts).read_text())

    def run():
        for _ in range(FLAGS.calls):
            ask(text=tf.constant(texts))["label"].numpy()

    turns.answer(run)


def export(folder):
    """Copies the run and exports it; returns the SavedModel's folder."""
    copied = folder / "run"
    shutil.copytree(FLAGS.run_dir, copied, ignore=shutil.ignore_patterns("checkpoints", "export*"))
    command = [sys.executable, turns.HERE.parent / "run_classifier.py", "--do_export"]
    command += [f"--output_dir={copied}", f"--export_precision={FLAGS.precision}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return copied / "export/1"


def choose(lines):
    """The texts of a call, and how many tokens each has, by the number of texts."""
    from bert_keras import BertTokenizer

    tokenizer = BertTokenizer.from_pretrained(FLAGS.run_dir)
    lengths = tokenizer.encode(lines, max_length=128)["token_ids"].row_lengths().numpy().tolist()
    one = min(range(len(lines)), key=lambda index: abs(lengths[index] - 32))
    return {1: (lines[one : one + 1], lengths[one : one + 1]), 32: (lines[:32], lengths[:32])}


def main(_):
    if FLAGS.answer:
        return answer()
    lines = pathlib.Path(FLAGS.texts).read_text(encoding="utf-8").splitlines()
    peer = [FLAGS.peer_python, turns.HERE / "peer_ids_to_label.py"]
    sizes = read_json(pathlib.Path(FLAGS.run_dir) / "config.json")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        version = export(folder)
        subprocess.run([*peer, f"--make={FLAGS.run_dir}", f"--folder={folder}"], check=True)
        for count, (texts, lengths) in choose(lines).items():
            path = folder / f"{count}.json"
            path.write_text(json.dumps(texts))
            calls = max(1, 32 // count)
            how = [f"--texts={path}", f"--calls={calls}"]
            ours = [sys.executable, __file__, f"--run_dir={FLAGS.run_dir}", f"--answer={version}"]
            sides = {"ours": [*ours, *how]}
            for name in ("onnx", "onnx fused"):
                model = folder / f"{name.replace(' ', '_')}_float32.onnx"
                vocabulary = pathlib.Path(FLAGS.run_dir) / "vocab.txt"
                sides[name] = [*peer, f"--model={model}", f"--vocab={vocabulary}", *how]
            seconds = turns.measure(sides | turns.products("bfloat16"), FLAGS.turns)
            for name in sides:
                seconds[name] = [spent / calls for spent in seconds[name]]
            work = sum(
                turns.work_of_encoder(
                    length,
                    length,
                    sizes["num_hidden_layers"],
                    sizes["hidden_size"],
                    sizes["intermediate_size"],
                )
                for length in lengths
            )
            what = f"{count} texts of {min(lengths)} to {max(lengths)} tokens, {FLAGS.precision}"
            turns.report(what, seconds, work)


if __name__ == "__main__":
    app.run(main)
