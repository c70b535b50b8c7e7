import itertools

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.errors import InputError
from bert_keras.tasks.pretraining.batches import OBJECTIVES, PassageSet
from bert_keras.text.tokenizer import BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENIZER = BertTokenizer([*SPECIAL, *(f"w{n}" for n in range(12_000))])


class Text:
    """Passages in which no token stands twice, so that each tells where it came from."""

    def __init__(self, sentence_lengths, documents):
        self.documents = documents
        sizes = [sum(lengths) for lengths in sentence_lengths]
        first = len(SPECIAL) + np.cumsum([0, *sizes])
        self.tokens = [list(range(b, e)) for b, e in itertools.pairwise(first.tolist())]
        self.sentences = [
            [sum(lengths[:n]) for n in range(len(lengths))] for lengths in sentence_lengths
        ]
        self.document_of = {
            token: document
            for tokens, document in zip(self.tokens, documents, strict=True)
            for token in tokens
        }

    def __len__(self):
        return len(self.tokens)

    def open(self, seed):
        passages = tf.data.Dataset.from_tensor_slices(
            {
                "tokens": tf.ragged.constant(self.tokens, tf.int32),
                "sentences": tf.ragged.constant(self.sentences, tf.int32),
                "document": tf.constant(self.documents, tf.int64),
            }
        )
        return passages if seed is None else passages.shuffle(len(self), seed)

    def passage_set(self, max_length=128, **kwargs):
        return PassageSet(self.open, len(self), TOKENIZER, max_length, **kwargs)


def make(count=60, sentences=6, longest=10, documents=12, seed=0):
    random = np.random.default_rng(seed)
    lengths = [random.integers(1, longest, random.integers(1, sentences)) for _ in range(count)]
    return Text([row.tolist() for row in lengths], random.integers(0, documents, count).tolist())


TEXT = make()


def flat(batch):
    (labels,) = batch["row_targets"].values()
    rest = {name: x for name, x in batch.items() if name not in ("inputs", "row_targets")}
    return {**batch["inputs"], "labels": labels, **rest}


def assert_same(batches, others):
    for batch, other in zip(batches, others, strict=True):
        batch, other = flat(batch), flat(other)
        assert batch.keys() == other.keys()
        for name, values in batch.items():
            np.testing.assert_array_equal(values, other[name], name)


def take(passages, count, batch_size=16, seed=0, first_step=0):
    batches = passages.batches(batch_size, seed, first_step)
    return list(itertools.islice(batches.as_numpy_iterator(), count))


def examples_of(batch):
    """The examples of a batch, taken out of their rows: dicts of arrays."""
    inputs = flat(batch)
    columns = {name: x for name, x in inputs.items() if x.ndim == 2}
    found = []
    for row in range(len(inputs["token_ids"])):
        for number in range(1, inputs["example_ids"][row].max() + 1):
            (positions,) = np.nonzero(inputs["example_ids"][row] == number)
            np.testing.assert_array_equal(np.diff(positions), 1)
            example = {name: x[row, positions] for name, x in columns.items()}
            np.testing.assert_array_equal(example["position_ids"], np.arange(len(positions)))
            example["example"] = inputs["example"][len(found)]
            if "is_next" in inputs:
                example["is_next"] = inputs["is_next"][len(found)]
            found.append(example)
    assert len(found) == len(inputs["example"])
    padding = inputs["example_ids"] == 0
    assert not any(x[padding].any() for x in columns.values())
    return found


def segments_of(example):
    """Checks [CLS] A [SEP] or [CLS] A [SEP] B [SEP], and returns [A] or [A, B]."""
    labels = example["labels"].tolist()
    assert labels[0] == TOKENIZER.cls_id and labels[-1] == TOKENIZER.sep_id
    ends = [position for position, token in enumerate(labels) if token == TOKENIZER.sep_id]
    starts = [1, *(end + 1 for end in ends[:-1])]
    segments = np.repeat(range(len(ends)), np.diff([-1, *ends]))
    np.testing.assert_array_equal(example["segment_ids"], segments)
    return [labels[start:end] for start, end in zip(starts, ends, strict=True)]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_text_once_an_epoch(objective):
    passages = TEXT.passage_set(objective=objective)
    assert len(passages) == 60
    batches = take(passages, 8)
    orders = []
    for epoch in (batches[:4], batches[4:]):
        examples = [example for batch in epoch for example in examples_of(batch)]
        assert [len(batch["example"]) for batch in epoch] == [16, 16, 16, 12]
        assert sorted(example["example"] for example in examples) == list(range(60))
        seen = [token for x in examples for segment in segments_of(x) for token in segment]
        assert sorted(seen) == sorted(TEXT.document_of)
        orders.append(seen)
    assert orders[0] != orders[1]


