import collections
import random
import subprocess
import sys

import pytest
import reference_tokenizer

from bert_keras.errors import InputError
from bert_keras.text import learning
from bert_keras.text.learning import count_words, learn_vocabulary, measure_coverage
from bert_keras.text.tokenizer import BertTokenizer

TEXTS = [
    "The cats sat; the cats, the CATS purred!",
    "Él çomía\u00a0naïve Ångström, ΟΔΟΣ and ΟΔΟΣ.",
    "力加勝北区 mixed力with\tKanji \u200b\u0000and\ufffdcontrol",
    "",
    "  3.14 ½ e-mail @home ##ing [MASK] 😀😀 a\u0301bc " + "y" * 200,
]


def made_up(words, seed=0):
    """Counts of made-up words, the frequent ones of frequent syllables."""
    rng = random.Random(seed)
    syllables = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
    counts = collections.Counter()
    for rank in range(words):
        picked = [syllables[min(int(rng.expovariate(0.08)), 59)] for _ in range(rng.randint(1, 4))]
        counts["".join(picked)] += 5000 // (rank + 1) + 1
    return counts


# Counting.


@pytest.mark.parametrize("lowercase", [True, False])
def test_words_are_the_tokenizers(lowercase):
    expected = collections.Counter(
        word for text in TEXTS for word in reference_tokenizer.words(text, lowercase)
    )
    assert count_words(TEXTS, lowercase) == expected


def test_words_that_no_vocabulary_has():
    assert count_words(["z" * 201 + " ok", "\U0010fffd \U0010fffdx ok"]) == {"ok": 2}
    assert count_words([]) == {}


def test_counting_in_little_memory(monkeypatch):
    whole = count_words(TEXTS)
    monkeypatch.setattr(learning, "_MAX_CHUNKS", 3)
    monkeypatch.setattr(learning, "_BATCH", 2)
    assert count_words(TEXTS) == whole
    monkeypatch.setattr(learning, "_MAX_WORDS", 10)
    text = ["common rare" + str(i) for i in range(100)]
    counts = count_words(text)
    assert counts["common"] == 100
    assert len(counts) <= 10 + 6


# Learning.


def test_a_vocabulary():
    tokens = learn_vocabulary(made_up(2000), 400)
    assert len(tokens) == len(set(tokens)) == 400
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    ids = BertTokenizer(tokens).tokenize(list(made_up(2000)))
    assert not (ids.values == 1).numpy().any()
    # Frequent words are one token, and the more tokens, the fewer pieces.
    assert [word for word, _ in made_up(2000).most_common(10) if word in tokens] != []
    few = BertTokenizer(learn_vocabulary(made_up(2000), 200)).tokenize(list(made_up(2000)))
    assert ids.values.shape[0] < few.values.shape[0]


def test_the_most_frequent_pair_first():
    words = {"ab": 100, "abc": 10, "bd": 50}
    characters = learn_vocabulary(words, len(learn_vocabulary(words, 10_000)) - 3)[5:]
    tokens = learn_vocabulary(words, 10_000)
    assert tokens[-3:] == ["ab", "bd", "abc"]
    assert set(characters) >= {"a", "b", "##b", "##c", "##d", "0", "9", "##0", "%", "~"}
    assert "##a" not in characters and "##%" not in characters


@pytest.mark.long
def test_the_same_words_give_the_same_vocabulary():
    words = made_up(500)
    shuffled = dict(random.Random(1).sample(sorted(words.items()), len(words)))
    here = learn_vocabulary(words, 300)
    assert learn_vocabulary(shuffled, 300) == here
    # Hash seeds, and the trainer's own, differ from process to process.
    program = (
        "import sys; sys.path.append('tests/text')\n"
        "from test_learning import made_up, learn_vocabulary\n"
        "print(*learn_vocabulary(made_up(500), 300))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == here, done.stderr


def test_rare_characters_get_no_token(caplog):
    words = {"common": 1_000_000, "r\u00e4re": 1, "well": 1000}
    tokens = learn_vocabulary(words, 1000)
    assert "\u00e4" not in tokens and "common" in tokens and "well" in tokens
    assert "rare" not in tokens and "##re" not in tokens  # since "räre" is [UNK]
    assert f"has {len(tokens)} tokens instead of 1,000" in caplog.text
    assert len(tokens) < 1000


def test_large_counts_are_scaled_down(monkeypatch):
    words = made_up(300)
    monkeypatch.setattr(learning, "_MAX_OCCURRENCES", 2000)
    repeated = learning._repeated(words, {character for word in words for character in word})
    counts = collections.Counter(word for text in repeated for word in text.split())
    assert 1500 < counts.total() < 2500
    assert counts.most_common(1)[0][0] == words.most_common(1)[0][0]


def test_sizes_that_cannot_be():
    with pytest.raises(InputError, match=r"vocab_size: expected at least \d+ .* found 20\."):
        learn_vocabulary({"word": 3}, 20)
    with pytest.raises(InputError, match="found none"):
        learn_vocabulary({}, 100)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(InputError, match=r"needs the package tokenizers .*\[pretraining\]"):
        learn_vocabulary({"word": 3}, 200)


# Measuring.


def test_coverage():
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "##s", "#", "##", "."]
    coverage = measure_coverage(BertTokenizer(vocabulary), iter(["cats cat.", "dog # ##", "cat"]))
    assert (coverage.words, coverage.tokens, coverage.unknown) == (8, 9, 1)
    assert coverage.unknown_share == 1 / 8
    assert coverage.tokens_per_word == 9 / 8
    nothing = measure_coverage(BertTokenizer(vocabulary), [])
    assert (nothing.words, nothing.unknown_share, nothing.tokens_per_word) == (0, 0, 0)
