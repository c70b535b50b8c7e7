"""How good answers are, as the official evaluations of SQuAD and CMRC 2018 count it."""

import collections
import re
import string

import numpy as np

SCORINGS = ("squad", "cmrc")

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# CMRC 2018's own list.
_CMRC_PUNCTUATION = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")  # noqa: RUF001
_CHINESE = re.compile("([\u4e00-\u9fa5])")
# The Penn Treebank's marks, which stand for themselves, and what is cut from the end of a word.
_MARKS = re.compile(r"\.{2,}|[];@#$%&?!\[(){}<>\"«»‘„\u2012-\u2015]|,(?!\d)")  # noqa: RUF001
_LAST_STOP = re.compile(r"(?<!\.)\.(?=[\s'\])}>\"»]*$)")
_CLITICS = re.compile(r"((?<=\bcan)not|n't|(?<=[^'\s])'(?:s|m|d|ll|re|ve))(?=\s|$)")
_QUOTES = re.compile(r"(?<!\w)'(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)|(?<=[^'\s])'(?=\s|$)")


def answer_scores(predictions, answers, scoring="squad"):
    """Scores each question's answer against the best of its right ones.

    "squad" is Rajpurkar et al. 2016 (arXiv 1606.05250), section 6.1, and 2018 (arXiv 1806.03822):
    texts are compared in lower case, without punctuation and English articles; F1 is over words.
    "cmrc" is Cui et al. 2019 (arXiv 1810.07366), section 4: without its list of punctuation; F1 is
    over the longest run that both texts share of Chinese characters and other words.

    Args:
        predictions: a str a question, "" for no answer.
        answers: the right answers of each, a list of str; none where there is no answer.
        scoring: "squad" or "cmrc".

    Returns:
        exact match and F1, each float64 [questions], 0 to 1.
    """
    exact, f1 = np.zeros((2, len(predictions)))
    is_squad = scoring == "squad"
    is_squad_2 = is_squad and not all(answers)  # its script takes articles alone for no answer
    compare = _compare_squad if is_squad else _compare_cmrc
    for index, (prediction, right) in enumerate(zip(predictions, answers, strict=True)):
        if is_squad_2:
            right = [answer for answer in right if _normalized(answer)]
        if not right:
            exact[index] = f1[index] = not (_normalized(prediction) if is_squad else prediction)
            continue
        found = [compare(prediction, answer) for answer in right]
        exact[index], f1[index] = map(max, zip(*found, strict=True))
    return exact, f1


def best_threshold(f1, has_answer, null_odds, answered):
    """Finds the threshold above which no answer is the better answer, by the sum of F1.

    That is what SQuAD 2.0's script calls `best_f1_thresh`. If it is best never to answer, it is
    below all there is, where the script says 0.

    Args:
        f1: float [questions], that of the best span.
        has_answer: bool [questions], whether there is an answer.
        null_odds: float [questions], by how much no answer scores better than that span.
        answered: bool [questions], whether there is such a span.

    Returns:
        A float; where `null_odds` is above, there is to be no answer.
    """
    gain = np.where(has_answer, f1, -np.asarray(answered, float))
    order = np.argsort(null_odds, kind="stable")
    total = np.cumsum(gain[order])  # of answering one question more, the surest first
    best = int(np.argmax(total))
    if total[best] <= 0:
        return float(min(np.min(null_odds) - 1, 0))
    return float(null_odds[order[best]])


def _compare_squad(prediction, answer):
    prediction, answer = _normalized(prediction), _normalized(answer)
    words, right = prediction.split(), answer.split()
    shared = sum((collections.Counter(words) & collections.Counter(right)).values())
    return float(prediction == answer), _f1(shared, len(words), len(right))


def _normalized(text):
    """In lower case, without punctuation, articles and needless spaces, in that order."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _compare_cmrc(prediction, answer):
    prediction, answer = (
        text.lower().strip().translate(_CMRC_PUNCTUATION) for text in (prediction, answer)
    )
    parts, right = _cmrc_parts(prediction), _cmrc_parts(answer)
    return float(prediction == answer), _f1(_longest_run(parts, right), len(parts), len(right))


def _cmrc_parts(text):
    """Chinese characters, and what is between them cut into words as in the Penn Treebank."""
    parts = []
    for run in _CHINESE.split(text):
        if _CHINESE.match(run):
            parts.append(run)
        else:
            parts.extend(_words(run))
    return parts


def _words(text):
    text = _LAST_STOP.sub(" . ", text)
    text = _MARKS.sub(r" \g<0> ", text)
    text = _CLITICS.sub(r" \g<0>", text)
    return _QUOTES.sub(r" \g<0> ", text).split()


def _longest_run(left, right):
    """The length of the longest run of parts that two lists share."""
    longest, above = 0, [0] * (len(right) + 1)
    for part in left:
        row = [0]
        for column, other in enumerate(right):
            row.append(above[column] + 1 if part == other else 0)
        longest = max(longest, *row)
        above = row
    return longest


def _f1(shared, predicted, right):
    if not shared:
        return 0.0
    precision, recall = shared / predicted, shared / right
    return 2 * precision * recall / (precision + recall)
