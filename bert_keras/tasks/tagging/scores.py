"""Scores of found entities, counted as seqeval does by default: all of an entity, or nothing."""

import collections

import numpy as np

from bert_keras.training.task import Table

_MOST_WRONG = 50


def count(types, truth, found):
    """Counts entities by type.

    Args:
        types: the types' names.
        truth, found: entities, each a tuple that ends in the number of its type; equal tuples are
            equal entities.

    Returns:
        A dict by type of (how many were found rightly, were found, are there).
    """
    truth, found = set(truth), set(found)
    right, guessed, true = (
        collections.Counter(entity[-1] for entity in entities)
        for entities in (truth & found, found, truth)
    )
    return {name: (right[i], guessed[i], true[i]) for i, name in enumerate(types)}


def scores(counts):
    """Precision, recall and F1 over all entities, and the mean of the types' F1.

    Args:
        counts: what `count` returned.

    Returns:
        A dict. What is undefined is 0, and types neither there nor found do not count.
    """
    precision, recall, f1 = _of(*map(sum, zip(*counts.values(), strict=True)))
    by_type = [_of(*numbers)[2] for numbers in counts.values() if any(numbers)]
    return {
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "f1_macro": sum(by_type) / len(by_type) if by_type else 0.0,
    }


def table(counts):
    """How well each type is found, as a `Table`; what is undefined shows as "-"."""
    rows = []
    for name, (right, guessed, true) in counts.items():
        values = zip(_of(right, guessed, true), (guessed, true, guessed + true), strict=True)
        rows.append([name, *(f"{v:.3f}" if whole else "-" for v, whole in values), str(true)])
    return Table(["type", "precision", "recall", "F1", "entities"], rows)


def most_wrong(texts, types, words, truth, found, log_probs):
    """Shows the texts with mistakes, those first whose true tags surprised the model most.

    Args:
        texts: list of str.
        types: the types' names.
        words: their `Words`.
        truth: their `Truth`.
        found: the entities that were found, (text, start, end, number of its type) each.
        log_probs: float32 [words, tags], the logarithms of the tags' probabilities.

    Returns:
        A `Table` of 50 texts at most.
    """
    text = np.repeat(np.arange(len(texts)), np.diff(words.row_splits))  # [words]
    of_truth = log_probs[np.arange(len(text)), truth.tags]
    of_texts = np.bincount(text, of_truth, len(texts))
    listed = {}
    for name, entities in (("truth", truth.spans), ("answer", found)):
        for index, start, end, kind in entities:
            shown = f"{texts[index][start:end]} ({types[kind]})"
            listed.setdefault(index, {"truth": [], "answer": []})[name].append(shown)
    wrong = sorted({index for index, *_ in set(truth.spans) ^ set(found)}, key=of_texts.item)
    rows = [
        [texts[i], *map(", ".join, listed[i].values()), f"{of_texts[i]:.2f}"]
        for i in wrong[:_MOST_WRONG]
    ]
    return Table(["text", "truth", "answer", "log-probability of truth"], rows)


def _of(right, guessed, true):
    return (
        right / guessed if guessed else 0.0,
        right / true if true else 0.0,
        2 * right / (guessed + true) if guessed + true else 0.0,
    )
