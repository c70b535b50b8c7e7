"""Accuracy on BBC news from 20 articles a topic, all others held out: the mean of three draws.

    pip install --no-deps --require-hashes -r demo/requirements.txt
    python demo/news.py runs/bbc_news
    python benchmarks/bbc_news.py

A draw is a seed: of the articles that are trained on, of their order and of the new head. The
flags are those of `make demo`, from `demo/bbc_news.flags`.
"""

import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
DRAWS = (1, 2, 3)


def main():
    scores = []
    for seed in DRAWS:
        with tempfile.TemporaryDirectory() as scratch:
            run = pathlib.Path(scratch) / "run"
            command = [sys.executable, "run_classifier.py", "--flagfile=demo/bbc_news.flags"]
            start = time.monotonic()
            subprocess.run(
                [*command, f"--output_dir={run}", f"--seed={seed}"], check=True, cwd=ROOT
            )
            seconds = time.monotonic() - start
            scores.append(100 * json.loads((run / "eval_results.json").read_text())["accuracy"])
        print(f"draw {seed}: accuracy {scores[-1]:.2f} in {seconds:.0f} s", flush=True)
    error = statistics.stdev(scores) / math.sqrt(len(scores))
    print(f"mean {statistics.mean(scores):.2f}, standard error {error:.2f}")


if __name__ == "__main__":
    main()
