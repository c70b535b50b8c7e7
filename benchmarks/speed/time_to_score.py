r"""Time to an accuracy on SST-2, from process start, compared with transformers on PyTorch.

    .venv/bin/pip install --editable '.[peers]'
    .venv/bin/python -m benchmarks.speed.time_to_score --data_dir=GLUE --init_checkpoint=... \
        --ours="--learning_rate=1e-4" --peer="--learning_rate=1e-4"

Both sides train on all rows in bfloat16, evaluate at every tenth of an epoch, and are stopped at
the first evaluation that reaches the accuracy. They take turns, seed by seed. Each side's schedule
is its own, with its own flags. The peer groups rows by length. Prints the medians over the seeds,
and the ratio of our time to theirs where both sides reached the accuracy: below 1 is faster.
"""

import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.harness import arguments, environment

EVALUATIONS = 10  # an epoch


def command(args, side, seed, folder):
    """The command of one side."""
    shared = [f"--data_dir={args.data_dir}", f"--init_checkpoint={args.init_checkpoint}"]
    shared += [f"--seed={seed}", f"--evaluations_per_epoch={EVALUATIONS}"]
    if side == "peer":
        words = ["--task=SST-2", *shared, *shlex.split(args.peer)]
        return environment.module("peers.peer_classifier", *words, python=args.peer_python)
    words = ["--do_train", "--do_eval", "--task_name=SST-2", "--precision=bfloat16"]
    words += [f"--output_dir={folder}/run", *shared, *shlex.split(args.ours)]
    return environment.script("run_classifier.py", *words)


def seconds_to_accuracy(args, side, seed):
    """Seconds until the accuracy is reached; infinite if it never is."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        process = subprocess.Popen(
            list(map(str, command(args, side, seed, folder))),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        best, lines = 0.0, []
        for line in process.stderr:
            lines.append(line)
            if evaluation := re.search(r"step (\d+): accuracy ([\d.]+)", line):
                seconds, accuracy = time.monotonic() - start, float(evaluation[2])
                best = max(best, accuracy)
                print(f"  {side}, seed {seed}: {evaluation[0]} after {seconds:.0f} s", flush=True)
                if accuracy >= args.accuracy:
                    process.kill()
                    process.wait()
                    return seconds
        if process.wait():
            sys.exit(f"{side}: exit code {process.returncode}: {''.join(lines[-20:])}")
        print(f"{side}, seed {seed}: {best} at best", flush=True)
        return float("inf")


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--data_dir", required=True, help="the folder of GLUE's tasks")
    flags.add_argument("--init_checkpoint", required=True, help="the weights of both sides")
    flags.add_argument("--accuracy", type=float, default=0.895, help="to reach")
    flags.add_argument("--seeds", default="1,2,3", help="one run for each side and seed")
    flags.add_argument("--sides", default="ours,peer", help="which sides to run")
    flags.add_argument("--ours", default="", help="further flags of ours")
    flags.add_argument("--peer", default="", help="further flags of the peer")
    flags.add_argument(
        "--peer_python", default=sys.executable, help="a Python with torch and transformers"
    )
    args = flags.parse_args()
    runs = {side: [] for side in args.sides.split(",")}
    for seed in args.seeds.split(","):
        for side, seconds in runs.items():
            seconds.append(seconds_to_accuracy(args, side, seed))
            print(f"{side}, seed {seed}: {seconds[-1]:.0f} s to {args.accuracy}", flush=True)
    medians = {side: statistics.median(seconds) for side, seconds in runs.items()}
    print(", ".join(f"{side} {median:.0f} s" for side, median in medians.items()))
    if len(medians) == 2 and max(medians.values()) < float("inf"):
        print(f"ratio {medians['ours'] / medians['peer']:.2f}")


if __name__ == "__main__":
    main()
