"""How many bytes workers send each other in a step, counted by the operating system (Linux).

    PYTHONPATH=. python benchmarks/all_reduce.py

Two workers of run_classifier.py train a BERT-tiny on loopback, for some steps and for more; the
bytes that the loopback device carried more, a step and worker, are printed beside four for each
weight. Nothing else should use the device meanwhile.
"""

import pathlib
import subprocess
import sys
import tempfile

from absl import app, flags

from bert_keras.cli.script import start_tensorflow_quietly

FLAGS = flags.FLAGS
ROOT = pathlib.Path(__file__).resolve().parent.parent

flags.DEFINE_integer("more", 10, "Steps of the longer run beyond those of the shorter.", 1)

_STEPS, _WORKERS = 2, 2


def make_weights(folder):
    """Writes a new BERT-tiny; returns how many weights a classifier on it has."""
    from bert_keras.checkpoints.huggingface import write_huggingface
    from bert_keras.config import BertConfig
    from bert_keras.models.classifier import BertClassifier
    from bert_keras.text.tokenizer import BertTokenizer

    words = [f"w{number}" for number in range(30_517)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    model = BertClassifier(BertConfig.from_size("tiny", vocab_size=len(vocabulary)), num_classes=2)
    write_huggingface(model.encoder, folder)
    BertTokenizer(vocabulary).save(folder)
    return sum(weight.value.shape.num_elements() for weight in model.trainable_weights)


def carried():
    """Bytes that the loopback device has sent since the machine was started."""
    return int(pathlib.Path("/sys/class/net/lo/statistics/tx_bytes").read_text())


def train(folder, steps):
    """Trains on two workers; returns the bytes that the loopback device sent."""
    before = carried()
    command = [
        *(sys.executable, ROOT / "run_workers.py", f"--workers={_WORKERS}"),
        *(ROOT / "run_classifier.py", "--do_train", f"--train_file={ROOT / 'data/reviews.tsv'}"),
        *(f"--init_checkpoint={folder / 'weights'}", f"--output_dir={folder / f'run{steps}'}"),
        *(f"--num_train_steps={steps}", "--train_batch_size=8", "--dev_fraction=0"),
    ]
    subprocess.run(list(map(str, command)), check=True, stderr=subprocess.DEVNULL)
    return carried() - before


def main(_):
    start_tensorflow_quietly()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        weights = make_weights(folder / "weights")
        few, many = (train(folder, steps) for steps in (_STEPS, _STEPS + FLAGS.more))
    sent = (many - few) / FLAGS.more / _WORKERS
    # A ring: each of n workers sends 2 (n - 1) / n times what is summed.
    reckoned = 2 * (_WORKERS - 1) / _WORKERS * 4 * weights
    print(
        f"{weights:,} weights; a worker sends {sent / 1e6:,.2f} MB a step, "
        f"{sent / reckoned:.3f} of the {reckoned / 1e6:,.2f} MB that a ring is reckoned to send"
    )


if __name__ == "__main__":
    app.run(main)
