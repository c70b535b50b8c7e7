r"""What half an hour of pretraining on two cores is worth: a BERT-mini from nothing, on books.

    pip install '.[pretraining]'
    PYTHONPATH=. python benchmarks/pretraining.py --input_file=TEXTS --data_dir=GLUE \
        --work_dir=runs/pretraining

Learns a vocabulary, pretrains on the texts with documents held out, goes on for a few minutes with
the texts of SST-2's training rows, their labels left out, and fine-tunes both on SST-2 beside the
same model without pretraining (one step at a rate of 0 makes it): on all of its training rows, and
on 500 of each class, three draws. Each step is one of the scripts that a user runs; what is in
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
from bert_keras.data.glue import read_glue

FLAGS = flags.FLAGS
ROOT = pathlib.Path(__file__).resolve().parent.parent

flags.DEFINE_list("input_file", None, "Texts: files, folders or globs.", required=True)
flags.DEFINE_string("data_dir", None, "The folder of GLUE's tasks.", required=True)
flags.DEFINE_string("work_dir", None, "Where vocabulary and runs are kept.", required=True)
flags.DEFINE_integer("vocab_size", 8192, "Tokens of the vocabulary.")
flags.DEFINE_integer("num_train_steps", 5700, "Steps of pretraining, of 32 rows of 128 tokens.")
flags.DEFINE_integer("domain_steps", 800, "Steps on SST-2's texts afterwards, of 256 of them.")
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
    "--evaluations_per_epoch=2",
]
# Nothing but masked words teaches [CLS] anything, so the head is on the mean of the tokens.
FINE_TUNING = [
    *("--do_train", "--do_eval", "--task_name=SST-2", "--precision=bfloat16", "--pooling=mean"),
    *("--learning_rate=3e-4", "--evaluations_per_epoch=0.1"),
]
ROWS = {  # flags, seeds
    "all": (["--num_train_epochs=2"], [1]),
    "1000": (["--num_train_epochs=10", "--train_rows_per_class=500"], [1, 2, 3]),
}


def run(script, folder, *words):
    """Runs one of the scripts on a folder, unless that was done; returns the minutes it took."""
    minutes = folder / "minutes.txt"
    if not minutes.is_file():
        command = [sys.executable, ROOT / script, *words, f"--output_dir={folder}"]
        start = time.monotonic()
        subprocess.run(list(map(str, command)), check=True)
        minutes.write_text(f"{(time.monotonic() - start) / 60:.1f}")
    return float(minutes.read_text())


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
    work.mkdir(parents=True, exist_ok=True)
    domain = work / "sst2_texts.jsonl"
    distinct = dict.fromkeys(read_glue("SST-2", FLAGS.data_dir, "train").texts)
    domain.write_text("".join(json.dumps({"text": text}) + "\n" for text in distinct))
    texts = ",".join(FLAGS.input_file)
    vocabulary = work / "vocabulary"
    run(
        "run_vocabulary.py",
        vocabulary,
        f"--input_file={texts},{domain}",
        f"--vocab_size={FLAGS.vocab_size}",
    )
    shape = work / "bert_config.json"
    shape.write_text(json.dumps(SHAPE.to_dict()))
    new = [f"--vocab_dir={vocabulary}", f"--bert_config_file={shape}", f"--input_file={texts}"]
    goes_on = [f"--init_checkpoint={work}/pretrained", f"--input_file={domain}"]
    minutes = {}
    for name, steps, size, rate, words in (
        ("pretrained", FLAGS.num_train_steps, 32, 1.4e-3, new),
        ("adapted", FLAGS.domain_steps, 256, 5e-4, goes_on),
        ("untrained", 1, 32, 0, new),
    ):
        minutes[name] = run(
            "run_pretraining.py",
            work / name,
            *PRETRAINING,
            *words,
            f"--prepared_dir={work}/prepared",
            f"--num_train_steps={steps}",
            f"--train_batch_size={size}",
            f"--learning_rate={rate}",
        )

    scores = {}
    for rows, (chosen, seeds) in ROWS.items():
        scores[rows] = {name: [] for name in minutes}
        for name, found in scores[rows].items():
            for seed in seeds:
                folder = work / f"sst2_{name}_{rows}_rows_{seed}"
                start = f"--init_checkpoint={work / name}"
                words = [*FINE_TUNING, *chosen, start, f"--data_dir={FLAGS.data_dir}"]
                run("run_classifier.py", folder, *words, f"--seed={seed}")
                found.append(json.loads((folder / "eval_results.json").read_text())["accuracy"])
    before = json.loads((work / "untrained" / "eval_results.json").read_text())["masked_lm_loss"]
    points = [[0, before], *curve(work / "pretrained")]
    results = pathlib.Path(FLAGS.results)
    found = {
        "steps": FLAGS.num_train_steps,
        "domain_steps": FLAGS.domain_steps,
        "vocab_size": FLAGS.vocab_size,
        "minutes": minutes,
        "held_out": json.loads((work / "pretrained" / "eval_results.json").read_text()),
        "curve": points,
        "sst2_accuracy": scores,
    }
    results.write_text(json.dumps(found, indent=1) + "\n")
    draw(points, results.with_suffix(".png"))
    print(json.dumps(found))


if __name__ == "__main__":
    app.run(main)
