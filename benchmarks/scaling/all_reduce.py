"""How many bytes workers send each other in a step, as the operating system counts them (Linux).

    .venv/bin/python -m benchmarks.scaling.all_reduce

Two workers of run_classifier.py train a BERT-tiny over loopback, for a few steps and for more. The
additional bytes that the loopback device sent, for each additional step and worker, are printed
beside four bytes for each weight. Nothing else should use the device meanwhile.
"""

import pathlib
import subprocess
import tempfile

from benchmarks.harness import arguments, data, environment

_STEPS, _WORKERS = 2, 2
_WORDS = 30_517  # with the special tokens the vocabulary of the published BERT-tiny
_WIDTH, _CLASSES = 128, 2


def sent_bytes():
    """Bytes that the loopback device has sent since the machine was started."""
    return int(pathlib.Path("/sys/class/net/lo/statistics/tx_bytes").read_text())


def train(folder, steps):
    """Trains on two workers; returns the bytes that the loopback device sent."""
    before = sent_bytes()
    command = [
        *environment.script("run_workers.py", f"--workers={_WORKERS}"),
        *(environment.ROOT / "run_classifier.py", "--do_train"),
        *(f"--train_file={environment.ROOT / 'data/reviews.tsv'}", "--dev_fraction=0"),
        *(f"--init_checkpoint={folder / 'weights'}", f"--output_dir={folder / f'run{steps}'}"),
        *(f"--num_train_steps={steps}", "--train_batch_size=8"),
    ]
    environment.call(command, stdout=None, stderr=subprocess.DEVNULL)
    return sent_bytes() - before


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--more", type=int, default=10, help="additional steps of the longer run")
    args = flags.parse_args()
    environment.start_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        weights = data.write_new_weights(folder / "weights", _WORDS, "tiny")
        weights += _CLASSES * (_WIDTH + 1)  # the classifier's head
        few, many = (train(folder, steps) for steps in (_STEPS, _STEPS + args.more))
    sent = (many - few) / args.more / _WORKERS
    # In a ring each of n workers sends 2 (n - 1) / n times the size of the gradients.
    estimate = 2 * (_WORKERS - 1) / _WORKERS * 4 * weights
    print(
        f"{weights:,} weights; a worker sends {sent / 1e6:,.2f} MB a step, "
        f"{sent / estimate:.3f} of the {estimate / 1e6:,.2f} MB that a ring is estimated to send"
    )


if __name__ == "__main__":
    main()
