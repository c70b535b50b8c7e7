"""What the flags of training cost and gain: time of a step, peak memory, numbers.

    PYTHONPATH=. python benchmarks/flags.py

run_classifier.py trains a model of six layers and width 384 with new weights on made-up texts, 32 a
step, as a user would call it: plain, with each flag, and plain once more, a process each. Time is
the processor's, all cores together, so that other work on the machine counts little; of the later
half of the steps the median, and the mean beside it, in which rare events count. Memory is the
process's highest resident one. For "numbers" a few steps are taken without dropout. Printed are
ratios to the mean of the two plain runs, how far those two are apart, and the largest difference of
a loss from the plain one, in parts of it. What --only names is put beside what --results has
already. On a machine with graphics processors hide them: all this is of the processor.
"""

import dataclasses
import itertools
import json
import os
import pathlib
import random
import runpy
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags, logging

from bert_keras.cli.script import start_tensorflow_quietly

FLAGS = flags.FLAGS
HERE = pathlib.Path(__file__).resolve().parent

flags.DEFINE_integer("steps", 12, "Steps of a run.", 4)
flags.DEFINE_integer("steps_of_numbers", 3, "Steps without dropout.", 1)
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
    "--save_checkpoints_steps=2",
    "--cpu_devices=2",
]
_WORDS = 30_000
_ROWS = 1024
_TIMED = "BERT_KERAS_TIMES"  # names the file that a timed script leaves its times in


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
    """One training; returns its losses, processor seconds a step, and peak bytes."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        scratch = pathlib.Path(scratch)
        command = [
            *(sys.executable, __file__, "--do_train"),
            *(f"--train_file={folder / 'texts.tsv'}", "--dev_fraction=0"),
            *(f"--init_checkpoint={folder / weights}", f"--output_dir={scratch / 'run'}"),
            *(f"--num_train_steps={steps}", "--train_batch_size=32", *words),
        ]
        log = scratch / "log"
        with log.open("w") as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=file, env=os.environ | {_TIMED: str(scratch / "times")}
            )
            # The process's own peak, where `resource` knows that of all children together.
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(words)}: {log.read_text()}")
        times = json.loads((scratch / "times").read_text())
        losses = read_losses(scratch / "run")
    later = [after - before for before, after in itertools.pairwise(times)]
    later = later[len(later) // 2 :]
    return {
        "median": statistics.median(later),
        "mean": statistics.mean(later),
        "bytes": 1024 * usage.ru_maxrss,
        "losses": losses,
    }


def time_steps(path):
    """Runs run_classifier.py with this process's arguments, and notes the time after each step."""
    from bert_keras.progress import Progress

    times, advance = [], Progress.advance

    def timed(*arguments, **named):
        times.append(time.process_time())
        advance(*arguments, **named)

    Progress.advance = timed
    try:
        runpy.run_path(str(HERE.parent / "run_classifier.py"), run_name="__main__")
    finally:
        pathlib.Path(path).write_text(json.dumps(times))


def read_losses(run):
    """The loss of each step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(run / "train"), size_guidance={"tensors": 0}).Reload()
    return [float(make_ndarray(event.tensor_proto)) for event in events.Tensors("train/loss")]


def difference(losses, plain):
    """The largest difference of two runs' losses, in parts of the second's."""
    return max(abs(a - b) / b for a, b in zip(losses, plain, strict=True))


def main(_):
    start_tensorflow_quietly()
    logging.set_verbosity(logging.WARNING)  # TensorBoard tells of every file that it reads
    tried = FLAGS.only or TRIED
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        make_texts(folder)
        make_weights(folder)

        def costs(name):
            found = train(folder, "dropout", FLAGS.steps, name.split())
            del found["losses"]
            print(f"{name or 'plain'}: {found}", flush=True)
            return found

        def losses(name):
            return train(folder, "no_dropout", FLAGS.steps_of_numbers, name.split())["losses"]

        plain, exact = [costs("")], losses("")
        changed = {name: (costs(name), difference(losses(name), exact)) for name in tried}
        plain.append(costs(""))
    apart = {key: abs(plain[0][key] / plain[1][key] - 1) for key in plain[0]}
    for name, (found, numbers) in changed.items():
        ratios = {
            key: value / statistics.mean(side[key] for side in plain)
            for key, value in found.items()
        }
        rows[name] = {"ratios": ratios, "plain_apart": apart, "numbers": numbers, "costs": found}
    print("| flags | time, median step | time, mean step | peak memory | numbers |")
    print("|-|-|-|-|-|")
    for name, row in rows.items():
        cells = " | ".join(f"{ratio:.2f}" for ratio in row["ratios"].values())
        print(f"| `{name}` | {cells} | {row['numbers']:.0e} |")
    print("Plain runs apart:", ", ".join(f"{key} {value:.1%}" for key, value in apart.items()))
    results = pathlib.Path(FLAGS.results)
    before = json.loads(results.read_text()) if FLAGS.only and results.is_file() else {}
    results.write_text(json.dumps(before | rows, indent=1) + "\n")


if __name__ == "__main__":
    if _TIMED in os.environ:
        time_steps(os.environ.pop(_TIMED))
    else:
        app.run(main)
