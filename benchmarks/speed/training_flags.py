"""What flags of training cost and save: time of a step, peak memory, and changes of the loss.

    .venv/bin/python -m benchmarks.speed.training_flags

run_classifier.py trains a model of six layers and width 384 with new weights on made-up texts, 32 a
step, as a user would call it: plain, with each set of flags, and plain again, a process each. Time
is the processor's, all cores together, so other work on the machine has little effect. The median
and the mean of the second half of the steps are shown; rare events count in the mean. Memory is the
peak resident memory of the process. A few steps without dropout give the losses. Prints ratios to
the mean of the two plain runs, how far those two are apart, and the largest relative difference of
a loss to the plain one. With --only the results file keeps its other rows. On a machine with GPUs
hide them: all this is about processors.
"""

import itertools
import json
import pathlib
import random
import statistics
import tempfile

from benchmarks.harness import arguments, data, environment, step_times, tables

FLAG_SETS = [
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
SHAPE = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
_WORDS = 30_000
_ROWS = 1024


def write_texts(path):
    """Writes labelled texts of 10 to 120 made-up words."""
    rng = random.Random(0)
    lines = ["text\tlabel"]
    for _ in range(_ROWS):
        words = [f"w{rng.randrange(_WORDS)}" for _ in range(rng.randint(10, 120))]
        lines.append(" ".join(words) + "\t" + rng.choice(["left", "right"]))
    path.write_text("\n".join(lines) + "\n")


def train(folder, weights, steps, flags):
    """One training; returns its losses, processor seconds a step, and peak bytes."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        scratch = pathlib.Path(scratch)
        command = step_times.command(
            *("--do_train", f"--train_file={folder / 'texts.tsv'}", "--dev_fraction=0"),
            *(f"--init_checkpoint={folder / weights}", f"--output_dir={scratch / 'run'}"),
            *(f"--num_train_steps={steps}", "--train_batch_size=32", *flags.split()),
        )
        peak = environment.peak_bytes(
            command, scratch / "log", **{step_times.FILE: str(scratch / "times")}
        )
        ends = [processor for _, processor in step_times.read(scratch / "times")]
        events = environment.read_events(scratch / "run/train", "train/loss")
    seconds = [after - before for before, after in itertools.pairwise(ends)]
    seconds = seconds[len(seconds) // 2 :]
    costs = {
        "median": statistics.median(seconds),
        "mean": statistics.mean(seconds),
        "bytes": peak,
    }
    return [loss for _, loss in events], costs


def measure(folder, flag_sets, args):
    """The rows of the results: costs, ratios and differences of each set of flags."""

    def costs(flags):
        _, values = train(folder, "dropout", args.steps, flags)
        print(f"{flags or 'plain'}: {values}", flush=True)
        return values

    def losses(flags):
        return train(folder, "no_dropout", args.loss_steps, flags)[0]

    plain, exact = [costs("")], losses("")
    changed = {flags: (costs(flags), difference(losses(flags), exact)) for flags in flag_sets}
    plain.append(costs(""))
    apart = {key: abs(plain[0][key] / plain[1][key] - 1) for key in plain[0]}
    print("plain runs apart:", ", ".join(f"{key} {value:.1%}" for key, value in apart.items()))
    return {
        flags: {
            "ratios": {
                key: value / statistics.mean(run[key] for run in plain)
                for key, value in values.items()
            },
            "plain_apart": apart,
            "numbers": largest,
            "costs": values,
        }
        for flags, (values, largest) in changed.items()
    }


def difference(losses, plain):
    """The largest difference of two runs' losses, relative to the second."""
    return max(abs(a - b) / b for a, b in zip(losses, plain, strict=True))


def main():
    parser = arguments.parser(__doc__)
    parser.add_argument("--steps", type=int, default=12, help="steps of a run")
    parser.add_argument(
        "--loss_steps", type=int, default=3, help="steps without dropout, at least 2"
    )
    parser.add_argument(
        "--only", action="append", help="one set of flags to try instead of all; may be repeated"
    )
    parser.add_argument("--results", type=pathlib.Path, default=environment.RESULTS / "flags.json")
    args = parser.parse_args()
    environment.start_tensorflow()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        write_texts(folder / "texts.tsv")
        data.write_new_weights(folder / "dropout", _WORDS, **SHAPE)
        data.write_new_weights(folder / "no_dropout", _WORDS, **SHAPE, **NO_DROPOUT)
        rows = measure(folder, args.only or FLAG_SETS, args)
    print(tables.training_flags(rows))
    before = json.loads(args.results.read_text()) if args.only and args.results.is_file() else {}
    args.results.write_text(json.dumps(before | rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
