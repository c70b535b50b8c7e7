"""What the flags of training cost and gain: time of a step, peak memory, numbers.

    PYTHONPATH=. python benchmarks/flags.py

run_classifier.py trains a model of six layers and width 384 with new weights on made-up texts, 32 a
step, as a user would call it; with each flag beside a plain run, in turns, a process each. Time is
the mean over the later half of the steps, from the times of TensorBoard's events; memory is the
process's highest resident one. Ratios to the plain run are printed, medians where --rounds is above
1. For "numbers" a few steps are taken without dropout, and the largest difference of the loss from
the plain run's is given, in parts of it. On a machine with graphics processors hide them: resident
memory is the processor's.
"""

import dataclasses
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

from absl import app, flags

FLAGS = flags.FLAGS
HERE = pathlib.Path(__file__).resolve().parent

flags.DEFINE_integer("rounds", 1, "How often each takes its turn.", 1)
flags.DEFINE_integer("steps", 24, "Steps of a run.", 4)
flags.DEFINE_integer("steps_of_numbers", 8, "Steps without dropout; 0: leave them out.", 0)
flags.DEFINE_multi_string("only", [], "One set of flags to try, in place of all; may be repeated.")
flags.DEFINE_string("results", str(HERE / "results/flags.json"), "Where the numbers are kept.")

TRIED = [
    "--gradient_accumulation_steps=4",
    "--recompute",
    "--gradient_accumulation_steps=4 --recompute",
    "--precision=bfloat16",
    "--precision=float16",
    "--xla",
    "--deterministic",
    "--save_checkpoints_steps=4",
    "--cpu_devices=2",
]
_WORDS = 30_000
_ROWS = 1024


def make_texts(folder):
    """Writes labelled texts of 10 to 120 made-up words."""
    draw = random.Random(0)
    lines = ["text\tlabel"]
    for _ in range(_ROWS):
        words = [f"w{draw.randrange(_WORDS)}" for _ in range(draw.randint(10, 120))]
        lines.append(" ".join(words) + "\t" + draw.choice(["left", "right"]))
    (folder / "texts.tsv").write_text("\n".join(lines) + "\n")


def make_weights(folder):
    """Writes new weights, with dropout and without."""
    import keras

    from bert_keras.checkpoints.huggingface import write_huggingface
    from bert_keras.config import BertConfig
    from bert_keras.models.encoder import BertEncoder
    from bert_keras.text.tokenizer import BertTokenizer

    words = [f"w{number}" for number in range(_WORDS)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
    )
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    keras.utils.set_random_seed(0)
    for name, changes in (("dropout", {}), ("no_dropout", none)):
        write_huggingface(BertEncoder(dataclasses.replace(config, **changes)), folder / name)
        BertTokenizer(vocabulary).save(folder / name)


def train(folder, weights, steps, words):
    """One training; returns its losses, seconds a step and peak bytes."""
    with tempfile.TemporaryDirectory(dir=folder) as run:
        command = [
            *(sys.executable, HERE.parent / "run_classifier.py", "--do_train"),
            *(f"--train_file={folder / 'texts.tsv'}", "--dev_fraction=0"),
            *(f"--init_checkpoint={folder / weights}", f"--output_dir={run}/run"),
            *(f"--num_train_steps={steps}", "--train_batch_size=32", *words),
        ]
        log = folder / "log"
        with log.open("w") as file:
            process = subprocess.Popen(list(map(str, command)), stdout=file, stderr=file)
            # The process's own peak, where `resource` knows that of all children together.
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(words)}: {log.read_text()}")
        events = read_losses(pathlib.Path(run) / "run")
    times, losses = [time for time, _ in events], [loss for _, loss in events]
    half = len(times) // 2
    return {
        "seconds": (times[-1] - times[half]) / (len(times) - 1 - half),
        "bytes": 1024 * usage.ru_maxrss,
        "losses": losses,
    }


def read_losses(run):
    """(time, loss) of each step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(run / "train"), size_guidance={"tensors": 0}).Reload()
    found = events.Tensors("train/loss")
    return [(event.wall_time, float(make_ndarray(event.tensor_proto))) for event in found]


def difference(losses, plain):
    """The largest difference of two runs' losses, in parts of the second's."""
    return max(abs(a - b) / b for a, b in zip(losses, plain, strict=True))


def main(_):
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        make_texts(folder)
        make_weights(folder)
        few = FLAGS.steps_of_numbers
        exact = few and train(folder, "no_dropout", few, [])["losses"]
        for tried in FLAGS.only or TRIED:
            words = tried.split()
            pairs = [
                [train(folder, "dropout", FLAGS.steps, more) for more in ([], words)]
                for _ in range(FLAGS.rounds)
            ]
            row = {"flags": tried, "pairs": [[_costs(side) for side in pair] for pair in pairs]}
            for key in ("seconds", "bytes"):
                row[key] = statistics.median(changed[key] / plain[key] for plain, changed in pairs)
            if few:
                losses = train(folder, "no_dropout", few, words)["losses"]
                row["numbers"] = difference(losses, exact)
            rows.append(row)
            plain, changed = row["pairs"][-1]
            print(
                f"{tried}: time {row['seconds']:.2f} "
                f"({1000 * plain['seconds']:,.0f} to {1000 * changed['seconds']:,.0f} ms), "
                f"memory {row['bytes']:.2f} "
                f"({plain['bytes'] / 2**20:,.0f} to {changed['bytes'] / 2**20:,.0f} MiB), "
                f"numbers {row.get('numbers', float('nan')):.1e}",
                flush=True,
            )
    cores = len(os.sched_getaffinity(0))
    found = {"cores": cores, "steps": FLAGS.steps, "rows": rows}
    pathlib.Path(FLAGS.results).write_text(json.dumps(found, indent=1) + "\n")


def _costs(side):
    return {key: side[key] for key in ("seconds", "bytes")}


if __name__ == "__main__":
    app.run(main)