@pytest.mark.parametrize("masking", ["token", "word", "span"])
def test_what_is_not_masked_is_the_original(masking):
    passages = TEXT.passage_set(masking=masking, rate=0.3)
    wanted = 0
    for batch in take(passages, 4):
        assert ("is_next" in batch) and list(batch["row_targets"]) == ["labels"]
        for example in examples_of(batch):
            masked = example["masked"] == 1
            wanted += masked.sum()
            np.testing.assert_array_equal(example["token_ids"][~masked], example["labels"][~masked])
            assert masked.sum() == max(1, round(0.3 * len(masked)))
            assert (example["labels"][masked] >= len(SPECIAL)).all()
    assert wanted > 200


def test_masks_are_drawn_anew_in_every_epoch():
    passages = TEXT.passage_set(objective="none")
    masked = []
    for batch in take(passages, 4 * 30):
        for example in examples_of(batch):
            masked += example["labels"][example["masked"] == 1].tolist()
    share = np.bincount(masked, minlength=max(TEXT.document_of) + 1)[len(SPECIAL) :] / 30
    assert (share > 0).mean() > 0.95  # 1 - 0.85 ** 30 is 0.99


@pytest.mark.parametrize("documents", [12, 2])
def test_half_of_the_next_sentences_are_of_other_documents(documents):
    text = make(400, documents=documents)
    truths = []
    for batch in take(text.passage_set(), 6, batch_size=64):
        for example in examples_of(batch):
            first, second = segments_of(example)
            truths.append(example["is_next"])
            if example["is_next"]:
                assert not second or second[0] == first[-1] + 1
            else:
                assert text.document_of[first[-1]] != text.document_of[second[0]]
    assert abs(np.mean(truths) - 0.5) < 0.02


def test_the_length_does_not_tell_the_next_sentence():
    text = Text([[7] * 8] * 200, [n % 9 for n in range(200)])
    sizes = {0: [], 1: []}
    for batch in take(text.passage_set(64), 50, batch_size=50):
        for example in examples_of(batch):
            sizes[int(example["is_next"])].append(len(example["labels"]))
    best = max(
        (np.mean(np.array(sizes[0]) <= n) + np.mean(np.array(sizes[1]) > n)) / 2 for n in range(64)
    )
    assert best < 0.6


def test_half_of_the_sentences_are_in_the_other_order():
    text = make(400)
    truths = []
    for batch in take(text.passage_set(objective="sop"), 4, batch_size=100):
        for example in examples_of(batch):
            first, second = segments_of(example)
            if not first or not second:
                assert example["is_next"] and not second
                continue
            truths.append(example["is_next"])
            left, right = (first, second) if example["is_next"] else (second, first)
            assert right[0] == left[-1] + 1
    assert abs(np.mean(truths) - 0.5) < 0.08


def test_no_objective_is_the_passage_itself():
    batches = list(TEXT.passage_set(objective="none").evaluation_batches(7).as_numpy_iterator())
    for batch in batches:
        assert "is_next" not in batch
        for example in examples_of(batch):
            assert segments_of(example) == [TEXT.tokens[example["example"]]]


def test_one_document_has_nothing_to_exchange():
    for batch in take(make(20, documents=1).passage_set(), 3):
        assert batch["is_next"].all()


