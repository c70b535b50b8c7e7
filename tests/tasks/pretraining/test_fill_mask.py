import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.pretrainer import BertPretrainer
from bert_keras.serving.export import export
from bert_keras.serving.freezing import freeze
from bert_keras.tasks.pretraining.fill_mask import fill
from bert_keras.tasks.pretraining.task import Pretraining
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.training.inference import Inference

LENGTH = 16
TEXTS = [
    "The [MASK] was cold",
    "[MASK]",
    "a[MASK]b [MASK], and the waiter [MASK] came.",
    "good [MASK]",
    "[CLS] [mask] [MASK]",  # written so, [CLS] is [CLS], and what is not [MASK] is letters
]


@pytest.fixture(scope="module")
def weights(tiny_checkpoint, tmp_path_factory):
    """A folder of weights with a head that fills in, and none that tells sentences apart."""
    folder = tmp_path_factory.mktemp("weights")
    tokenizer = BertTokenizer.from_pretrained(tiny_checkpoint)
    keras.utils.set_random_seed(2)
    config = BertConfig(
        vocab_size=len(tokenizer.vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    write_huggingface(BertPretrainer(config, sentence_head=False), folder)
    tokenizer.save(folder)
    return folder


@pytest.fixture
def make_task(weights, tmp_path):
    """A task on those weights, and the name of a file with texts to predict."""

    def make(*texts, count=3, name="texts.txt"):
        path = tmp_path / name
        path.write_text("\n".join(texts), encoding="utf-8")
        return Pretraining(max_length=LENGTH, num_fillings=count).load_pretrained(weights), str(
            path
        )

    return make


def by_hand(weights, text, count, max_length=64):
    """The best fillings of each [MASK] of one text, from all logits."""
    model = BertPretrainer.from_pretrained(weights)
    tokenizer = BertTokenizer.from_pretrained(weights, protect_special_tokens=True)
    inputs = tokenizer([text], max_length=max_length)
    everywhere = tf.ones_like(inputs["token_ids"])
    logits = model(inputs | {"masked": everywhere})["token_logits"].numpy()
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    best = []
    for location in np.flatnonzero(inputs["token_ids"][0] == tokenizer.mask_id):
        order = np.argsort(-shares[location], kind="stable")[:count]
        best.append([(tokenizer.vocabulary[i], shares[location, i]) for i in order])
    return best


@pytest.mark.long
def test_fillings_by_hand(make_task, weights, tmp_path):
    task, file = make_task(*TEXTS)
    model = task.build_model(weights, "float32")
    examples = task.read_examples(file)
    predictions = Inference(model, task.predictions, 3)(examples, "")
    assert predictions.shape == (5, 3, 6)
    path, tables = task.write_predictions(examples, predictions, tmp_path)
    assert not tables and path == tmp_path / "predictions.jsonl"
    written = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(one["row"], one["text"]) for one in written] == list(enumerate(TEXTS, 1))
    assert [len(one["masks"]) for one in written] == [1, 1, 3, 1, 1]
    for one in written:
        expected = by_hand(weights, one["text"], 3)
        for found, best in zip(one["masks"], expected, strict=True):
            assert [each["token"] for each in found] == [token for token, _ in best]
            shares = [each["probability"] for each in found]
            np.testing.assert_allclose(shares, [share for _, share in best], rtol=1e-4)
    assert all("[MASK]" not in one["filled"] for one in written)
    in_memory = task.examples_of(TEXTS)
    answers = task.answers(in_memory, Inference(model, task.predictions, 2)(in_memory, ""))
    for one, masks in zip(written, answers, strict=True):
        for same, best in zip(one["masks"], masks, strict=True):
            assert [each["token"] for each in best] == [each["token"] for each in same]
            shares = [each["probability"] for each in best]
            np.testing.assert_allclose(shares, [each["probability"] for each in same], rtol=1e-5)

    # What is served is what is predicted.
    version = export(task.signatures(freeze(model)), task.tokenizer, tmp_path / "export")
    serve = tf.saved_model.load(str(version)).signatures["serving_default"]
    beyond = "soup " * 30
    more = ["no gap", *TEXTS, "", beyond + "[MASK]", "[MASK] " + beyond + "[MASK]"]
    served = {name: values.numpy() for name, values in serve(text=tf.constant(more)).items()}
    assert served["masks"].tolist() == [0, 1, 1, 3, 1, 1, 0, 0, 1]
    assert served["token"].shape == served["probability"].shape == (9, 3, 3)
    for one, tokens, shares in zip(
        written, served["token"][1:6], served["probability"][1:6], strict=True
    ):
        for number, best in enumerate(one["masks"]):
            assert [each["token"].encode() for each in best] == tokens[number].tolist()
            expected = [each["probability"] for each in best]
            np.testing.assert_allclose(shares[number], expected, rtol=2e-5)
    beyond_count = np.arange(3) >= served["masks"][:, np.newaxis]  # [batch, masks]
    assert (served["token"][beyond_count] == b"").all()
    assert (served["probability"][beyond_count] == 0).all()
    assert (served["probability"][~beyond_count] > 0).all()
    for texts, count in (([], 0), (["no gap"], 1)):
        nothing = serve(text=tf.constant(texts, tf.string))
        assert nothing["token"].shape == nothing["probability"].shape == (count, 0, 3)
        assert nothing["masks"].numpy().tolist() == [0] * count


def test_more_fillings_than_words(make_task, weights):
    task, file = make_task("[MASK]", count=10**6)
    model = task.build_model(weights, "float32")
    predictions = Inference(model, task.predictions, 3)(task.read_examples(file), "")
    size = len(task.tokenizer.vocabulary)
    assert predictions.shape == (1, 1, 2 * size)
    assert sorted(predictions[0, 0, :size]) == list(range(size))
    assert predictions[0, 0, size:].sum() == pytest.approx(1, abs=1e-5)


def test_the_best_ones_in_the_text(make_task, tmp_path):
    task, file = make_task("He was walk [MASK] home.", "[MASK], then[MASK]!")
    ids = [task.tokenizer.vocabulary.index(token) for token in ("##s", "the", "a")]
    predictions = np.full([2, 2, 6], -1, np.float32)
    for row, number, first in ((0, 0, 0), (1, 0, 1), (1, 1, 0)):
        predictions[row, number] = [ids[first], ids[2], ids[2], 0.5, 0.25, 0.125]
    path, _ = task.write_predictions(task.read_examples(file), predictions, tmp_path)
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert [one["filled"] for one in written] == ["He was walks home.", "the, thens!"]
    assert fill("[MASK] [MASK]", ["a", "##b"]) == "ab"
    assert written[0]["masks"] == [
        [
            {"token": "##s", "probability": 0.5},
            {"token": "a", "probability": 0.25},
            {"token": "a", "probability": 0.125},
        ]
    ]


def test_long_texts_among_short_ones(weights, tmp_path):
    """Masks in rows of up to 128 tokens get what they get alone."""
    folder = tmp_path / "long"
    tokenizer = BertTokenizer.from_pretrained(weights)
    config = dataclasses.replace(
        BertPretrainer.from_pretrained(weights).config, max_position_embeddings=128
    )
    keras.utils.set_random_seed(7)
    write_huggingface(BertPretrainer(config, sentence_head=False), folder)
    tokenizer.save(folder)
    task = Pretraining(max_length=128, num_fillings=4).load_pretrained(folder)
    texts = [
        "The [MASK] was cold",
        "good soup " * 40 + "[MASK] and [MASK]",
        "[MASK]",
        "[MASK] " + "the waiter came " * 37,
        "a [MASK]",
    ]
    model = task.build_model(folder, "float32")
    examples = task.examples_of(texts)
    lengths = examples.encoded.examples.token_ids.row_lengths().numpy()
    assert sorted(lengths)[-2] > 64 and lengths[3] > 100
    together = task.answers(examples, Inference(model, task.predictions, 3)(examples, ""))
    for text, masks in zip(texts, together, strict=True):
        expected = by_hand(folder, text, 4, max_length=128)
        assert len(masks) == len(expected) == text.count("[MASK]")
        for best, alone in zip(masks, expected, strict=True):
            assert [each["token"] for each in best] == [token for token, _ in alone]
            shares = [each["probability"] for each in best]
            np.testing.assert_allclose(shares, [share for _, share in alone], rtol=1e-4)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["[MASK]", "no gap"], "texts.txt:2: expected a [MASK] to fill in, found none."),
        (["[MASK]", "[mask]"], "texts.txt:2: expected a [MASK] to fill in, found none."),
        (["[MASK]", "", "[MASK]"], "texts.txt:2: expected text in the line, found nothing."),
        (
            ["[MASK]", "[MASK] " + "soup " * 30 + "[MASK]"],
            "texts.txt:2: a [MASK] is beyond the 16 tokens that are read of a text (`max_length`).",
        ),
    ],
)
def test_texts_that_cannot_be_filled_in(make_task, tmp_path, lines, sentence):
    task, file = make_task(*lines)
    with pytest.raises(InputError) as caught:
        task.read_examples(file)
    assert str(caught.value) == f"{tmp_path}/{sentence}"


