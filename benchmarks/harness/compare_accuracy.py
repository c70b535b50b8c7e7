"""Two sides, ours and a peer's, run one process at a time; scores are kept as lines of JSON."""

import collections
import dataclasses
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from absl import flags

from bert_keras.cli import flags as common  # noqa: F401 - with defaults that both sides run

FLAGS = flags.FLAGS
HERE = pathlib.Path(__file__).resolve().parent

flags.DEFINE_list("seeds", ["1", "2", "3"], "One run a task, seed and side.")
flags.DEFINE_list("sides", ["ours", "peer"], "Whom to run.")
flags.DEFINE_string("results", "", "Where the scores are kept; of itself in benchmarks/results.")
flags.DEFINE_string("peer_python", sys.executable, "A Python with torch and transformers.")

SCHEDULE = ("learning_rate", "num_train_epochs", "train_batch_size")


@dataclasses.dataclass(frozen=True)
class Task:
    """What both sides are to learn.

    Attributes:
        name: in the results.
        metrics: the names of its scores, 0 to 1.
        ours: our script and its flags.
        peer: the peer's script and its flags.
    """

    name: str
    metrics: tuple[str, ...]
    ours: tuple[str, ...]
    peer: tuple[str, ...]


def compare(tasks, results):
    """Runs each task with each seed on each side, except what is in the results already.

    The schedule and the weights to start from are flags. Prints the means and standard errors.

    Args:
        tasks: `Task`s.
        results: the name of a file in benchmarks/results, where --results names none.
    """
    results = pathlib.Path(FLAGS.results or HERE / "results" / results)
    results.parent.mkdir(parents=True, exist_ok=True)
    schedule = {name: FLAGS[name].value for name in SCHEDULE}
    words = [f"--{name}={value}" for name, value in schedule.items()]
    words.append(f"--init_checkpoint={FLAGS.init_checkpoint}")
    done = {
        (run["side"], run["task"], run["seed"], *run["schedule"].values()) for run in read(results)
    }
    for task in tasks:
        for seed in map(int, FLAGS.seeds):
            for side in FLAGS.sides:
                if (side, task.name, seed, *schedule.values()) in done:
                    continue
                start = time.monotonic()
                run = {"ours": _run_ours, "peer": _run_peer}[side]
                scores = run(task, [*words, f"--seed={seed}"])
                seconds = round(time.monotonic() - start, 1)
                about = {"side": side, "task": task.name, "seed": seed, "schedule": schedule}
                with results.open("a") as file:
                    for metric in task.metrics:
                        scored = {"metric": metric, "score": scores[metric], "seconds": seconds}
                        file.write(json.dumps(about | scored) + "\n")
                        print(json.dumps(about | scored), flush=True)
    print_table(read(results))


def _run_ours(task, words):
    with tempfile.TemporaryDirectory() as scratch:
        output_dir = pathlib.Path(scratch) / "run"
        command = [sys.executable, HERE.parent / task.ours[0], *task.ours[1:], *words]
        command += ["--do_train", "--do_eval", "--precision=bfloat16", f"--output_dir={output_dir}"]
        _call([*command, "--evaluations_per_epoch=0.01"])  # at the end alone, as the peer does
        return json.loads((output_dir / "eval_results.json").read_text())


def _run_peer(task, words):
    output = _call([FLAGS.peer_python, HERE / task.peer[0], *task.peer[1:], *words])
    return json.loads(output.splitlines()[-1])


def _call(command):
    return subprocess.run(
        list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def read(path):
    """The runs of a results file, a dict each score."""
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
