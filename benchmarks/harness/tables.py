"""The tables that pages quote, each rendered from the files in benchmarks/results.

`TABLES` maps a name to a function without arguments that returns a Markdown table.
"""

import functools
import statistics

from benchmarks.harness import results

# The names of the data in the published table, by the names in the results.
_DATA = {
    "CoNLL-2003": "CoNLL-2003 train, testa",
    "WNUT17": "WNUT17 train, dev",
    "XQuAD": "4,373 questions of SQuAD 1.1, XQuAD in English",
}
_METRICS = {
    "accuracy": "accuracy",
    "exact_match": "exact match",
    "f1": "F1",
    "matthews": "Matthews",
    "spearman": "Spearman",
}
_GLUE = [("CoLA", "matthews"), ("MRPC", "f1"), ("STS-B", "spearman"), ("RTE", "accuracy")]
_SST2 = [("SST-2", "accuracy")]
_TAGGING = [("CoNLL-2003", "f1"), ("WNUT17", "f1")]
_QUESTIONS = [("XQuAD", "f1"), ("XQuAD", "exact_match")]
_SETTINGS = {  # learning rate and epochs, as they are written
    "5e-5, 3": (5e-5, 3),
    "1e-4, 3": (1e-4, 3),
    "1e-4, 5": (1e-4, 5),
    "2e-4, 3": (2e-4, 3),
}
_DEFAULT = "1e-4, 3"
_SETTINGS_TASKS = [
    ("RTE", "accuracy"),
    ("CoLA", "matthews"),
    ("MRPC", "f1"),
    ("STS-B", "spearman"),
]


def _millions(number):
    return f"{number:.0f} M" if number >= 1 else f"{number:.1f} M"


_STUDIES = {  # by name: what varies, and how a value of it is written
    "length": ("tokens a row, 2,048 tokens in all", "{:,}".format),
    "rows": ("rows of 128 tokens", "{:,}".format),
    "layers": ("layers of width 256", "{:,}".format),
    "width": ("width of 4 layers", "{:,}".format),
    "size": ("weights in blocks, tiny to base", _millions),
}


def accuracy(*sources):
    """Scores of ours beside transformers: the tasks and metrics of each file.

    Args:
        *sources: pairs of a file's name and a list of (task, metric).
    """
    rows = []
    for name, tasks in sources:
        summary = results.summary(results.read(name))
        for task, metric in tasks:
            row = summary[task][metric]
            means = [
                f"{row[side]:.1f} ± {row[side + '_error']:.1f} ({row[side + '_runs']})"
                if row[side + "_runs"] > 1
                else f"{row[side]:.1f} (1)"
                for side in ("ours", "peer")
            ]
            label = "entity F1" if name == "tagging.jsonl" else _METRICS[metric]
            chance = [f"{row['difference']:+.1f}", f"{row['allowed']:.1f}"]
            rows.append([_DATA.get(task, task), label, *means, *chance])
    return results.markdown(
        ["task", "metric", "ours", "transformers", "difference", "allowed"], rows
    )


def defaults():
    """Scores of ours with the first seed, by learning rate and epochs; the best are in bold."""
    groups = results.group([run for run in results.read("glue.jsonl") if run["seed"] == 1])
    columns = []
    for task, metric in _SETTINGS_TASKS:
        scores = [groups[task, metric, *setting, 32]["ours"][0] for setting in _SETTINGS.values()]
        columns.append([_bold(f"{score:.1f}", score == max(scores)) for score in scores])
    rows = [
        [_bold(name, name == _DEFAULT), *cells]
        for name, *cells in zip(_SETTINGS, *columns, strict=True)
    ]
    return results.markdown(["learning rate, epochs", *(task for task, _ in _SETTINGS_TASKS)], rows)


def _bold(text, is_bold):
    return f"**{text}**" if is_bold else text