def test_inputs_that_cannot_be_filled_in(make_task):
    task, _ = make_task()
    for inputs, message in (
        (["[MASK]", "no gap"], r"inputs\[1\]: expected a \[MASK\] to fill in, found none"),
        (["soup " * 30 + "[MASK]"], r"inputs\[0\]: a \[MASK\] is beyond the 16 tokens"),
        ([3], r"inputs: \[0\]: expected a text, found"),
    ):
        with pytest.raises(InputError, match=message):
            task.examples_of(inputs)
    with pytest.raises(InputError, match=r"file: expected a file of texts with \[MASK\]"):
        task.read_examples("")


def test_rows_of_json(make_task):
    rows = ['{"text": "a [MASK]"}', '{"text": "b"}']
    task, file = make_task(*rows, name="rows.jsonl")
    with pytest.raises(InputError, match=r"rows\.jsonl:2: expected a \[MASK\] to fill in"):
        task.read_examples(file)
    task, file = make_task(rows[0], name="rows.jsonl")
    assert len(task.read_examples(file)) == 1


def test_weights_that_fill_in_nothing(tiny_checkpoint, weights):
    settings = Pretraining(max_length=LENGTH)
    with pytest.raises(InputError, match=r"holds no head of a masked language model, .* train one"):
        settings.load_pretrained(tiny_checkpoint)
    with pytest.raises(InputError, match="max_length: expected at most 64"):
        Pretraining(max_length=65).load_pretrained(weights)
    task = settings.load_pretrained(weights)
    with pytest.raises(InputError, match="objective: expected 'none', because the weights have no"):
        task.evaluation_set(seed=0)
