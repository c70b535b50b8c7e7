"""Questions about texts, as the files of SQuAD 1.1 and 2.0 hold them."""

import collections
import dataclasses
import itertools
import json
import logging
import random

from bert_keras.data.tables import read_text, shorten
from bert_keras.errors import InputError

_log = logging.getLogger(__name__)
_NAMED = 3  # questions that a message names


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer: a text, and the code point of the context at which it is said to begin."""

    text: str
    start: int


@dataclasses.dataclass(frozen=True)
class Questions:
    """Questions with their contexts, one entry a question in every list but `contexts`.

    Attributes:
        file: where they were read, for messages.
        ids: strings, all different.
        texts: the questions.
        contexts: the texts that are asked about, each once.
        context_of: which of `contexts` a question is about.
        answers: lists of `Answer`, empty where the context holds none; None for questions to
            predict.
    """

    file: str
    ids: list
    texts: list
    contexts: list
    context_of: list
    answers: list | None

    def __len__(self):
        return len(self.ids)

    def location(self, index):
        """Names a question, for messages."""
        return f"{self.file}: question {shorten(self.ids[index])}"

    def select(self, indices):
        """Returns the questions at `indices`, in that order, with their own contexts alone."""
        indices = list(indices)
        number = {}
        context_of = [number.setdefault(self.context_of[i], len(number)) for i in indices]
        return dataclasses.replace(
            self,
            ids=[self.ids[i] for i in indices],
            texts=[self.texts[i] for i in indices],
            contexts=[self.contexts[context] for context in number],
            context_of=context_of,
            answers=self.answers and [self.answers[i] for i in indices],
        )


def read_questions(path, labelled=True):
    """Reads a file in SQuAD's layout: `data`, of articles, of paragraphs, of questions.

    Args:
        path: the file.
        labelled: False for questions to be predicted: their answers may be missing and are not
            read.

    Returns:
        `Questions`. Of a labelled question without answers, or with `is_impossible`, the context
        is taken to hold no answer. A question may be empty, as CMRC 2018 has some.

    Raises:
        InputError: the file cannot be used; the message names it and the question.
    """
    text = read_text(path)
    try:
        content = json.loads(text)
        if "\\u" in text:  # an escape can name half a surrogate pair, which is no text
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON in the layout of SQuAD: {error}.") from None
    questions = Questions(str(path), [], [], [], [], [] if labelled else None)
    contexts, ids = {}, set()
    for i, article in enumerate(_list(content, "data", f"{path}")):
        for j, paragraph in enumerate(_list(article, "paragraphs", f"{path}: data[{i}]")):
            location = f"{path}: data[{i}].paragraphs[{j}]"
            asked = _list(paragraph, "qas", location)
            context = _text(paragraph, "context", location)
            for k, qa in enumerate(asked):
                name = _text(qa, "id", f"{location}.qas[{k}]")
                place_of_question = f"{path}: question {shorten(name)}"
                if name in ids:
                    raise InputError(f"{place_of_question}: expected an id of its own, found two.")
                ids.add(name)
                questions.ids.append(name)
                questions.texts.append(_string(qa, "question", place_of_question))
                questions.context_of.append(contexts.setdefault(context, len(contexts)))
                if labelled:
                    questions.answers.append(_answers(qa, place_of_question))
    questions.contexts.extend(contexts)
    if not questions:
        raise InputError(f"{path}: expected questions, found none.")
    return questions


def drop_empty(questions):
    """Leaves out questions that ask nothing, which would teach nonsense.

    Raises:
        InputError: there is no other.
    """
    is_empty = [not text.strip() for text in questions.texts]
    if not any(is_empty):
        return questions
    names = [shorten(name) for name in itertools.compress(questions.ids, is_empty)]
    _log.info(
        "%s: %s questions are empty and are left out: %s.",
        questions.file,
        f"{len(names):,}",
        _some(names),
    )
    if all(is_empty):
        raise InputError(f"{questions.file}: expected questions, found empty ones alone.")
    return questions.select(index for index, empty in enumerate(is_empty) if not empty)


def drop_misplaced(questions):
    """Leaves out answers that are not where they are said to be, which would teach nonsense."""
    return drop_answers(questions, _is_there, "not in their contexts where they are said to be")


def report_misplaced(questions):
    """Says which answers are not where they are said to be, where they count all the same."""
    misplaced = _others(questions, _is_there)
    if misplaced:
        _log.info(
            "%s: %s answers are not in their contexts where they are said to be; scores, which "
            "compare texts alone, count them all the same: %s.",
            questions.file,
            f"{len(misplaced):,}",
            _some(misplaced),
        )


def drop_answers(questions, is_good, trouble):
    """Leaves out answers, and the questions that had no other.

    Args:
        questions: labelled `Questions`.
        is_good: tells by a context and an `Answer` whether it stays.
        trouble: what those are that do not, "not ...", for the message that names them.

    Returns:
        `Questions`.

    Raises:
        InputError: there is no other answer.
    """
    dropped = _others(questions, is_good)
    if not dropped:
        return questions
    answers = [
        [answer for answer in every if is_good(questions.contexts[context], answer)]
        for every, context in zip(questions.answers, questions.context_of, strict=True)
    ]
    kept = [i for i, every in enumerate(questions.answers) if answers[i] or not every]
    _log.info(
        "%s: %s answers are %s and are left out, and with them %s questions that have no other: "
        "%s.",
        questions.file,
        f"{len(dropped):,}",
        trouble,
        f"{len(questions) - len(kept):,}",
        _some(dropped),
    )
    if not kept:
        raise InputError(
            f"{questions.file}: expected answers, found those alone that are {trouble}."
        )
    return dataclasses.replace(questions, answers=answers).select(kept)


def _is_there(context, answer):
    return answer.start >= 0 and context.startswith(answer.text, answer.start)


def _others(questions, is_good):
    """Names the answers that are not good."""
    return [
        f"{shorten(name)} ({shorten(answer.text)} at {answer.start})"
        for name, context, every in zip(
            questions.ids, questions.context_of, questions.answers, strict=True
        )
        for answer in every
        if not is_good(questions.contexts[context], answer)
    ]


def hold_out(questions, fraction, seed):
    """Sets whole contexts aside to evaluate on, so that no context is on both sides.

    Args:
        questions: `Questions`.
        fraction: the share of the contexts to hold out, between 0 and 1.
        seed: an integer; the same seed divides the same questions in the same way.

    Returns:
        (the `Questions` to train on, those held out), both in their order.

    Raises:
        InputError: one side would be empty.
    """
    count = len(questions.contexts)
    held_out_count = round(count * fraction)
    if not 0 < held_out_count < count:
        raise InputError(
            f"{fraction} of the {count} contexts of {questions.file} leaves none "
            f"to {'evaluate' if held_out_count == 0 else 'train'} on."
        )
    held_out = set(random.Random(seed).sample(range(count), held_out_count))
    sides = collections.defaultdict(list)
    for index, context in enumerate(questions.context_of):
        sides[context in held_out].append(index)
    return questions.select(sides[False]), questions.select(sides[True])


def _answers(qa, location):
    impossible = qa.get("is_impossible", False)
    if not isinstance(impossible, bool):
        raise InputError(
            f"{location}: expected true or false as 'is_impossible', found {shorten(impossible)}."
        )
    found = []
    for answer in _list(qa, "answers", location):
        text = _text(answer, "text", f"{location}: an answer")
        start = answer.get("answer_start")
        if isinstance(start, bool) or not isinstance(start, int):
            what = shorten(start) if "answer_start" in answer else "nothing"
            raise InputError(f"{location}: expected a number as 'answer_start', found {what}.")
        found.append(Answer(text, start))
    if impossible and found:
        raise InputError(f"{location}: 'is_impossible' is true and there are answers.")
    return found


def _list(record, name, location):
    value = _get(record, name, location)
    if not isinstance(value, list):
        raise InputError(f"{location}: expected a list as {name!r}, found {shorten(value)}.")
    return value


def _text(record, name, location):
    value = _string(record, name, location)
    if not value or value.isspace():
        raise InputError(f"{location}: expected text as {name!r}, found nothing.")
    return value


def _string(record, name, location):
    value = _get(record, name, location)
    if not isinstance(value, str):
        raise InputError(f"{location}: expected text as {name!r}, found {shorten(value)}.")
    return value


def _get(record, name, location):
    if not isinstance(record, dict):
        raise InputError(f"{location}: expected a JSON object, found {shorten(record)}.")
    if name not in record:
        keys = ", ".join(map(shorten, record)) or "nothing"
        raise InputError(f"{location}: expected {name!r}, found {keys}.")
    return record[name]


def _some(names):
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if names[_NAMED:] else ""
    return ", ".join(names[:_NAMED]) + more
