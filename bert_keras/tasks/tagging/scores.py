"""Scores of predicted entities, as seqeval computes them by default.

A predicted entity counts as right only if its start, end and type are all right.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bert_keras.training.task import Table

if TYPE_CHECKING:
    from bert_keras.tasks.tagging.words import Truth, Words

_MOST_WRONG = 50

# By type: how many entities were predicted rightly, how many were predicted, how many there are.
Counts = Mapping[str, tuple[int, int, int]]


def count(
    types: Sequence[str],
    truth: Iterable[tuple[int, ...]],
    predicted: Iterable[tuple[int, ...]],
) -> dict[str, tuple[int, int, int]]:
    """Counts entities by type.

    Args:
        types: the names of the types.
        truth: the labelled entities, each a tuple whose last element is the index of its type.
        predicted: the predicted entities, likewise. Equal tuples are equal entities.

    Returns:
        By type: how many entities were predicted rightly, how many were predicted, and how many
        there are.
    """
    labelled, guesses = set(truth), set(predicted)
    right, guessed, true = (
        collections.Counter(entity[-1] for entity in entities)
        for entities in (labelled & guesses, guesses, labelled)
    )
    return {name: (right[i], guessed[i], true[i]) for i, name in enumerate(types)}


def scores(counts: Counts) -> dict[str, float]:
    """Computes precision, recall and F1 over all entities, and the mean of the types' F1.

    Args:
        counts: what `count` returned.

    Returns:
        `f1`, `precision`, `recall` and `f1_macro`. Undefined scores are 0. Types that are neither
        labelled nor predicted are not in the mean.
    """
    right, guessed, true = (sum(column) for column in zip(*counts.values(), strict=True))
    precision, recall, f1 = _ratios(right, guessed, true)
    by_type = [_ratios(*of_type)[2] for of_type in counts.values() if any(of_type)]
    return {
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "f1_macro": sum(by_type) / len(by_type) if by_type else 0.0,
    }


def table(counts: Counts) -> Table:
    """Returns the scores of each type as a table; undefined ones show as "-"."""
    rows = []
    for name, (right, guessed, true) in counts.items():
        values = zip(_ratios(right, guessed, true), (guessed, true, guessed + true), strict=True)
        rows.append([name, *(f"{v:.3f}" if total else "-" for v, total in values), str(true)])
    return Table(["type", "precision", "recall", "F1", "entities"], rows)


def most_wrong(
    texts: Sequence[str],
    types: Sequence[str],
    words: Words,
    truth: Truth,
    predicted: Sequence[tuple[int, int, int, int]],
    log_probs: np.ndarray,
) -> Table:
    """Lists the texts with mistakes, those with the least probable true tags first.

    Args:
        texts: the texts.
        types: the names of the types.
        words: the words of the texts.
        truth: their labels.
        predicted: the predicted entities, (text, start, end, index of the type) each.
        log_probs: float32 [words, tags], the logarithms of the tags' probabilities.

    Returns:
        A table of at most 50 texts.
    """
    text = np.repeat(np.arange(len(texts)), np.diff(words.row_splits))  # [words]
    of_truth = log_probs[np.arange(len(text)), truth.tags]
    of_texts = np.bincount(text, of_truth, len(texts))
    listed: dict[int, dict[str, list[str]]] = {}
    for name, entities in (("truth", truth.spans), ("answer", predicted)):
        for index, start, end, kind in entities:
            shown = f"{texts[index][start:end]} ({types[kind]})"
            listed.setdefault(index, {"truth": [], "answer": []})[name].append(shown)
    wrong = sorted({index for index, *_ in set(truth.spans) ^ set(predicted)}, key=of_texts.item)
    rows = [
        [texts[i], *map(", ".join, listed[i].values()), f"{of_texts[i]:.2f}"]
        for i in wrong[:_MOST_WRONG]
    ]
    return Table(["text", "truth", "answer", "log-probability of truth"], rows)


def _ratios(right: int, guessed: int, true: int) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    return (
        right / guessed if guessed else 0.0,
        right / true if true else 0.0,
        2 * right / (guessed + true) if guessed + true else 0.0,
    )
