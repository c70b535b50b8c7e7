import numpy as np
import pytest

from bert_keras.tasks.question_answering.encoding import (
    answer_positions,
    drop_unreadable,
    encode_questions,
)
from bert_keras.tasks.question_answering.examples import Answer, Questions
from bert_keras.tasks.question_answering.sizes import WindowSizes
from bert_keras.text.tokenizer import BertTokenizer

WORDS = ["who", "came", "ada", "at", "nine", "##ty", "not", "the", "cat", "."]
TOKENIZER = BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])
CONTEXTS = ["The cat. Ada  came at\tNinety.", "not Ada"]
# what is asked, about which context, the answers
ASKED = [
    ("who", 0, [Answer("Ada  came", 9), Answer("cat", 4)]),
    ("came at", 1, []),
    ("who came who came", 0, [Answer("Ninety", 22)]),
    ("who", 1, [Answer("da", 5)]),  # inside of a token
]
SIZES = WindowSizes(9, 3, 2)


@pytest.fixture
def questions():
    texts, context_of, answers = map(list, zip(*ASKED, strict=True))
    return Questions("q.json", list("abcd"), texts, CONTEXTS, context_of, answers)


def test_windows_hold_the_tokens_of_questions_and_contexts(questions):
    encoded = encode_questions(TOKENIZER, questions, SIZES)
    assert encoded.windows.question.numpy().tolist() == [0, 0, 0, 1, 2, 2, 2, 2, 3]
    texts = [text.decode() for text in TOKENIZER.detokenize(encoded.examples.token_ids).numpy()]
    assert texts == [
        "who the cat . ada came",
        "who . ada came at nine",
        "who came at ninety .",
        "came at not ada",
        "who came who the cat .",
        "who came who . ada came",
        "who came who came at nine",
        "who came who ninety .",
        "who not ada",
    ]
    assert encoded.examples.truncated == 1
    assert encoded.starts.to_list()[1] == [0, 4] and encoded.ends.to_list()[1] == [3, 7]


def test_it_is_the_same_in_small_pieces(questions, monkeypatch):
    at_once = encode_questions(TOKENIZER, questions, SIZES)
    monkeypatch.setattr("bert_keras.tasks.question_answering.encoding._STRINGS", 1)
    monkeypatch.setattr("bert_keras.tasks.question_answering.encoding._QUESTIONS", 3)
    in_pieces = encode_questions(TOKENIZER, questions, SIZES)
    assert repr(at_once.windows) == repr(in_pieces.windows)
    assert at_once.ends.to_list() == in_pieces.ends.to_list()


def test_answers_are_found_in_the_windows_that_hold_all_of_them(questions):
    encoded = encode_questions(TOKENIZER, questions, SIZES)
    locations = answer_positions(encoded, questions)
    answered = []
    for tokens, (first, last) in zip(encoded.examples.token_ids.to_list(), locations, strict=True):
        answered.append(TOKENIZER.detokenize([tokens[first : last + 1]]).numpy()[0].decode())
    assert answered == ["ada came", "ada came", "", "", "", "", "", "ninety", "ada"]
    for (first, last), text in zip(locations, answered, strict=True):
        assert (first == last == 0) == (text == "")
    assert locations.dtype == np.int32


def test_answers_without_a_token_are_counted_named_and_left_out(questions, caplog):
    caplog.set_level("INFO")
    assert drop_unreadable(TOKENIZER, questions) is questions and not caplog.messages
    questions.contexts[1] = "not \u0301 Ada"
    questions.answers[0].insert(0, Answer(" ", 3))
    questions.answers[3] = [Answer("\u0301", 4)]
    kept = drop_unreadable(TOKENIZER, questions)
    assert kept.ids == ["a", "b", "c"]
    assert kept.answers[0] == [Answer("Ada  came", 9), Answer("cat", 4)]
    assert caplog.messages == [
        "q.json: 2 answers are not of characters that the tokenizer keeps and are left out, and "
        "with them 1 questions that have no other: 'a' (' ' at 3), 'd' ('\u0301' at 4)."
    ]
    questions.answers[:] = [[] for _ in questions.answers]
    assert drop_unreadable(TOKENIZER, questions) is questions
