import copy
import doctest
import json
import pickle
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import samples
import tensorflow as tf
from reference_tokenizer import ReferenceTokenizer, words

from bert_keras.errors import InputError
from bert_keras.text import tokenizer as tokenizer_module
from bert_keras.text.tokenizer import BertTokenizer

SIGMA, FINAL_SIGMA = "\u03c3", "\u03c2"
HANGUL = set(map(chr, range(0xAC00, 0xD7A4)))
# Dropped by Hugging Face's, as private or unassigned, or split at by it alone, or by us alone.
CONTESTED = set("Σ\u2028\u2029\U0010ffff\ue000\u0378")
SMALL = [*samples.SPECIAL, "a", "b", "c", "d", "##b", "x", "##y", ",", "[", "]", "mask", "cls"]


@pytest.fixture(scope="module", params=["uncased", "cased"])
def pair(request):
    """Our tokenizer and the reference implementation, with the same vocabulary."""
    lowercase = request.param == "uncased"
    vocabulary = samples.vocabulary(lowercase)
    return BertTokenizer(vocabulary, lowercase), ReferenceTokenizer(vocabulary, lowercase)


@pytest.fixture(scope="module")
def uncased():
    return BertTokenizer(samples.vocabulary(True))


@pytest.fixture(scope="module")
def small():
    return BertTokenizer(SMALL)


def assert_equal_to_the_original(pair, texts):
    ours, original = pair
    for text, ids in zip(texts, ours.tokenize(texts).to_list(), strict=True):
        assert ids == original.tokenize(text), ascii(text)


def test_equals_the_original_in_several_scripts(pair):
    ours, _ = pair
    assert_equal_to_the_original(pair, samples.TEXTS)
    ids = ours.tokenize(samples.TEXTS).values.numpy()
    assert 0.005 < np.mean(ids == ours.unk_id) < 0.1  # the samples say something


def test_equals_the_original_on_random_strings(pair):
    assert_equal_to_the_original(pair, samples.random_texts(6000, seed=1))


@pytest.mark.parametrize("lowercase", [True, pytest.param(False, marks=pytest.mark.long)])
def test_equals_the_original_on_every_code_point(lowercase):
    # Every one of the planes that are assigned, and some of the others, which are all alike.
    codes = [*range(0xD800), *range(0xE000, 0x40000), *range(0x40000, 0xE0000, 97)]
    codes += [*range(0xE0000, 0xE1000), *range(0xE1000, 0x110000, 97), 0x10FFFE, 0x10FFFF]
    tokens = samples.wide_vocabulary()
    pair = BertTokenizer(tokens, lowercase), ReferenceTokenizer(tokens, lowercase)
    assert_equal_to_the_original(pair, [f"ab{chr(code)}cd" for code in codes])


def test_equals_hugging_face_where_policies_agree(pair):
    tokenizers = pytest.importorskip("tokenizers")
    ours, _ = pair
    theirs = tokenizers.BertWordPieceTokenizer(
        {token: index for index, token in enumerate(ours.vocabulary)}, lowercase=ours.lowercase
    )
    texts = [*samples.TEXTS, *samples.random_texts(2000, seed=2)]
    texts = [text for text in texts if not CONTESTED & set(text)]
    assert len(texts) > 300
    ours = BertTokenizer(ours.vocabulary, ours.lowercase, protect_special_tokens=True)
    ids, starts, ends = (part.to_list() for part in ours.tokenize_with_offsets(texts))
    for row, encoding in enumerate(theirs.encode_batch(texts, add_special_tokens=False)):
        assert ids[row] == encoding.ids, ascii(texts[row])
        offsets = list(zip(starts[row], ends[row], strict=True))
        if unicodedata.is_normalized("NFC", texts[row]) and not HANGUL & set(texts[row]):
            assert offsets == encoding.offsets, ascii(texts[row])


