import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_keras.corpus import sentences
from bert_keras.corpus.sentences import split_sentences


def test_full_stops_that_end_nothing():
    text = 'Mr. Smith paid $3.50 in D.C. yesterday. "Stop! I say." he cried.\nHe  left.'
    assert split_sentences(text) == [
        "Mr. Smith paid $3.50 in D.C. yesterday.",
        '"Stop! I say." he cried.',
        "He left.",
    ]


def test_scripts_without_spaces():
    assert split_sentences("你好。我很好\uff01你呢") == ["你好。", "我很好\uff01", "你呢"]


def test_language():
    text = "Das gilt z. B. hier. Und dort."
    assert split_sentences(text, "de") == ["Das gilt z. B. hier.", "Und dort."]


@pytest.mark.parametrize("text", ["", " \n\t\u3000"])
def test_nothing(text):
    assert split_sentences(text) == []


@given(st.text(), st.sampled_from(["en", "de", "zh", "none"]))
def test_nothing_is_lost(text, language):
    found = split_sentences(text, language)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(found)


def test_white_space_that_the_library_fails_on():
    # It looks for an initial one byte before the full stop.
    assert split_sentences("B\u2028. A\u3000.b") == ["B . A .b"]


def test_long_paragraphs(monkeypatch):
    text = (
        "This is a sentence, and it has words. " * 200 + "word " * 2000 + "x" * 5000 + " Done. Yes."
    )
    whole = split_sentences(text)
    monkeypatch.setattr(sentences, "_PIECE", 1000)
    found = split_sentences(text)
    assert found[:200] == whole[:200] == ["This is a sentence, and it has words."] * 200
    assert "".join(" ".join(found).split()) == "".join(text.split())
    assert max(map(len, found)) <= 1000
    assert {word for sentence in found[200:] for word in sentence.split() if "x" not in word} == {
        "word",
        "Done.",
        "Yes.",
    }


def test_time_does_not_grow_with_the_square():
    begin = time.perf_counter()
    split_sentences("“" * 100_000)  # as one piece: 4.5 s
    assert time.perf_counter() - begin < 3
