"""Questions about texts, as files in SQuAD's format have them."""

import collections
import dataclasses
import itertools
import json
import logging
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bert_keras.data.tables import read_text, shorten
from bert_keras.errors import InputError

_log = logging.getLogger(__name__)
_NAMED = 3  # questions that a message names


@dataclasses.dataclass(frozen=True)
class Answer:
    """A gold answer.

    Attributes:
        text: the answer.
        start: the code point of the context at which the file says that it starts.
    """

    text: str
    start: int


@dataclasses.dataclass(frozen=True)
class Questions:
    """Questions with their contexts. All lists but `contexts` have one entry for each question.

    Attributes:
        file: where they were read, for messages.
        ids: their ids, all different.
        texts: the questions.
        contexts: the contexts of all questions, each once.
        context_of: the index in `contexts` of each question's context.
        answers: the gold answers of each question, none where the context has no answer; None for
            questions to predict.
    """

    file: str
    ids: list[str]
    texts: list[str]
    contexts: list[str]
    context_of: list[int]
    answers: list[list[Answer]] | None

    def __len__(self) -> int:
        return len(self.ids)

    def location(self, index: int) -> str:
        """Returns the location of a question, for messages."""
        return f"{self.file}: question {shorten(self.ids[index])}"

    def select(self, indices: Iterable[int]) -> "Questions":
        """Returns the questions at `indices`, in that order, with their own contexts alone."""
        indices = list(indices)
        new_index: dict[int, int] = {}
        context_of = [new_index.setdefault(self.context_of[i], len(new_index)) for i in indices]
        return dataclasses.replace(
            self,
            ids=[self.ids[i] for i in indices],
            texts=[self.texts[i] for i in indices],
            contexts=[self.contexts[context] for context in new_index],
            context_of=context_of,
            answers=self.answers and [self.answers[i] for i in indices],
        )


def read_questions(path: str | os.PathLike[str], labelled: bool = True) -> Questions:
    """Reads a file in SQuAD's format: `data`, a list of articles, of paragraphs, of questions.

    Args:
        path: the file.
        labelled: False for questions to predict: answers may be missing and are not read.

    Returns:
        The questions. A labelled question without answers, or with `is_impossible`, has no answer
        in its context. A question may be empty, as some of CMRC 2018 are.

    Raises:
        InputError: the file cannot be used; the message names the file and the question.
    """
    content = _read_json(path)
    ids: list[str] = []
    texts: list[str] = []
    context_of: list[int] = []
    gold: list[list[Answer]] = []
    contexts: dict[str, int] = {}
    known: set[str] = set()
    for location, paragraph in _paragraphs_of(content, path):
        questions = _list(paragraph, "qas", location)
        context = _text(paragraph, "context", location)
        for index, qa in enumerate(questions):
            name = _text(qa, "id", f"{location}.qas[{index}]")
            question_location = f"{path}: question {shorten(name)}"
            if name in known:
                raise InputError(f"{question_location}: expected an id of its own, found two.")
            known.add(name)
            ids.append(name)
            texts.append(_string(qa, "question", question_location))
            context_of.append(contexts.setdefault(context, len(contexts)))
            if labelled:
                gold.append(_answers(qa, question_location))
    if not ids:
        raise InputError(f"{path}: expected questions, found none.")
    return Questions(str(path), ids, texts, list(contexts), context_of, gold if labelled else None)


def questions_of(inputs: Sequence[Any]) -> Questions:
    """Makes questions to predict from pairs in memory.

    Args:
        inputs: dicts of "question" and "context", or pairs (question, context), all strings.

    Raises:
        InputError: an input is not of this form; the message names its index.
    """
    texts, context_of = [], []
    contexts: dict[str, int] = {}
    for index, value in enumerate(inputs):
        pair = value
        if isinstance(value, Mapping):
            pair = [value.get("question"), value.get("context")]
        if (
            not isinstance(pair, list | tuple)
            or len(pair) != 2
            or not all(isinstance(text, str) for text in pair)
        ):
            raise InputError(
                f"[{index}]: expected a dict with 'question' and 'context', two strings, found "
                f"{str(value)[:40]!r}.",
                field="inputs",
            )
        texts.append(pair[0])
        context_of.append(contexts.setdefault(pair[1], len(contexts)))
    ids = [str(index) for index in range(len(texts))]
    return Questions("inputs", ids, texts, list(contexts), context_of, None)


def _read_json(path: str | os.PathLike[str]) -> Any:
    text = read_text(path)
    try:
        content = json.loads(text)
        if "\\u" in text:  # an escape can be half a surrogate pair, which is no character
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON in SQuAD's format: {error}.") from None
    return content


def _paragraphs_of(content: Any, path: str | os.PathLike[str]) -> Iterable[tuple[str, Any]]:
    """Yields the location of each paragraph, and the paragraph."""
    for i, article in enumerate(_list(content, "data", f"{path}")):
        for j, paragraph in enumerate(_list(article, "paragraphs", f"{path}: data[{i}]")):
            yield f"{path}: data[{i}].paragraphs[{j}]", paragraph


