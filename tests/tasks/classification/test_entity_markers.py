import random

import pytest
import tensorflow as tf

from bert_keras.errors import InputError
from bert_keras.tasks.classification.entity_markers import EntityTokenizer, mark


def marked(text, spans, types=None):
    found, valid = mark([text], [spans], types and [types])
    assert valid.numpy().all()
    return found.numpy()[0].decode()


def test_marks_around_head_and_tail():
    text = "Ada lives in Rome."
    assert marked(text, [0, 3, 13, 17]) == " @ Ada @  lives in  # Rome # ."
    assert marked(text, [13, 17, 0, 3]) == " # Ada #  lives in  @ Rome @ ."
    types = "person", "place"
    assert marked(text, [0, 3, 13, 17], types) == (
        " @ * person * Ada @  lives in  # ^ place ^ Rome # ."
    )
    assert marked(text, [13, 17, 0, 3], types) == (
        " # ^ place ^ Ada #  lives in  @ * person * Rome @ ."
    )


def test_places_are_code_points():
    letters = random.Random(0)
    texts, spans, expected = [], [], []
    for _ in range(50):
        text = "".join(letters.choices("aä漢🎈 .́", k=12))
        a, b, c, d = (letters.randrange(3 * i, 3 * i + 3) for i in range(4))
        b, d = max(b, a + 1), max(d, c + 1)
        parts = text[:a], text[a:b], text[b:c], text[c:d], text[d:]
        texts.append(text)
        spans.append([a, b, c, d])
        expected.append("{} @ {} @ {} # {} # {}".format(*parts))
    found, valid = mark(texts, spans)
    assert [text.decode() for text in found.numpy()] == expected and valid.numpy().all()
    assert marked("ab", [0, 1, 1, 2]) == " @ a @  # b # "  # side by side, up to either end


def test_marks_of_the_text_itself_are_none():
    assert marked("#1 a@b C#", [3, 4, 7, 9], ["x@", "#y"]) == (
        " 1  @ * x  * a @  b  # ^  y ^ C  # "
    )


def test_places_that_cannot_be():
    text = "Ada lives in Rome."
    wrong = [
        *([0, 3, 2, 5], [2, 5, 0, 3], [0, 3, 0, 3], [0, 5, 1, 2]),  # in common
        *([0, 0, 4, 6], [4, 6, 5, 5], [5, 4, 7, 8]),  # empty
        *([-1, 3, 5, 7], [0, 3, 17, 19], [0, 3, 99, 100]),  # beyond the text
    ]
    right = [[0, 1, 1, 2], [17, 18, 0, 1]]
    _, valid = mark([text] * 12, wrong + right)
    assert valid.numpy().tolist() == [False] * 10 + [True] * 2
    found, valid = mark(tf.constant([], tf.string), tf.zeros([0, 4], tf.int32))
    assert found.shape == valid.shape == [0]


@pytest.fixture(scope="module")
def tokenizer(marking_checkpoint):
    return EntityTokenizer.from_pretrained(marking_checkpoint)


def nearest(tokens, room):
    """The same by hand: a token's turn, and the first `room` of them in the text's order."""
    spans = []
    for each in "@#":
        locations = [i for i, token in enumerate(tokens) if token == each]
        spans.append((locations[0], locations[-1]))

    def turn(i):
        if tokens[i] in "@#":
            return 0, 0, i
        inside = [i - begin for begin, end in spans if begin < i < end]
        if inside:
            return 1, inside[0], i
        return 2, min(max(begin - i, i - end) for begin, end in spans), i

    kept = sorted(sorted(range(len(tokens)), key=turn)[:room])
    return [tokens[i] for i in kept]


def test_what_is_nearest_to_an_entity_stays(tokenizer):
    letters = random.Random(1)
    texts = ["a @ b @ c # d # e"]
    for _ in range(60):
        parts = [
            " ".join(letters.choices("abcdefgh", k=letters.choice([1, 5, 9]))) for _ in "12345"
        ]
        first, second = letters.sample("@#", 2)
        parts = "{} {first} {} {first} {} {second} {} {second} {}".format(
            *parts, first=first, second=second
        )
        texts.append(parts)
    cut = 0
    for length in (8, 9, 14, 30):
        encoded = tokenizer.encode(texts, max_length=length)
        for text, ids, segments, truncated in zip(
            texts,
            *(encoded[name].numpy() for name in ("token_ids", "segment_ids")),
            encoded["truncated"].numpy(),
            strict=True,
        ):
            found = [tokenizer.vocabulary[i] for i in ids]
            assert found == ["[CLS]", *nearest(text.split(), length - 2), "[SEP]"]
            assert len(ids) == len(segments) and not segments.any()
            assert truncated == max(0, len(text.split()) + 2 - length)
            assert found.count("@") == found.count("#") == 2
            cut += truncated > 0
    assert cut > 50


def test_a_text_without_marks_loses_its_end(tokenizer):
    texts = ["a b c d e f g h i", "", "a @ b"]
    found = tokenizer.encode(texts, max_length=8)["token_ids"]
    assert tokenizer.detokenize(found).numpy().tolist() == [b"a b c d e f", b"", b"a @ b"]
    assert tokenizer.encode(tf.constant([], tf.string), max_length=8)["token_ids"].nrows() == 0


def test_what_cannot_be(tokenizer, tiny_checkpoint):
    with pytest.raises(InputError, match=r"max_length: expected at least 8.* found 7\."):
        tokenizer.encode(["a"], max_length=7)
    with pytest.raises(InputError, match=r"checkpoint0: expected @ and #, .*, found no @\."):
        EntityTokenizer.from_pretrained(tiny_checkpoint)
    with pytest.raises(InputError, match="in one text, found pairs"):
        tokenizer.encode(["a"], ["b"])
