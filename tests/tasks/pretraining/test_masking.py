import numpy as np
import pytest
import tensorflow as tf

from bert_keras.tasks.pretraining.masking import STRATEGIES, Pieces, _spans, mask_tokens
from bert_keras.text.tokenizer import BertTokenizer

WORDS, CONTINUATIONS = 60, 40
VOCABULARY = [
    *("[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *(f"w{n}" for n in range(WORDS)),
    *(f"##p{n}" for n in range(CONTINUATIONS)),
]
TOKENIZER = BertTokenizer(VOCABULARY)
PIECES = Pieces.from_tokenizer(TOKENIZER)
PAD, UNK, CLS, SEP, MASK = (
    VOCABULARY.index(f"[{s}]") for s in ("PAD", "UNK", "CLS", "SEP", "MASK")
)
FIRST_WORD, FIRST_PIECE = VOCABULARY.index("w0"), VOCABULARY.index("##p0")


def draw(lists, rate=0.15, strategy="token", seed=0):
    """(the tokens, what replaces them, whether a prediction is wanted), a list of arrays each."""
    token_ids = tf.ragged.constant(lists, tf.int32)
    hidden, masked = mask_tokens(token_ids, [seed, 7], rate, strategy, PIECES)
    assert hidden.dtype == masked.dtype == tf.int32
    hidden, masked = ([np.array(row) for row in part.to_list()] for part in (hidden, masked))
    return [np.array(row) for row in lists], hidden, masked


def make_texts(count, seed=0, words=70):
    """Framed texts of two segments; a word has 1 to 4 pieces."""
    random = np.random.default_rng(seed)

    def segment():
        for _ in range(random.integers(words // 2, words)):
            yield random.integers(FIRST_WORD, FIRST_WORD + WORDS)
            for _ in range(random.choice(4, p=[0.7, 0.1, 0.1, 0.1])):
                yield random.integers(FIRST_PIECE, FIRST_PIECE + CONTINUATIONS)

    texts = [[CLS, *segment(), SEP, *segment(), SEP] for _ in range(count)]
    return [[int(token) for token in text] for text in texts]


def words_of(tokens):
    """Lists of the positions of each word, in plain Python; special tokens are none."""
    words, previous = [], False
    for position, token in enumerate(tokens):
        if token >= FIRST_PIECE and previous:
            words[-1].append(position)
        elif token >= FIRST_WORD:
            words.append([position])
        previous = token >= FIRST_WORD
    return words


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_eight_of_ten_become_mask_one_another_and_one_stays(strategy):
    tokens, hidden, masked = (np.concatenate(x) for x in draw(make_texts(500), 0.15, strategy))
    drawn = masked == 1
    assert set(masked) == {0, 1}
    np.testing.assert_array_equal(hidden[~drawn], tokens[~drawn])
    tokens, hidden = tokens[drawn], hidden[drawn]
    # Of some 11,000 tokens, or 3,000 spans: the widest is five standard deviations.
    tolerance = 0.04 if strategy == "span" else 0.02
    assert abs(np.mean(hidden == MASK) - 0.8) < tolerance
    assert abs(np.mean(hidden == tokens) - 0.1) < tolerance
    assert abs(np.mean((hidden != tokens) & (hidden != MASK)) - 0.1) < tolerance


def test_replacements_are_uniform_over_ordinary_tokens():
    tokens, hidden, _ = (np.concatenate(x) for x in draw([[FIRST_WORD] * 1000] * 100, 1.0))
    others, counts = np.unique(hidden[(hidden != MASK) & (hidden != tokens)], return_counts=True)
    assert set(others) == set(range(FIRST_WORD + 1, len(VOCABULARY)))
    assert counts.min() > 60 and counts.max() < 145  # 100 each, four standard deviations


@pytest.mark.parametrize("rate", [0.01, 0.15, 0.4, 1.0])
def test_the_number_drawn(rate):
    texts = make_texts(40)
    for tokens, masked in zip(*draw(texts, rate)[::2], strict=True):
        ordinary = int(np.sum(tokens >= FIRST_WORD))
        assert masked.sum() == min(max(1, round(rate * len(tokens))), ordinary)


@pytest.mark.parametrize("strategy", ["word", "span"])
@pytest.mark.parametrize("rate", [0.01, 0.15, 0.5])
def test_words_are_masked_whole(strategy, rate):
    excess = []
    for tokens, masked in zip(*draw(make_texts(300), rate, strategy)[::2], strict=True):
        words = [masked[word] for word in words_of(tokens)]
        assert all(len(set(word)) == 1 for word in words)
        budget = max(1, round(rate * len(tokens)))
        excess.append(masked.sum() - budget)
        assert masked.sum() > 0 and abs(excess[-1]) <= (2 if budget > 1 else 3)
    if rate > 0.01:
        assert abs(np.mean(excess)) < 0.2


def test_long_words_are_as_likely_as_short_ones():
    share = {}
    for tokens, masked in zip(*draw(make_texts(600), 0.15, "word")[::2], strict=True):
        for word in words_of(tokens):
            share.setdefault(len(word), []).append(masked[word[0]])
    assert sorted(share) == [1, 2, 3, 4]
    for values in share.values():
        assert abs(np.mean(values) - 0.15) < 0.015


def test_each_position_is_as_likely():
    for strategy in STRATEGIES:
        texts = [[CLS, *[FIRST_WORD] * 40, SEP]] * 4000
        share = np.mean(draw(texts, 0.15, strategy)[2], 0)
        assert share[0] == share[-1] == 0
        assert np.abs(share[1:-1] - 0.15).max() < 0.03  # five standard deviations


def test_a_span_does_not_go_on_over_a_special_token_nor_does_a_word():
    text = [FIRST_PIECE, SEP, FIRST_PIECE, FIRST_PIECE, UNK, FIRST_PIECE]
    for seed in range(20):
        (masked,) = draw([text], 0.2, "word", seed)[2]
        assert masked.tolist() in ([1, 0, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1])


def test_spans_are_as_long_as_the_paper_says():
    starts = np.arange(200_000) % 1000 == 0
    spans = _spans(tf.constant(starts), [3, 4]).numpy()
    assert (np.diff(spans)[starts[1:]] == 1).all()  # none reaches from one text into the next
    lengths = np.bincount(spans)
    share = np.bincount(lengths, minlength=12) / len(lengths)
    expected = 0.2 * 0.8 ** np.arange(10)
    np.testing.assert_allclose(share[1:11], expected / expected.sum(), atol=0.006)
    assert share[0] == share[11:].sum() == 0
    assert abs(lengths.mean() - 3.8) < 0.06


def test_spans_are_runs_that_share_their_fate():
    runs, alike = [], []
    for _, hidden, masked in zip(*draw(make_texts(500), 0.15, "span"), strict=True):
        edges = np.flatnonzero(np.diff(np.pad(masked, 1)))
        runs += (edges[1::2] - edges[::2]).tolist()
        neighbours = (masked[1:] == 1) & (masked[:-1] == 1)
        alike += ((hidden[1:] == MASK) == (hidden[:-1] == MASK))[neighbours].tolist()
    assert 4 < np.mean(runs) < 8  # tokens; drawn one by one it would be 1.2
    assert np.mean(alike) > 0.9  # drawn one by one it would be 0.68


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_special_tokens_are_neither_masked_nor_put_in(strategy):
    special = [CLS, UNK, SEP, PAD, MASK]
    texts = [[*special, FIRST_WORD, FIRST_PIECE, *special] for _ in range(300)]
    for tokens, hidden, masked in zip(*draw(texts, 1.0, strategy), strict=True):
        np.testing.assert_array_equal(masked, tokens >= FIRST_WORD)
        assert all(token == MASK or token >= FIRST_WORD for token in hidden[5:7])
        np.testing.assert_array_equal(hidden[masked == 0], tokens[masked == 0])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_to_mask(strategy):
    assert [row.tolist() for row in draw([[], [CLS, SEP], []], 0.5, strategy)[2]] == [
        [],
        [0, 0],
        [],
    ]
    none = tf.RaggedTensor.from_row_lengths(tf.zeros([0], tf.int32), tf.zeros([0], tf.int64))
    assert mask_tokens(none, [0, 0], 0.15, strategy, PIECES)[0].shape[0] == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_seed_decides(strategy):
    texts = make_texts(20)
    first, again, other = (draw(texts, 0.15, strategy, seed)[1:] for seed in (1, 1, 2))
    for part, same, differs in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(np.concatenate(part), np.concatenate(same))
        assert (np.concatenate(part) != np.concatenate(differs)).any()


def test_in_a_graph():
    texts = tf.ragged.constant(make_texts(5), tf.int32)
    in_graph = tf.function(
        lambda token_ids: mask_tokens(token_ids, [1, 2], 0.15, "span", PIECES),
        input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)],
    )
    for part, eager in zip(
        in_graph(texts), mask_tokens(texts, [1, 2], 0.15, "span", PIECES), strict=True
    ):
        np.testing.assert_array_equal(part.values, eager.values)
