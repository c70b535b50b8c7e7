import math

import pytest

from bert_keras.training.early_stopping import EarlyStopping


def watch(metric, patience, values):
    stopping = EarlyStopping(metric, patience)
    return [(stopping.is_better({metric: v}), stopping.is_over) for v in values]


def test_stops_after_so_many_without_a_better_one():
    seen = watch("f1", 2, [0.1, 0.3, 0.3, 0.2])
    assert seen == [(True, False), (True, False), (False, False), (False, True)]


def test_a_better_one_starts_the_count_again():
    seen = watch("f1", 2, [0.3, 0.2, 0.4, 0.1, 0.1])
    assert [over for _, over in seen] == [False, False, False, False, True]


@pytest.mark.parametrize("metric", ["mse", "masked_lm_loss", "sentence_loss", "perplexity"])
def test_scores_that_are_better_when_lower(metric):
    assert [better for better, _ in watch(metric, 9, [3.0, 4.0, 2.0, 2.5])] == [1, 0, 1, 0]


def test_without_a_metric_the_last_is_the_best_and_it_never_ends():
    assert watch("", 1, [0.5, 0.1, math.nan]) == [(True, False)] * 3


def test_a_score_that_is_no_number():
    seen = watch("f1", 9, [math.nan, math.nan, -0.5, math.nan, -0.6, -0.4])
    assert [better for better, _ in seen] == [True, True, True, False, False, True]


@pytest.mark.parametrize("patience", [1, 2])
def test_a_restored_one_goes_on(patience):
    first, again = EarlyStopping("f1", patience), EarlyStopping("f1", patience)
    for score in (0.5, 0.4):
        first.is_better({"f1": score})
    for mine, saved in zip(again.variables, first.variables, strict=True):
        mine.assign(saved)
    assert again.is_over == first.is_over == (patience == 1)
    assert not again.is_better({"f1": 0.45})
    assert again.is_over
