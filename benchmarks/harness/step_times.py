"""The moments at which run_classifier.py ends its steps, from inside its process.

A benchmark starts `command`, which is this module with the flags of run_classifier.py, and reads
the file that `FILE` names in its environment.
"""

import json
import os
import pathlib
import runpy
import time

from benchmarks.harness import environment

FILE = "BERT_KERAS_STEP_TIMES"


def command(*arguments):
    """The command that trains and writes a file of [seconds, processor seconds], one a step.

    The seconds are on the monotonic clock, which all processes of a machine share. The processor
    seconds are those of all threads since the process started.
    """
    return environment.module("harness.step_times", *arguments)


def read(path):
    """The moments in a file that the command wrote."""
    return json.loads(pathlib.Path(path).read_text())


def main():
    from bert_keras.progress import Progress

    path = pathlib.Path(os.environ.pop(FILE, os.devnull))
    times, advance = [], Progress.advance

    def timed(*arguments, **named):
        times.append((time.monotonic(), time.process_time()))
        advance(*arguments, **named)

    Progress.advance = timed  # the training loop calls it at the end of each step
    try:
        runpy.run_path(str(environment.ROOT / "run_classifier.py"), run_name="__main__")
    finally:
        path.write_text(json.dumps(times))


if __name__ == "__main__":
    main()