def pretraining():
    """Accuracy on SST-2 without pretraining, with it, and after the task's own texts."""
    scores = results.read("pretraining.json")["sst2_accuracy"]
    names = {
        "all": "all 67,349 rows, two epochs, one seed",
        "1000": "500 rows a class, ten epochs, three draws",
    }
    rows = []
    for key, name in names.items():
        cells = [name]
        for start in ("untrained", "pretrained", "adapted"):
            points = [100 * score for score in scores[key][start]]
            error = f" ± {results.standard_error(points):.1f}" if len(points) > 1 else ""
            cells.append(f"{statistics.mean(points):.1f}{error}")
        rows.append(cells)
    columns = ["trained on", "not pretrained", "pretrained on novels", "and on SST-2's texts"]
    return results.markdown(columns, rows)


def training_flags(measured=None):
    """What flags of training cost, as ratios to a run without them.

    Args:
        measured: what `speed.training_flags` measured; None: as it is in the results.
    """
    rows = []
    for name, row in (measured or results.read("flags.json")).items():
        ratios = [f"{row['ratios'][key]:.2f}" for key in ("median", "mean", "bytes")]
        difference = f"{row['numbers']:.0e}" if row["numbers"] else "0"
        rows.append([f"`{name}`", *ratios, difference])
    columns = ["flags", "time, median step", "time, mean step", "peak memory", "loss difference"]
    return results.markdown(columns, rows)


def cost_growth(name):
    """Exponents of time and memory, of one results file of `cost_growth`."""
    rows = []
    for study, found in results.read(name)["studies"].items():
        label, form = _STUDIES[study]
        ends = [form(found["places"][index]) for index in (0, -1)]
        cells = [label, ", ".join(ends)]
        for key in ("seconds", "bytes"):
            exponents = (found[kind][key] for kind in ("exponents", "exponents_at_end"))
            cells.append(", ".join(f"{exponent:.2f}" for exponent in exponents))
        rows.append(cells)
    columns = ["varied", "from, to", "exponent of time: all, last two", "of memory: all, last two"]
    return results.markdown(columns, rows)


def speed():
    """Ours beside the fastest peer: times, rates and memory; ratios above 1 are in bold."""
    rows = []
    for row in results.read("speed.json").values():
        if "what" not in row:  # recorded, such as another size, and not published
            continue
        ours, peer = (_amount(row[side], row["digits"]) for side in ("ours", "peer"))
        ratios = (_bold(f"{each['ratio']:.2f}", each["ratio"] > 1) for each in (row, row["second"]))
        rows.append([row["what"], ours, f"{row['peer_name']}: {peer}", *ratios])
    return results.markdown(["what", "ours", "peer", "ratio", "ratio on AMD"], rows)


def _amount(figure, digits):
    share = f" ({figure['share']:.0%})" if "share" in figure else ""
    return f"{figure['value']:,.{digits}f} {figure['unit']}{share}"


def plain(name):
    """A table of a file that `results.show_table` wrote."""
    return results.format_table(results.read(f"{name}.json"))


_PLAIN = (
    "allocators",
    "litert_runtimes",
    "operations_few_tokens",
    "operations_step",
    "operations_text",
    "scaling_estimate",
    "startup_phases",
    "time_to_score",
    "time_to_score_tried",
)

TABLES = {
    "accuracy": functools.partial(
        accuracy,
        ("glue.jsonl", _GLUE + _SST2),
        ("tagging.jsonl", _TAGGING),
        ("question_answering.jsonl", _QUESTIONS),
    ),
    "glue": functools.partial(accuracy, ("glue.jsonl", _GLUE)),
    "sst2": functools.partial(accuracy, ("glue.jsonl", _SST2)),
    "tagging": functools.partial(accuracy, ("tagging.jsonl", _TAGGING)),
    "question_answering": functools.partial(accuracy, ("question_answering.jsonl", _QUESTIONS)),
    "defaults": defaults,
    "pretraining": pretraining,
    "training_flags": training_flags,
    "cost_growth_training": functools.partial(cost_growth, "scaling.json"),
    "cost_growth_serving": functools.partial(cost_growth, "scaling_serving.json"),
    "speed": speed,
    **{name: functools.partial(plain, name) for name in _PLAIN},
}
