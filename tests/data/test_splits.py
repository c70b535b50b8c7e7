import collections

import pytest

from bert_keras.data.rows import Rows
from bert_keras.data.splits import hold_out, take_per_class, unseen
from bert_keras.errors import InputError


def make(labels, kind="class"):
    names = [f"text {i}" for i in range(len(labels))]
    return Rows(names, None, list(labels), names, [[name] for name in names], kind=kind)


def held(rows, fraction, seed):
    return hold_out(rows, fraction, seed, rows.classes)


def in_order(rows):
    return rows.texts == sorted(rows.texts, key=lambda text: int(text.split()[1]))


def test_held_out_by_class_and_in_order():
    rows = make("abbcccbbab" * 10)
    train, held_out = held(rows, 0.2, seed=1)
    assert collections.Counter(held_out.labels) == {"a": 4, "b": 10, "c": 6}
    assert sorted(train.texts + held_out.texts) == sorted(rows.texts)
    assert in_order(train) and in_order(held_out)


def test_a_small_share_of_many_is_in_order():
    assert in_order(held(make("ab" * 1000), 0.02, seed=1)[1])


def test_the_seed_decides():
    rows = make("ab" * 50)
    assert held(rows, 0.3, 5)[1].texts == held(rows, 0.3, 5)[1].texts
    assert held(rows, 0.3, 5)[1].texts != held(rows, 0.3, 6)[1].texts


def test_small_classes_keep_a_row_and_share_the_rounding():
    singles = make([str(i) for i in range(20)] + ["x"] * 10)
    train, held_out = held(singles, 0.5, 0)
    assert collections.Counter(held_out.labels) == {"x": 5}
    fours = make([str(i // 4) for i in range(600)])
    train, held_out = held(fours, 0.1, 0)
    assert len(held_out) == 60
    assert max(collections.Counter(held_out.labels).values()) == 1
    train, held_out = held(make("aabb"), 0.99, 0)
    assert sorted(train.labels) == ["a", "b"]


@pytest.mark.parametrize("kind", ["number", "multi"])
def test_other_kinds_are_held_out_at_random(kind):
    labels = [float(i) if kind == "number" else [str(i)] for i in range(100)]
    train, held_out = held(make(labels, kind), 0.25, 3)
    assert len(held_out) == 25 and len(train) == 75
    assert in_order(train) and in_order(held_out)
    assert held_out.labels != labels[:25]


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, float("nan")])
def test_fractions_that_are_none(fraction):
    with pytest.raises(InputError, match="fraction: expected more than 0 and less than 1"):
        held(make("ab"), fraction, 0)


def test_nothing_left_to_held():
    with pytest.raises(InputError, match=r"0\.01 of 4 rows leaves none"):
        held(make("aabb"), 0.01, 0)


def test_a_few_of_each_class():
    rows = make("abbcccbbab" * 3)
    taken, rest = take_per_class(rows, 2, seed=0)
    assert collections.Counter(taken.labels) == {"a": 2, "b": 2, "c": 2}
    assert sorted(taken.texts + rest.texts) == sorted(rows.texts)
    assert in_order(taken) and in_order(rest)
    assert taken.texts != take_per_class(rows, 2, seed=1)[0].texts
    with pytest.raises(InputError, match="expected 7 rows of the class 'a' at least, found 6"):
        take_per_class(rows, 7, 0)
    with pytest.raises(InputError, match="one label a row"):
        take_per_class(make([1.0, 2.0], "number"), 1, 0)


def test_rows_without_classes_are_divided_together():
    train, held_out = hold_out(make("ab" * 10 + "c"), 0.5, seed=0)
    assert (len(train), len(held_out)) == (10, 11)


def test_repetitions_are_not_evaluated_on(caplog):
    caplog.set_level("INFO")
    texts = ["a", "b", "b", "c"]
    rows = Rows(texts, None, list("xxyy"), texts, [[text] for text in texts])
    assert unseen(rows, rows.select([0])).texts == ["b", "c"]
    assert "2 rows are not evaluated on" in caplog.text
    pairs = Rows(["a", "a"], ["b", "c"], None, ["1", "2"], [[], []])
    assert unseen(pairs, pairs.select([0])).pairs == ["c"]
