"""Scores of predicted answers, as the official scripts of SQuAD and CMRC 2018 compute them."""

import collections
import re
import string
from collections.abc import Sequence

import numpy as np

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# CMRC 2018's own list.
_CMRC_PUNCTUATION = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")  # noqa: RUF001
_CHINESE = re.compile("([\u4e00-\u9fa5])")
# The Penn Treebank's punctuation marks, each a word of its own, and the suffixes it splits off.
_MARKS = re.compile(r"\.{2,}|[];@#$%&?!\[(){}<>\"«»‘„\u2012-\u2015]|,(?!\d)")  # noqa: RUF001
_LAST_STOP = re.compile(r"(?<!\.)\.(?=[\s'\])}>\"»]*$)")
_CLITICS = re.compile(r"((?<=\bcan)not|n't|(?<=[^'\s])'(?:s|m|d|ll|re|ve))(?=\s|$)")
_QUOTES = re.compile(r"(?<!\w)'(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)|(?<=[^'\s])'(?=\s|$)")


def answer_scores(
    predictions: Sequence[str], answers: Sequence[Sequence[str]], scoring: str = "squad"
) -> tuple[np.ndarray, np.ndarray]:
    """Scores the prediction for each question against the most similar of its gold answers.

    "squad" is Rajpurkar et al. 2016 (arXiv 1606.05250), section 6.1, and 2018 (arXiv 1806.03822):
    texts are compared in lower case, without punctuation and English articles; F1 is over words.
    "cmrc" is Cui et al. 2019 (arXiv 1810.07366), section 4: without its list of punctuation; F1 is
    over the longest common run of Chinese characters and other words.

    Args:
        predictions: the prediction for each question, "" for no answer.
        answers: the gold answers of each question, none where there is no answer.
        scoring: "squad" or "cmrc".

    Returns:
        Exact match and F1, each float64 [questions], 0 to 1.
    """
    exact, f1 = np.zeros((2, len(predictions)))
    is_squad = scoring == "squad"
    is_squad_2 = is_squad and not all(answers)  # its script ignores gold answers of articles alone
    compare = _compare_squad if is_squad else _compare_cmrc
    for index, (prediction, gold) in enumerate(zip(predictions, answers, strict=True)):
        if is_squad_2:
            gold = [answer for answer in gold if _normalize(answer)]
        if not gold:
            exact[index] = f1[index] = not (_normalize(prediction) if is_squad else prediction)
            continue
        scores = [compare(prediction, answer) for answer in gold]
        exact[index], f1[index] = map(max, zip(*scores, strict=True))
    return exact, f1


def best_threshold(
    f1: np.ndarray, has_answer: np.ndarray, null_odds: np.ndarray, is_answered: Sequence[bool]
) -> float:
    """Finds the threshold for no answer with the largest sum of F1.

    SQuAD 2.0's script calls it `best_f1_thresh`. If it is best never to answer, the threshold is
    below all `null_odds`, where the script says 0.

    Args:
        f1: float [questions], the F1 of each question's best span.
        has_answer: bool [questions], whether there is a gold answer.
        null_odds: float [questions], the score of no answer minus that of the best span.
        is_answered: bool [questions], whether the best span is not empty.

    Returns:
        The threshold: where `null_odds` is above it, the prediction should be no answer.
    """
    gain = np.where(has_answer, f1, -np.asarray(is_answered, float))
    order = np.argsort(null_odds, kind="stable")
    total = np.cumsum(gain[order])  # of answering the questions so far, in the order of the odds
    best = int(np.argmax(total))
    if total[best] <= 0:
        return float(min(np.min(null_odds) - 1, 0))
    return float(null_odds[order[best]])


def _compare_squad(prediction: str, answer: str) -> tuple[float, float]:
    prediction, answer = _normalize(prediction), _normalize(answer)
    words, gold = prediction.split(), answer.split()
    shared = sum((collections.Counter(words) & collections.Counter(gold)).values())
    return float(prediction == answer), _f1(shared, len(words), len(gold))


def _normalize(text: str) -> str:
    """Lower-cases, and removes punctuation, articles and repeated spaces, in that order."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _compare_cmrc(prediction: str, answer: str) -> tuple[float, float]:
    prediction, answer = (
        text.lower().strip().translate(_CMRC_PUNCTUATION) for text in (prediction, answer)
    )
    words, gold = _cmrc_words(prediction), _cmrc_words(answer)
    return float(prediction == answer), _f1(_longest_run(words, gold), len(words), len(gold))


def _cmrc_words(text: str) -> list[str]:
    """Splits a text into Chinese characters, and the rest into the words of the Penn Treebank."""
    words = []
    for run in _CHINESE.split(text):
        if _CHINESE.match(run):
            words.append(run)
        else:
            words.extend(_words(run))
    return words


def _words(text: str) -> list[str]:
    text = _LAST_STOP.sub(" . ", text)
    text = _MARKS.sub(r" \g<0> ", text)
    text = _CLITICS.sub(r" \g<0>", text)
    return _QUOTES.sub(r" \g<0> ", text).split()


def _longest_run(left: Sequence[str], right: Sequence[str]) -> int:
    """The length of the longest run of words that two lists have in common."""
    longest, above = 0, [0] * (len(right) + 1)
    for word in left:
        row = [0]
        for column, other in enumerate(right):
            row.append(above[column] + 1 if word == other else 0)
        longest = max(longest, *row)
        above = row
    return longest


def _f1(shared: int, predicted: int, gold: int) -> float:
    if not shared:
        return 0.0
    precision, recall = shared / predicted, shared / gold
    return 2 * precision * recall / (precision + recall)
