"""Accuracy on BBC news from 20 articles a topic; all other articles are held out.

    .venv/bin/pip install --no-deps --require-hashes -r demo/requirements.txt
    .venv/bin/python demo/news.py runs/bbc_news
    .venv/bin/python -m benchmarks.accuracy.bbc_news

Prints the mean of three seeds. A seed chooses the training articles, their order and the new head.
The other flags are those of `make demo`, in `demo/bbc_news.flags`.
"""

import json
import pathlib
import statistics
import tempfile
import time

from benchmarks.harness import arguments, environment, results

SEEDS = (1, 2, 3)


def accuracy(seed):
    """Trains and evaluates once; returns the accuracy in points of 100."""
    with tempfile.TemporaryDirectory() as scratch:
        run = pathlib.Path(scratch) / "run"
        flags = ["--flagfile=demo/bbc_news.flags", f"--output_dir={run}", f"--seed={seed}"]
        environment.call(
            environment.script("run_classifier.py", *flags), cwd=environment.ROOT, stdout=None
        )
        return 100 * json.loads((run / "eval_results.json").read_text())["accuracy"]


def main():
    arguments.parser(__doc__).parse_args()
    scores = []
    for seed in SEEDS:
        start = time.monotonic()
        scores.append(accuracy(seed))
        seconds = time.monotonic() - start
        print(f"seed {seed}: accuracy {scores[-1]:.2f} in {seconds:.0f} s", flush=True)
    error = results.standard_error(scores)
    print(f"mean {statistics.mean(scores):.2f}, standard error {error:.2f}")


if __name__ == "__main__":
    main()
