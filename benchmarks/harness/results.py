"""The files in benchmarks/results: reading them and adding to them."""

import collections
import json
import math
import pathlib
import statistics

from benchmarks.harness.environment import RESULTS

SCHEDULE = ("learning_rate", "num_train_epochs", "train_batch_size")


def read(name):
    """The content of a file in benchmarks/results; of a .jsonl file, a list of its lines."""
    path = RESULTS / name
    if path.suffix == ".jsonl":
        return read_lines(path)
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path):
    """The lines of a .jsonl file; none if there is no such file."""
    path = pathlib.Path(path)
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def record(path, name, entry):
    """Updates one entry of a JSON file of entries, and keeps the others.

    Args:
        path: the file; None or "" records nothing.
        name: the entry's name. What a published entry has beside the new values stays.
        entry: a dict of the new values.
    """
    if not path:
        return
    path = pathlib.Path(path)
    entries = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    entries[name] = entries.get(name, {}) | entry
    path.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def show_table(path, columns, formats, rows, **about):
    """Prints a table as Markdown, and writes it as `benchmarks.harness.tables` reads it.

    Args:
        path: the file; None or "" writes nothing.
        columns: the names of the columns.
        formats: a Python format specification for each column, such as ".2f"; "" for text.
        rows: lists of values.
        **about: `command`, `measured` and other values to quote.
    """
    table = {**about, "columns": columns, "formats": formats, "rows": rows}
    print(format_table(table))
    if path:
        text = json.dumps(table, indent=1, ensure_ascii=False) + "\n"
        pathlib.Path(path).write_text(text, encoding="utf-8")


def format_table(table):
    """The Markdown of a table that `show_table` wrote."""
    rows = [
        [format(cell, form) for cell, form in zip(row, table["formats"], strict=True)]
        for row in table["rows"]
    ]
    return markdown(table["columns"], rows)


def markdown(columns, rows):
    """A Markdown table of cells that are text already."""
    lines = [f"| {' | '.join(cells)} |" for cells in (columns, *rows)]
    lines.insert(1, "|-" * len(columns) + "|")
    return "\n".join(lines)


def group(runs):
    """Scores in points of 100, by task, metric and schedule, then by side.

    Args:
        runs: lines that `compare_accuracy.compare` wrote.

    Returns:
        A dict (task, metric, rate, epochs, batch) -> {"ours": scores, "peer": scores}, where a side
        that did not run is absent.
    """
    groups = collections.defaultdict(lambda: collections.defaultdict(list))
    for run in runs:
        key = (run["task"], run["metric"], *(run["schedule"][name] for name in SCHEDULE))
        groups[key][run["side"]].append(100 * run["score"])
    return {key: dict(sides) for key, sides in groups.items()}


def compare(ours, peer):
    """Means, standard errors, difference and the difference that chance allows, in points.

    Half a point or two standard errors of the difference is allowed, whichever is larger.
    """
    errors = [standard_error(scores) for scores in (ours, peer)]
    return {
        "ours": statistics.mean(ours),
        "ours_error": errors[0],
        "ours_runs": len(ours),
        "peer": statistics.mean(peer),
        "peer_error": errors[1],
        "peer_runs": len(peer),
        "difference": statistics.mean(ours) - statistics.mean(peer),
        "allowed": -max(0.5, 2 * math.hypot(*errors)),
    }


def summary(runs):
    """`compare` of each task and metric, for the schedule that both sides ran.

    Returns:
        A dict task -> metric -> numbers.
    """
    tasks = collections.defaultdict(dict)
    for (task, metric, *_), sides in group(runs).items():
        if len(sides) == 2:
            tasks[task][metric] = compare(sides["ours"], sides["peer"])
    return dict(tasks)


def standard_error(values):
    """The standard error of a mean; 0 for a single value."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
