"""Compares the scores of two sides, ours and a peer's, that train one process at a time.

The scores are kept as lines of JSON, one a score, and no run is made twice.
"""

import dataclasses
import json
import pathlib
import sys
import tempfile
import time

from benchmarks.harness import arguments, environment, results

_COLUMNS = ["task", "metric", "rate", "epochs", "batch"]
_COLUMNS += ["ours", "transformers", "difference", "allowed"]


@dataclasses.dataclass(frozen=True)
class Task:
    """What both sides train on.

    Attributes:
        name: in the results.
        metrics: the names of its scores, which are from 0 to 1.
        ours: our script and its flags.
        peer: the peer's module in benchmarks/peers and its flags.
    """

    name: str
    metrics: tuple[str, ...]
    ours: tuple[str, ...]
    peer: tuple[str, ...]


def parser(description):
    """The flags of a comparison; those of the schedule default to the scripts' own defaults."""
    flags = arguments.parser(description)
    flags.add_argument("--init_checkpoint", required=True, help="folder of weights, or pkg://...")
    flags.add_argument("--learning_rate", type=float, default=1e-4, help="the highest")
    flags.add_argument("--num_train_epochs", type=float, default=3.0)
    flags.add_argument("--train_batch_size", type=int, default=32)
    flags.add_argument("--seeds", default="1,2,3", help="one run for each task, seed and side")
    flags.add_argument("--sides", default="ours,peer", help="which sides to run")
    flags.add_argument("--results", help="default: the benchmark's file in benchmarks/results")
    flags.add_argument(
        "--peer_python", default=sys.executable, help="a Python with torch and transformers"
    )
    return flags


def compare(tasks, args, name):
    """Runs each task with each seed on each side, except the runs that the results have already.

    Prints the means and standard errors.

    Args:
        tasks: `Task`s.
        args: parsed flags of `parser`.
        name: the file in benchmarks/results, unless --results names another.
    """
    path = pathlib.Path(args.results or environment.RESULTS / name)
    schedule = {flag: getattr(args, flag) for flag in results.SCHEDULE}
    words = [f"--{flag}={value}" for flag, value in schedule.items()]
    words.append(f"--init_checkpoint={args.init_checkpoint}")
    done = {
        (run["side"], run["task"], run["seed"], *run["schedule"].values())
        for run in results.read_lines(path)
    }
    for task in tasks:
        for seed in map(int, args.seeds.split(",")):
            for side in args.sides.split(","):
                if (side, task.name, seed, *schedule.values()) in done:
                    continue
                start = time.monotonic()
                command = [*words, f"--seed={seed}"]
                scores = (
                    _run_ours(task, command)
                    if side == "ours"
                    else _run_peer(task, command, args.peer_python)
                )
                seconds = round(time.monotonic() - start, 1)
                about = {"side": side, "task": task.name, "seed": seed, "schedule": schedule}
                _append(path, about, task.metrics, scores, seconds)
    print_table(results.read_lines(path))


def _append(path, about, metrics, scores, seconds):
    with path.open("a") as file:
        for metric in metrics:
            scored = {"metric": metric, "score": scores[metric], "seconds": seconds}
            file.write(json.dumps(about | scored) + "\n")
            print(json.dumps(about | scored), flush=True)


def _run_ours(task, words):
    with tempfile.TemporaryDirectory() as scratch:
        output_dir = pathlib.Path(scratch) / "run"
        command = environment.script(*task.ours, *words, "--do_train", "--do_eval")
        command += ["--precision=bfloat16", f"--output_dir={output_dir}"]
        # One evaluation, at the end, as the peer does.
        environment.call([*command, "--evaluations_per_epoch=0.01"])
        return json.loads((output_dir / "eval_results.json").read_text())


def _run_peer(task, words, python):
    command = environment.module(f"peers.{task.peer[0]}", *task.peer[1:], *words, python=python)
    return json.loads(environment.call(command).splitlines()[-1])


def print_table(runs):
    """Prints means, standard errors and differences in points of 100, by task and schedule."""
    rows = []
    for (task, metric, *settings), sides in sorted(results.group(runs).items()):
        cells = [task, metric, *(f"{value:g}" for value in settings)]
        cells += [_mean(sides.get(side)) for side in ("ours", "peer")]
        if len(sides) == 2:
            both = results.compare(sides["ours"], sides["peer"])
            cells += [f"{both['difference']:+.1f}", f"{both['allowed']:.1f}"]
        rows.append([*cells, *[""] * (len(_COLUMNS) - len(cells))])
    print(results.markdown(_COLUMNS, rows))


def _mean(scores):
    if not scores:
        return ""
    mean, error = sum(scores) / len(scores), results.standard_error(scores)
    return f"{mean:.1f} ± {error:.1f} ({len(scores)})"