@pytest.mark.parametrize(
    "invalid", [b"\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
)
def test_invalid_bytes_are_dropped(small, invalid):
    texts = [
        invalid,
        b"a" + invalid + b"b",
        b"a " + invalid + b" b",
        invalid + b"\xff",
        b"a" + invalid,
    ]
    original = ReferenceTokenizer(SMALL, True)
    ids, starts, ends = (part.to_list() for part in small.tokenize_with_offsets(texts))
    for row, text in enumerate(texts):
        assert ids[row] == original.tokenize(text)
        replaced = text.decode("utf-8", "replace")
        for start, end, token in zip(starts[row], ends[row], ids[row], strict=True):
            kept = replaced[start:end].replace("\ufffd", "")
            assert kept == SMALL[token].removeprefix("##")


def test_offsets_point_at_what_became_the_token(pair):
    ours, _ = pair
    texts = [*samples.TEXTS, *samples.random_texts(3000, seed=4)]
    located = [part.to_list() for part in ours.tokenize_with_offsets(texts)]
    assert located[0] == ours.tokenize(texts).to_list()
    for text, ids, starts, ends in zip(texts, *located, strict=True):
        assert all(start < end <= len(text) for start, end in zip(starts, ends, strict=True))
        assert starts == sorted(starts) and ends == sorted(ends)
        for token, start, end in zip(ids, starts, ends, strict=True):
            if token == ours.unk_id:
                continue
            piece = ours.vocabulary[token].removeprefix("##")
            # A capital sigma is looked at without its word, a Hangul syllable may be cut in two.
            piece = piece.replace(FINAL_SIGMA, SIGMA)
            raw = "".join(words(text[start:end], ours.lowercase)).replace(FINAL_SIGMA, SIGMA)
            assert piece in raw if HANGUL & set(text[start:end]) else piece == raw, ascii(text)


def test_offsets_by_hand(small):
    ids, starts, ends = small.tokenize_with_offsets([" A\u0301\0b  x中y, Ç", "", "ab"])
    located = [
        [(SMALL[token], start, end) for token, start, end in zip(*row, strict=True)]
        for row in zip(ids.to_list(), starts.to_list(), ends.to_list(), strict=True)
    ]
    assert located == [
        [
            ("a", 1, 2),
            ("##b", 4, 5),
            ("x", 7, 8),
            ("[UNK]", 8, 9),
            ("[UNK]", 9, 10),
            (",", 10, 11),
            ("c", 12, 13),
        ],
        [],
        [("a", 0, 1), ("##b", 1, 2)],
    ]


def test_special_tokens_in_the_text():
    texts = ["x[MASK]y [CLS], [mask] [MASK][SEP]", "[MA", "SK]", "[[PAD]]", "[UNK", "]", "[MAS K]"]
    kept = BertTokenizer(SMALL, protect_special_tokens=True)
    tokens = [[SMALL[token] for token in row] for row in kept.tokenize(texts).to_list()]
    assert tokens == [
        ["x", "[MASK]", "[UNK]", "[CLS]", ",", "[", "mask", "]", "[MASK]", "[SEP]"],
        ["[", "[UNK]"],
        ["[UNK]", "]"],
        ["[", "[PAD]", "]"],
        ["[", "[UNK]"],
        ["]"],
        ["[", "[UNK]", "[UNK]", "]"],
    ]
    _, starts, ends = kept.tokenize_with_offsets("x[MASK]y")
    assert (starts.to_list(), ends.to_list()) == ([[0, 1, 7]], [[1, 7, 8]])
    split = BertTokenizer(SMALL).tokenize(["[MASK]"]).to_list()
    assert split == [[SMALL.index(token) for token in ("[", "mask", "]")]]


def test_encode_one_text(small):
    encoded = small.encode(["a b c", "", "x"], max_length=4)
    cls, sep = small.cls_id, small.sep_id
    a, b, x = (SMALL.index(token) for token in "abx")
    assert encoded["token_ids"].to_list() == [[cls, a, b, sep], [cls, sep], [cls, x, sep]]
    assert encoded["segment_ids"].to_list() == [[0] * 4, [0] * 2, [0] * 3]
    assert encoded["truncated"].numpy().tolist() == [1, 0, 0]


def test_encode_a_pair(small):
    encoded = small.encode(["a b c", "x"], ["a b", "c"], max_length=6)
    tokens = [[SMALL[token] for token in row] for row in encoded["token_ids"].to_list()]
    assert tokens == [
        ["[CLS]", "a", "b", "[SEP]", "a", "[SEP]"],
        ["[CLS]", "x", "[SEP]", "c", "[SEP]"],
    ]
    assert encoded["segment_ids"].to_list() == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1]]
    assert encoded["truncated"].numpy().tolist() == [2, 0]


def test_encode_says_what_does_not_fit(small):
    with pytest.raises(InputError, match=r"at least 3 .* found 2"):
        small.encode("a", "b", max_length=2)
    with pytest.raises(InputError, match="as many as texts, 2, found 1"):
        small.encode(["a", "b"], ["c"])


def test_call_pads_to_the_longest(small):
    inputs = small(["a b", "c"], ["x", "a b c"])
    cls, sep = small.cls_id, small.sep_id
    a, b, c, x = (SMALL.index(token) for token in "abcx")
    expected = {
        "token_ids": [[cls, a, b, sep, x, sep, 0], [cls, c, sep, a, b, c, sep]],
        "segment_ids": [[0, 0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1, 1]],
        "position_ids": [[0, 1, 2, 3, 4, 5, 0], [0, 1, 2, 3, 4, 5, 6]],
        "example_ids": [[1, 1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1, 1]],
    }
    assert {name: value.numpy().tolist() for name, value in inputs.items()} == expected
    assert all(value.dtype == tf.int32 for value in inputs.values())


