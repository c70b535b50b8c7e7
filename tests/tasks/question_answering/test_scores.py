"""Scores, beside those of the published scripts for the same answers."""

import numpy as np
import pytest

from bert_keras.tasks.question_answering.scores import answer_scores, best_threshold

# Answer, right answers, exact match and F1 as the script says.
SQUAD_1 = [
    ("the Denver Broncos!", ["Denver Broncos", "Broncos"], 1, 1),
    ("in 1871 by Marta Voss", ["Marta Voss", "the engineer Marta Voss"], 0, 0.5714285714285715),
    ("A.B.C. of  bread", ["abc bread"], 0, 0.8),  # an article goes after the punctuation
    ("the", ["a"], 1, 0),  # no word is shared, for there is none
    ("nothing of that", ["42 metres"], 0, 0),
    ("twelve twelve hours", ["twelve hours"], 0, 0.8),
]
SQUAD_2 = [
    ("the Denver Broncos!", ["Denver Broncos", "The"], 1, 1),
    ("", [], 1, 1),
    ("the", [], 1, 1),
    ("two", [], 0, 0),
    ("", ["two crowns"], 0, 0),
    ("a.", ["the", "An"], 1, 1),  # answers of articles alone are none
    ("sixty loaves", ["sixty"], 0, 2 / 3),
]
CMRC = [
    ("1924年，", ["1924年"], 1, 1),  # noqa: RUF001
    ("林阿姨的茶馆", ["由林阿姨经营"], 0, 0.5),
    ("iPhone 4S手机", ["iphone 4s", "4S 手机"], 0, 6 / 7),
    ("Bob's 3,5 km。", ["Bob's 3,5"], 0, 6 / 7),
    ("茉莉，花茶", ["茉莉花茶", "花茶"], 1, 1),  # noqa: RUF001
    ("……", ["…"], 0, 0),
    ("", ["茶"], 0, 0),
    ("不在 (US)", ["美国(U.S.)", "不 在"], 0, 4 / 7),
]


@pytest.mark.parametrize(
    ("recorded", "scoring"), [(SQUAD_1, "squad"), (SQUAD_2, "squad"), (CMRC, "cmrc")]
)
def test_every_question_scores_as_in_the_published_script(recorded, scoring):
    predictions, answers, exact, f1 = zip(*recorded, strict=True)
    found_exact, found_f1 = answer_scores(predictions, answers, scoring)
    np.testing.assert_array_equal(found_exact, exact)
    np.testing.assert_allclose(found_f1, f1, rtol=1e-12)


def test_no_answer_is_right_where_there_is_none_in_chinese_too():
    exact, f1 = answer_scores(["", "茶"], [[], []], "cmrc")
    assert exact.tolist() == f1.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("english", "words"),
    [
        ("it cannot cost $3.88, can it?", "it can not cost $ 3.88 , can it ?"),
        ("a dog's, they'll don't", "a dog 's , they 'll do n't"),
        ("the u.s. of (a).", "the u.s. of ( a ) ."),
        ("1,000 or 'so'", "1,000 or ' so '"),
        ("wait... what", "wait ... what"),
    ],
)
def test_english_in_chinese_is_cut_as_in_the_penn_treebank(english, words):
    # As many Chinese characters as there are words: F1 tells how many words that are.
    count = len(words.split())
    _, f1 = answer_scores([english + "茶" * count], [["茶" * count]], "cmrc")
    assert f1[0] == pytest.approx(2 * (1 / 2) / (1 + 1 / 2))
    _, f1 = answer_scores([english], [[words]], "cmrc")
    assert f1[0] == 1


ODDS = np.array([4.0, -3.0, -1.0, -0.5, 0.25, 2.0])
F1 = np.array([1.0, 1, 0.5, 0, 0.8, 0])
HAS_ANSWER = np.array([False, True, True, False, True, False])
ANSWERED = np.array([False, True, True, True, True, False])


def test_the_threshold_is_the_one_with_the_best_f1():
    threshold = best_threshold(F1, HAS_ANSWER, ODDS, ANSWERED)
    assert threshold == -1.0  # the script's best_f1_thresh, for 75 points

    def total(threshold):
        return np.where(threshold >= ODDS, np.where(HAS_ANSWER, F1, ~ANSWERED), ~HAS_ANSWER).sum()

    assert total(threshold) == 4.5 == max(map(total, [*ODDS, -9.0]))


def test_if_never_to_answer_is_best_the_threshold_is_below_all():
    threshold = best_threshold(F1, np.zeros(6, bool), ODDS, np.ones(6, bool))
    assert threshold < ODDS.min()
    assert best_threshold(F1, np.zeros(6, bool), np.full(6, np.inf), np.zeros(6, bool)) == 0