@pytest.mark.parametrize("cut", [False, True])
def test_a_batch_is_the_same_whatever_was_drawn_before(cut):
    text = make(40, sentences=30) if cut else TEXT
    passages = PassageSet(text.open, None if cut else len(text), TOKENIZER, 64 if cut else 128)
    epoch = -(-len(passages) // 16)
    unbroken = take(passages, 2 * epoch + 1)
    for first in (1, epoch + 2):
        assert_same(take(passages, 2 * epoch + 1 - first, first_step=first), unbroken[first:])
    others = take(passages, 2, seed=1)
    assert flat(others[0])["labels"].tolist() != flat(unbroken[0])["labels"].tolist()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_evaluation_is_fixed_and_complete(objective):
    passages = TEXT.passage_set(objective=objective, masking="span")
    batches = list(passages.evaluation_batches(16).as_numpy_iterator())
    assert_same(batches, list(passages.evaluation_batches(16).as_numpy_iterator()))
    assert [sorted(batch["example"]) for batch in batches] == [
        list(range(first, min(first + 16, 60))) for first in range(0, 60, 16)
    ]
    seen = [t for batch in batches for x in examples_of(batch) for s in segments_of(x) for t in s]
    assert sorted(seen) == sorted(TEXT.document_of)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_evaluated_example_is_the_same_in_any_batch(objective, monkeypatch):
    monkeypatch.setattr("bert_keras.tasks.pretraining.batches._EVALUATED_TOGETHER", 25)
    passages = TEXT.passage_set(objective=objective)

    def by_number(batch_size):
        batches = passages.evaluation_batches(batch_size).as_numpy_iterator()
        found = [example for batch in batches for example in examples_of(batch)]
        return {example.pop("example"): example for example in found}

    expected = by_number(60)
    assert len(expected) == 60
    for batch_size in (7, 32):
        found = by_number(batch_size)
        assert found.keys() == expected.keys()
        for number, example in found.items():
            for name in example.keys() - {"example_ids"}:  # which depend on its position in the row
                there = expected[number][name]
                np.testing.assert_array_equal(example[name], there, f"{number} {name}")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_long_passages_are_cut_for_short_rows(objective):
    text = make(50, sentences=40, longest=12)
    passages = PassageSet(text.open, None, TOKENIZER, 32, objective)
    batches = list(passages.evaluation_batches(16).as_numpy_iterator())
    examples = [example for batch in batches for example in examples_of(batch)]
    assert len(examples) == len(passages) > 2 * len(text)
    assert all(batch["inputs"]["token_ids"].shape[1] == 32 for batch in batches)
    seen = [token for x in examples for segment in segments_of(x) for token in segment]
    assert len(seen) == len(set(seen)) <= len(text.document_of)
    starts = {t[s] for t, ss in zip(text.tokens, text.sentences, strict=True) for s in ss}
    if objective == "nsp":  # pairs that do not fit are cut
        assert len(seen) > 0.95 * len(text.document_of)
        assert {segments_of(x)[0][0] for x in examples} <= starts
    else:
        assert sorted(seen) == sorted(text.document_of)
        assert {min(t for s in segments_of(x) for t in s) for x in examples} <= starts


def test_the_pieces_of_a_passage_are_shuffled_apart():
    text = make(20, sentences=60, longest=12)
    passages = PassageSet(text.open, None, TOKENIZER, 32, "none")
    batch = take(passages, 1, batch_size=10)[0]
    assert len({text.document_of[segments_of(x)[0][0]] for x in examples_of(batch)}) > 2


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("lengths", [[1], [2], [3, 4]])
def test_a_single_passage(objective, lengths):
    text = Text([lengths], [0])
    for batch in take(text.passage_set(objective=objective), 3):
        (example,) = examples_of(batch)
        assert sorted(itertools.chain(*segments_of(example))) == text.tokens[0]
        assert 1 <= example["masked"].sum() <= 2


def test_a_count_that_is_not_true_is_found():
    passages = PassageSet(TEXT.open, 59, TOKENIZER, 128)
    with pytest.raises(tf.errors.InvalidArgumentError, match="There are 60 passages, not 59"):
        take(passages, 9)
    passages = PassageSet(TEXT.open, 60, TOKENIZER, 16)
    with pytest.raises(tf.errors.InvalidArgumentError, match="more than 13"):
        take(passages, 9)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"objective": "nps"}, "objective: expected one of nsp, sop, none, found 'nps'"),
        ({"masking": "words"}, "masking: expected one of token, word, span, found 'words'"),
        ({"rate": 0}, "rate: expected a share above 0 up to 1, found 0"),
        ({"rate": 15}, "found 15"),
        ({"max_length": 4}, "max_length: expected at least 5 tokens, found 4"),
        ({"count": 0}, "expected passages to pretrain on, found none"),
    ],
)
def test_what_cannot_be_used_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        PassageSet(
            **{"open_dataset": TEXT.open, "count": 60, "tokenizer": TOKENIZER}
            | {"max_length": 128}
            | change
        )