def test_takes_a_str_a_list_and_a_tensor(small):
    expected = small(["a b"])["token_ids"].numpy()
    for texts in ("a b", ("a b",), tf.constant("a b"), np.array(["a b"]), [b"a b"]):
        np.testing.assert_array_equal(small(texts)["token_ids"], expected)


def test_empty_strings_and_batches(small):
    assert small.tokenize(["", " ", "\0"]).to_list() == [[], [], []]
    assert small.tokenize([]).to_list() == []
    assert [part.to_list() for part in small.tokenize_with_offsets([])] == [[], [], []]
    assert small.encode([], [])["token_ids"].to_list() == []
    assert {value.shape.as_list() == [0, 2] for value in small([]).values()} == {True}
    assert small([""])["token_ids"].numpy().tolist() == [[small.cls_id, small.sep_id]]


def test_detokenize(small):
    ids = small.tokenize(["xy ab, [mask] zebra", ""])
    assert small.detokenize(ids).numpy().tolist() == [b"xy ab , [ mask ] [UNK]", b""]
    padded = small(["ab c", "x"])["token_ids"]
    assert small.detokenize(padded).numpy().tolist() == [b"ab c", b"x"]
    assert small.detokenize([[small.mask_id, SMALL.index("##b")], []]).numpy().tolist() == [
        b"[MASK]b",
        b"",
    ]


def test_a_text_of_5_megabytes(small):
    text = "ab, x " * 800_000 + "b" * 200_000
    ids = small.tokenize([text, "a"])
    assert ids.row_lengths().numpy().tolist() == [800_000 * 4 + 1, 1]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_equals_the_tokenizer(copied):
    tokenizer = BertTokenizer(samples.vocabulary(False), False, 77, protect_special_tokens=True)
    again = copied(tokenizer)
    assert type(again) is BertTokenizer
    for name in ("vocabulary", "lowercase", "max_length", "protect_special_tokens", "mask_id"):
        assert getattr(again, name) == getattr(tokenizer, name)
    for ours, theirs in zip(
        tokenizer.tokenize_with_offsets(samples.TEXTS),
        again.tokenize_with_offsets(samples.TEXTS),
        strict=True,
    ):
        assert ours.to_list() == theirs.to_list()


def test_the_example_of_the_docstring():
    result = doctest.testmod(tokenizer_module)
    assert result.attempted > 3 and not result.failed


def test_parallel_in_tf_data_equals_eager(uncased):
    texts = [*samples.TEXTS * 3, ""]
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(4)
    dataset = dataset.map(uncased.encode, num_parallel_calls=4, deterministic=True)
    rows = [row for batch in dataset for row in batch["token_ids"].to_list()]
    assert rows == uncased.encode(texts)["token_ids"].to_list()


# Runs with TensorFlow alone, in a process that cannot import this package.
LOADER = """
import json, sys
import tensorflow as tf

folder, texts = sys.argv[1], json.loads(sys.argv[2])
assert "bert_keras" not in sys.modules
loaded = tf.saved_model.load(folder)
answers = [
    loaded.signatures["serving_default"](text=tf.constant(batch, tf.string))["token_ids"]
    for batch in (texts, texts[:1], [])
]
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], folder)
    signature = meta.signature_def["serving_default"]
    feeds = signature.inputs["text"].name
    answers += [session.run(signature.outputs["token_ids"].name, {feeds: texts})]
print(json.dumps([answer.tolist() if hasattr(answer, "tolist") else answer.numpy().tolist()
                  for answer in answers]))
"""


@pytest.mark.long
def test_saved_model_needs_tensorflow_alone(uncased, tmp_path):

    class Served(tf.Module):
        def __init__(self):
            super().__init__()
            self.tokenizer = uncased

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
        def serve(self, text):
            return self.tokenizer(text)

    served = Served()
    tf.saved_model.save(served, str(tmp_path / "model"), {"serving_default": served.serve})
    assert not list((tmp_path / "model" / "assets").glob("*"))
    texts = samples.TEXTS
    run = subprocess.run(
        [sys.executable, "-c", LOADER, str(tmp_path / "model"), json.dumps(texts)],
        cwd=tmp_path,
        env={"PATH": "", "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    expected = [
        uncased(batch)["token_ids"].numpy().tolist() for batch in (texts, texts[:1], [], texts)
    ]
    assert json.loads(run.stdout) == expected