def drop_empty(questions: Questions) -> Questions:
    """Removes questions without text, which would be wrong training examples.

    Raises:
        InputError: no question is left.
    """
    is_empty = [not text.strip() for text in questions.texts]
    if not any(is_empty):
        return questions
    names = [shorten(name) for name in itertools.compress(questions.ids, is_empty)]
    _log.info(
        "%s: %s questions are empty and are left out: %s.",
        questions.file,
        f"{len(names):,}",
        _first(names),
    )
    if all(is_empty):
        raise InputError(f"{questions.file}: expected questions, found only empty ones.")
    return questions.select(index for index, empty in enumerate(is_empty) if not empty)


def drop_misplaced(questions: Questions) -> Questions:
    """Removes answers that are not at their given positions, which would be wrong to train on.

    Raises:
        InputError: no question is left.
    """
    return drop_answers(questions, _is_in_place, "not at the positions that the file gives")


def report_misplaced(questions: Questions) -> None:
    """Logs which answers are not at their given positions, where they are scored all the same."""
    misplaced = _names_of_others(questions, _is_in_place)
    if misplaced:
        _log.info(
            "%s: %s answers are not at the positions that the file gives. Scores compare texts "
            "alone and count them all the same: %s.",
            questions.file,
            f"{len(misplaced):,}",
            _first(misplaced),
        )


def drop_answers(
    questions: Questions, is_good: Callable[[str, Answer], bool], fault: str
) -> Questions:
    """Removes answers, and the questions that have no other answer.

    Args:
        questions: labelled questions.
        is_good: returns for a context and an answer whether the answer stays.
        fault: what is wrong with the others, "not ...", for the message that names them.

    Raises:
        InputError: no question is left.
    """
    assert questions.answers is not None
    dropped = _names_of_others(questions, is_good)
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
        fault,
        f"{len(questions) - len(kept):,}",
        _first(dropped),
    )
    if not kept:
        raise InputError(
            f"{questions.file}: expected answers, found only answers that are {fault}."
        )
    return dataclasses.replace(questions, answers=answers).select(kept)


def _is_in_place(context: str, answer: Answer) -> bool:
    return answer.start >= 0 and context.startswith(answer.text, answer.start)


def _names_of_others(questions: Questions, is_good: Callable[[str, Answer], bool]) -> list[str]:
    """Names the answers that are not good, for a message."""
    assert questions.answers is not None
    return [
        f"{shorten(name)} ({shorten(answer.text)} at {answer.start})"
        for name, context, every in zip(
            questions.ids, questions.context_of, questions.answers, strict=True
        )
        for answer in every
        if not is_good(questions.contexts[context], answer)
    ]


def hold_out(questions: Questions, fraction: float, seed: int) -> tuple[Questions, Questions]:
    """Holds out questions to evaluate on, all of a context's together.

    Args:
        questions: the questions.
        fraction: the share of the contexts to hold out, between 0 and 1.
        seed: decides which contexts are held out.

    Returns:
        The questions to train on and those held out, both in their order.

    Raises:
        InputError: one of the two would be empty.
    """
    count = len(questions.contexts)
    held_out_count = round(count * fraction)
    if not 0 < held_out_count < count:
        raise InputError(
            f"{fraction} of the {count} contexts of {questions.file} leaves none "
            f"to {'evaluate' if held_out_count == 0 else 'train'} on."
        )
    held_out = set(random.Random(seed).sample(range(count), held_out_count))
    chosen = collections.defaultdict(list)
    for index, context in enumerate(questions.context_of):
        chosen[context in held_out].append(index)
    return questions.select(chosen[False]), questions.select(chosen[True])


def _answers(qa: dict[str, Any], location: str) -> list[Answer]:
    impossible = qa.get("is_impossible", False)
    if not isinstance(impossible, bool):
        raise InputError(
            f"{location}: expected true or false as 'is_impossible', found {shorten(impossible)}."
        )
    answers = []
    for answer in _list(qa, "answers", location):
        text = _text(answer, "text", f"{location}: an answer")
        start = answer.get("answer_start")
        if isinstance(start, bool) or not isinstance(start, int):
            value = shorten(start) if "answer_start" in answer else "nothing"
            raise InputError(f"{location}: expected a number as 'answer_start', found {value}.")
        answers.append(Answer(text, start))
    if impossible and answers:
        raise InputError(f"{location}: 'is_impossible' is true and there are answers.")
    return answers


def _list(record: Any, name: str, location: str) -> list[Any]:
    value = _get(record, name, location)
    if not isinstance(value, list):
        raise InputError(f"{location}: expected a list as {name!r}, found {shorten(value)}.")
    return value


def _text(record: Any, name: str, location: str) -> str:
    value = _string(record, name, location)
    if not value or value.isspace():
        raise InputError(f"{location}: expected text as {name!r}, found nothing.")
    return value


def _string(record: Any, name: str, location: str) -> str:
    value = _get(record, name, location)
    if not isinstance(value, str):
        raise InputError(f"{location}: expected text as {name!r}, found {shorten(value)}.")
    return value


def _get(record: Any, name: str, location: str) -> Any:
    if not isinstance(record, dict):
        raise InputError(f"{location}: expected a JSON object, found {shorten(record)}.")
    if name not in record:
        keys = ", ".join(map(shorten, record)) or "nothing"
        raise InputError(f"{location}: expected {name!r}, found {keys}.")
    return record[name]


def _first(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if names[_NAMED:] else ""
    return ", ".join(names[:_NAMED]) + more
