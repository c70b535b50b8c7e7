"""Ids to labels: our export for LiteRT beside ONNX Runtime with the same weights, in turns.

    pip install '.[peers]'
    PYTHONPATH=. python run_classifier.py --do_train --do_eval --task_name=SST-2 \\
        --data_dir=GLUE --init_checkpoint=... --output_dir=RUN
    PYTHONPATH=. python benchmarks/ids_to_label.py --run_dir=RUN
    PYTHONPATH=. python benchmarks/ids_to_label.py --run_dir=RUN --data_dir=GLUE --accuracy

In float32 and with 8-bit weights, on both sides with the same number of threads, on full rows. The
peer's model is transformers' by torch.onnx, as it is and with the peer's own fusions for BERT, and
8-bit ones are by its `quantize_dynamic`. Medians are printed, the ratio of our time to the fastest
of theirs, and the share that each reaches of what the machine's matrix products do alone in
float32, by the operations of the whole encoder, though ours leaves out what no answer is read from.

With `--accuracy` nothing is timed: the accuracy on the dev rows of SST-2 is told, of the run's
model as `--do_eval` has it and of both exports. Fails where 8 bits lose more than half a point.
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
MOST_LOST = 0.5  # points

flags.DEFINE_string("run_dir", None, "The folder of a classifier's run.", required=True)
flags.DEFINE_list("rows", ["1", "32"], "Rows of a call.")
flags.DEFINE_integer("length", 32, "Tokens of a row.")
flags.DEFINE_integer("threads", 2, "Of both.")
flags.DEFINE_integer("turns", 15, "How often each takes its turn.")
flags.DEFINE_string("peer_python", sys.executable, "A Python with onnxruntime and torch.")
flags.DEFINE_bool("accuracy", False, "Score instead of timing.")
flags.DEFINE_string("data_dir", None, "The folder of GLUE's tasks, for --accuracy.")
flags.DEFINE_string("answer", None, "Be our side with this version; used by the script.")
flags.DEFINE_integer("calls", 1, "Of a turn; used by the script.")


def open_signature(version, threads):
    """What answers ids with a dict of arrays."""
    from ai_edge_litert.interpreter import Interpreter

    model = pathlib.Path(version) / "model.tflite"
    return Interpreter(str(model), num_threads=threads).get_signature_runner()


def answer():
    """Our side."""
    import numpy as np

    ask = open_signature(FLAGS.answer, FLAGS.threads)
    shape = int(FLAGS.rows[0]), FLAGS.length
    ids = np.random.default_rng(0).integers(1000, 2000, shape, "int32")
    segments = np.zeros_like(ids)

    def run():
        for _ in range(FLAGS.calls):
            ask(token_ids=ids, segment_ids=segments)

    turns.answer(run)


def export(folder):
    """Copies the run and exports it; returns the versions by precision."""
    copied = folder / "run"
    shutil.copytree(FLAGS.run_dir, copied, ignore=shutil.ignore_patterns("checkpoints", "export*"))
    for precision in ("float32", "int8"):
        command = [sys.executable, turns.HERE.parent / "run_classifier.py", "--do_export"]
        command += [f"--output_dir={copied}", "--export_format=litert"]
        command.append(f"--export_precision={precision}")
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    versions = copied / "export_litert"
    return {"float32": versions / "1", "int8": versions / "2"}


def compare_times(folder, versions):
    peer = [FLAGS.peer_python, turns.HERE / "peer_ids_to_label.py"]
    subprocess.run([*peer, f"--make={FLAGS.run_dir}", f"--folder={folder}"], check=True)
    sizes = read_json(pathlib.Path(FLAGS.run_dir) / "config.json")
    for precision, version in versions.items():
        for rows in map(int, FLAGS.rows):
            calls = max(1, 32 // rows)
            how = [f"--rows={rows}", f"--length={FLAGS.length}", f"--threads={FLAGS.threads}"]
            how.append(f"--calls={calls}")
            ours = [sys.executable, __file__, f"--run_dir={FLAGS.run_dir}", f"--answer={version}"]
            sides = {"ours": [*ours, *how]}
            for name in ("onnx", "onnx fused"):
                model = folder / f"{name.replace(' ', '_')}_{precision}.onnx"
                sides[name] = [*peer, f"--model={model}", *how]
            seconds = turns.measure(sides | turns.products("float32"), FLAGS.turns)
            for name in sides:
                seconds[name] = [spent / calls for spent in seconds[name]]
            work = turns.work_of_encoder(
                rows * FLAGS.length,
                FLAGS.length,
                sizes["num_hidden_layers"],
                sizes["hidden_size"],
                sizes["intermediate_size"],
            )
            turns.report(f"{rows} rows of {FLAGS.length}, {precision}", seconds, work)


def compare_accuracies(folder, versions):
    import numpy as np

    from bert_keras import BertClassifier, BertTokenizer
    from bert_keras.data.glue import read_glue

    dev = read_glue("SST-2", FLAGS.data_dir, "dev")
    tokenizer = BertTokenizer.from_pretrained(FLAGS.run_dir)
    model = BertClassifier.from_pretrained(FLAGS.run_dir)
    batches = [tokenizer(dev.texts[i : i + 32], max_length=128) for i in range(0, len(dev), 32)]
    labels = json.loads((versions["int8"] / "labels.json").read_text(encoding="utf-8"))
    truth = np.array([labels.index(label) for label in dev.labels])
    found = {"the model": [model(batch).numpy().argmax(1) for batch in batches]}
    for precision, version in versions.items():
        ask = open_signature(version, FLAGS.threads)
        ids = [{name: batch[name] for name in ("token_ids", "segment_ids")} for batch in batches]
        found[f"LiteRT {precision}"] = [ask(**each)["label"] for each in ids]
    points = {name: 100 * (np.concatenate(each) == truth).mean() for name, each in found.items()}
    for name, accuracy in points.items():
        print(f"{name:16} accuracy {accuracy:.2f} on {len(dev)} rows")
    if points["the model"] - points["LiteRT int8"] > MOST_LOST:
        sys.exit(f"More than {MOST_LOST} points are lost.")


def main(_):
    if FLAGS.answer:
        return answer()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        compare = compare_accuracies if FLAGS.accuracy else compare_times
        compare(folder, export(folder))


if __name__ == "__main__":
    app.run(main)
