import warnings

import numpy as np
import pytest

from bert_keras.tasks.tagging.scores import count, scores, table
from bert_keras.tasks.tagging.tag_schemes import spans_of, tags_of

TYPES = ["a", "b", "c", "d", "e"]
TRUTH = ["B-a I-a O B-b O B-a", "B-b B-b I-b O", "O O O", "B-c I-c I-c B-a", "B-a B-b"]
FOUND = ["B-a I-a O B-a O B-a", "B-b I-b I-b O", "O B-d O", "B-c I-c O B-a", "B-a B-b"]
# What seqeval 1.2.2 gives for these by default.
RECORDED = {"f1": 5 / 9, "precision": 5 / 9, "recall": 5 / 9, "f1_macro": 0.3055555555555556}
RECORDED_TYPES = [
    ["a", "0.800", "1.000", "0.889", "4"],
    ["b", "0.500", "0.250", "0.333", "4"],
    ["c", "0.000", "0.000", "0.000", "1"],
    ["d", "0.000", "-", "0.000", "0"],
    ["e", "-", "-", "-", "0"],
]


def entities(sentences):
    return [
        (number, span.first, span.last, TYPES.index(span.type))
        for number, tags in enumerate(sentences)
        for span in spans_of(tags, "iob2")
    ]


def test_recorded_scores():
    truth, found = ([tags.split() for tags in each] for each in (TRUTH, FOUND))
    counts = count(TYPES, entities(truth), entities(found))
    assert scores(counts) == pytest.approx(RECORDED)
    assert next(iter(scores(counts))) == "f1"
    assert table(counts).rows == RECORDED_TYPES


def test_nothing_there_and_nothing_found():
    assert set(scores(count(TYPES, [], [])).values()) == {0}
    assert scores(count(TYPES, [], [(0, 1, 1, 0)]))["precision"] == 0


def test_scores_equal_seqevals():
    metrics = pytest.importorskip("seqeval.metrics")
    random = np.random.default_rng(0)

    def some():
        spans, word = [], 0
        while (word := word + random.integers(0, 3)) < 10:
            last = min(9, word + random.integers(0, 3))
            spans.append((TYPES[random.integers(4)], word, last))
            word = last + 1
        from bert_keras.tasks.tagging.tag_schemes import Span

        return tags_of([Span(*span) for span in spans], 10, "iob2")

    truth = [some() for _ in range(200)]
    found = [tags if random.random() < 0.5 else some() for tags in truth]
    ours = scores(count(TYPES, entities(truth), entities(found)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ours == pytest.approx(
            {
                "f1": metrics.f1_score(truth, found),
                "precision": metrics.precision_score(truth, found),
                "recall": metrics.recall_score(truth, found),
                "f1_macro": metrics.f1_score(truth, found, average="macro"),
            }
        )
    assert 0.4 < ours["f1"] < 0.9
