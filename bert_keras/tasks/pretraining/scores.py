"""Scores of pretraining, from sums over the predictions of each example."""

import math

import numpy as np

# What is summed for each example: the losses of its masked tokens, how many of them were predicted
# right, how many there are, the loss of its sentence pair, and whether that was predicted right.
SUMS = 5


def pretraining_scores(sums: np.ndarray, has_sentences: bool) -> dict[str, float]:
    """Computes means over all examples.

    Args:
        sums: float32 [examples, SUMS].
        has_sentences: whether sentence pairs were predicted.

    Returns:
        `masked_lm_loss`, `masked_lm_accuracy` and `perplexity` of the masked tokens;
        `sentence_accuracy` and `sentence_loss` of the pairs.
    """
    loss, right, masked, pair_loss, pair_right = sums.sum(axis=0, dtype=np.float64)
    masked = max(masked, 1)  # special tokens in the text itself are never masked
    scores = {
        "masked_lm_loss": loss / masked,
        "masked_lm_accuracy": right / masked,
        "perplexity": math.exp(min(loss / masked, 700)),
    }
    if has_sentences:
        scores["sentence_accuracy"] = pair_right / len(sums)
        scores["sentence_loss"] = pair_loss / len(sums)
    return scores
