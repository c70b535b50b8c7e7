"""Time to an accuracy on SST-2, from the start of the process, beside transformers on PyTorch.

    pip install '.[peers]'
    PYTHONPATH=. python benchmarks/time_to_score.py --data_dir=GLUE --init_checkpoint=... \\
        --ours="--learning_rate=1e-4" --peer="--learning_rate=1e-4"

Both train on all rows in bfloat16, evaluate at every tenth of an epoch, and are stopped at the
first evaluation that reaches the accuracy. They take turns, seed by seed; each side's schedule is
its own, with its own flags. The peer groups rows of like length. Medians over the seeds are
printed, and the ratio of our time to theirs where both have one: below 1 is faster.
"""

import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags

FLAGS = flags.FLAGS
HERE = pathlib.Path(__file__).resolve().parent
EVALUATIONS = 10  # an epoch

flags.DEFINE_string("data_dir", None, "The folder of GLUE's tasks.", required=True)
flags.DEFINE_string("init_checkpoint", None, "The weights of both.", required=True)
flags.DEFINE_float("accuracy", 0.895, "What is to be reached.")
flags.DEFINE_list("seeds", ["1", "2", "3"], "One run a side and seed.")
flags.DEFINE_list("sides", ["ours", "peer"], "Whom to run.")
flags.DEFINE_string("ours", "", "Further flags of ours.")
flags.DEFINE_string("peer", "", "Further flags of the peer's.")
flags.DEFINE_string("peer_python", sys.executable, "A Python with torch and transformers.")


def words_of(side, seed, folder):
    """The command of one side."""
    alike = [f"--data_dir={FLAGS.data_dir}", f"--init_checkpoint={FLAGS.init_checkpoint}"]
    alike += [f"--seed={seed}", f"--evaluations_per_epoch={EVALUATIONS}"]
    if side == "peer":
        words = [FLAGS.peer_python, HERE / "peer_classifier.py", "--task=SST-2", *alike]
        return [*words, *shlex.split(FLAGS.peer)]
    words = [sys.executable, HERE.parent / "run_classifier.py", "--do_train", "--do_eval"]
    words += ["--task_name=SST-2", "--precision=bfloat16", f"--output_dir={folder}/run"]
    return [*words, *alike, *shlex.split(FLAGS.ours)]


def seconds_of(side, seed):
    """Seconds until the accuracy is reached; infinite if it never is."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        process = subprocess.Popen(
            list(map(str, words_of(side, seed, folder))),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        best, told = 0.0, []
        for line in process.stderr:
            told.append(line)
            if found := re.search(r"step (\d+): accuracy ([\d.]+)", line):
                seconds, accuracy = time.monotonic() - start, float(found[2])
                best = max(best, accuracy)
                print(f"  {side}, seed {seed}: {found[0]} after {seconds:.0f} s", flush=True)
                if accuracy >= FLAGS.accuracy:
                    process.kill()
                    process.wait()
                    return seconds
        if process.wait():
            sys.exit(f"{side} ended with {process.returncode}: {''.join(told[-20:])}")
        print(f"{side}, seed {seed}: {best} at best", flush=True)
        return float("inf")


def main(_):
    found = {side: [] for side in FLAGS.sides}
    for seed in FLAGS.seeds:
        for side, seconds in found.items():
            seconds.append(seconds_of(side, seed))
            print(f"{side}, seed {seed}: {seconds[-1]:.0f} s to {FLAGS.accuracy}", flush=True)
    medians = {side: statistics.median(seconds) for side, seconds in found.items()}
    print(", ".join(f"{side} {median:.0f} s" for side, median in medians.items()))
    if len(medians) == 2 and max(medians.values()) < float("inf"):
        print(f"ratio {medians['ours'] / medians['peer']:.2f}")


if __name__ == "__main__":
    app.run(main)
