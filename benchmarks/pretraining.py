r"""What half an hour of pretraining on two cores is worth: a BERT-mini from nothing, on books.

    pip install '.[pretraining]'
    PYTHONPATH=. python benchmarks/pretraining.py --input_file=TEXTS --data_dir=GLUE \
        --work_dir=runs/pretraining

Learns a vocabulary, pretrains with documents held out, and fine-tunes the result on SST-2 beside
the same model without pretraining (one step at a rate of 0 makes it): on all of its training rows,
and on 500 of each class, three draws. Each step is one of the scripts that a user runs; what is in
--work_dir already is not made again. Writes the scores, and the held-out loss before the first step
and at each evaluation, to --results and as a picture beside it.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys
import time

from absl import app, flags

from bert_keras.config import BertConfig

FLAGS = flags.FLAGS
ROOT = pathlib.Path(__file__).resolve().parent.parent

flags.DEFINE_list("input_file", None, "Texts: files, folders or globs.", required=True)
flags.DEFINE_string("data_dir", None, "The folder of GLUE's tasks.", required=True)
flags.DEFINE_string("work_dir", None, "Where vocabulary and runs are kept.", required=True)
flags.DEFINE_integer("vocab_size", 8192, "Tokens of the vocabulary.")
flags.DEFINE_integer("num_train_steps", 8500, "Steps of pretraining, of 16 rows of 128 tokens.")
flags.DEFINE_string(
    "results", str(ROOT / "benchmarks/results/pretraining.json"), "Where the scores are kept."
)

# BERT-mini, but for dropout, as half an hour is hardly more than two passes over the texts, and for
# initial weights that keep the size of what goes through layers as narrow as these.
SHAPE = dataclasses.replace(
    BertConfig.from_size("mini"),
    initializer_range=0.06,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
PRETRAINING = [
    *("--do_train", "--do_eval", "--objective=none", "--precision=bfloat16"),
    *("--train_batch_size=16", "--learning_rate=1e-3", "--evaluations_per_epoch=3"),
]
# Nothing but masked words teaches [CLS] anything, so the head is on the mean of the tokens.
FINE_TUNING = [
    *("--do_train", "--do_eval", "--task_name=SST-2", "--precision=bfloat16", "--pooling=mean"),
    *("--learning_rate=3e-4", "--evaluations_per_epoch=0.1"),
]
ROWS = {
    "all rows": [["--num_train_epochs=2", "--seed=1"]],
    "1,000 rows": [
        ["--num_train_epochs=10", "--train_rows_per_class=500", f"--seed={seed}"]
        for seed in (1, 2, 3)
    ],
}


def run(script, folder, *words):
    """Runs one of the scripts on a folder, unless that was done; returns its minutes, if it was."""
    start = time.monotonic()
    if not ((folder / "vocab.txt").is_file() if script == "run_vocabulary.py" else _ended(folder)):
        command = [sys.executable, ROOT / script, *words, f"--output_dir={folder}"]
        subprocess.run(list(map(str, command)), check=True)
        return (time.monotonic() - start) / 60
    return None


def _ended(folder):
    return (folder / "eval_results.json").is_file()


def curve(folder):
    """The held-out loss by step, from TensorBoard's events."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(folder / "eval"), size_guidance={"tensors": 0}).Reload()
    found = events.Tensors("eval/masked_lm_loss")
    return [[event.step, float(make_ndarray(event.tensor_proto))] for event in found]


def draw(points, path):
    """Writes the curve as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3))
    axes.plot(*zip(*points, strict=True), marker=".")
    axes.set(xlabel="step", ylabel="held-out masked-LM loss")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100, bbox_inches="tight")


def main(_):
    work = pathlib.Path(FLAGS.work_dir)
    texts = f"--input_file={','.join(FLAGS.input_file)}"
    vocabulary = work / "vocabulary"
    run("run_vocabulary.py", vocabulary, texts, f"--vocab_size={FLAGS.vocab_size}")
    shape = work / "bert_config.json"
    shape.write_text(json.dumps(SHAPE.to_dict()))
    common = [
        *PRETRAINING,
        f"--bert_config_file={shape}",
        texts,
        f"--vocab_dir={vocabulary}",
        f"--prepared_dir={work}/prepared",
    ]
    steps = f"--num_train_steps={FLAGS.num_train_steps}"
    minutes = run("run_pretraining.py", work / "pretrained", *common, steps)
    nothing = ["--num_train_steps=1", "--learning_rate=0"]
    run("run_pretraining.py", work / "untrained", *common, *nothing)

    scores = {rows: {"pretrained": [], "untrained": []} for rows in ROWS}
    for rows, draws in ROWS.items():
        for name, found in scores[rows].items():
            words = [
                *FINE_TUNING,
                f"--init_checkpoint={work / name}",
                f"--data_dir={FLAGS.data_dir}",
            ]
            for number, chosen in enumerate(draws, 1):
                folder = work / f"sst2_{name}_{rows.replace(' ', '_')}_{number}"
                run("run_classifier.py", folder, *words, *chosen)
                found.append(json.loads((folder / "eval_results.json").read_text())["accuracy"])
    before = json.loads((work / "untrained" / "eval_results.json").read_text())["masked_lm_loss"]
    points = [[0, before], *curve(work / "pretrained")]
    results = pathlib.Path(FLAGS.results)
    found = json.loads(results.read_text()) if results.is_file() else {}
    found |= {
        "steps": FLAGS.num_train_steps,
        "vocab_size": FLAGS.vocab_size,
        "minutes": round(minutes, 1) if minutes else found.get("minutes"),
        "held_out": json.loads((work / "pretrained" / "eval_results.json").read_text()),
        "curve": points,
        "sst2_accuracy": scores,
    }
    results.write_text(json.dumps(found, indent=1) + "\n")
    draw(points, results.with_suffix(".png"))
    print(json.dumps(found))


if __name__ == "__main__":
    app.run(main)
