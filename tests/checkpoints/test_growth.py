"""Words of a domain into a vocabulary."""

import keras
import numpy as np
import pytest

from bert_keras.checkpoints.contents import Contents
from bert_keras.checkpoints.convert import read_all
from bert_keras.checkpoints.growth import grow, grown_contents, tokens_to_add
from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.pretrainer import BertPretrainer
from bert_keras.text.tokenizer import BertTokenizer

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"]
VOCABULARY += ["gli", "##o", "##blast", "##oma", "blast", "oma", "o", "a", "##a", "##m"]
CONFIG = BertConfig(
    vocab_size=len(VOCABULARY),
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=12,
)


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(VOCABULARY)


@pytest.fixture
def folder(tmp_path):
    keras.utils.set_random_seed(1)
    model = BertPretrainer(CONFIG)
    model.get_layer("masked_lm").bias.assign(np.arange(len(VOCABULARY)))
    write_huggingface(model, tmp_path / "old")
    BertTokenizer(VOCABULARY, max_length=12).save(tmp_path / "old")
    return tmp_path / "old"


def test_new_rows_are_the_means_of_their_pieces(folder, tmp_path):
    added = grow(folder, ["glioblastoma", "##blastoma", "oma", "Gliö"], tmp_path / "new")
    assert added == ["glioblastoma", "##blastoma", "glio"]
    old, new = read_all(folder)[0].values, read_all(tmp_path / "new")[0].values
    ids = [VOCABULARY.index(piece) for piece in ("gli", "##o", "##blast", "##oma")]
    size = len(VOCABULARY)
    for name in ("embeddings/word/embeddings", "masked_lm/bias"):
        np.testing.assert_array_equal(new[name][:size], old[name])
        np.testing.assert_array_equal(new[name][size], old[name][ids].mean(0))
        np.testing.assert_array_equal(new[name][size + 1], old[name][ids[2:]].mean(0))
        np.testing.assert_array_equal(new[name][size + 2], old[name][ids[:2]].mean(0))
        assert len(new[name]) == size + 3
    for name in old.keys() - {"embeddings/word/embeddings", "masked_lm/bias"}:
        np.testing.assert_array_equal(new[name], old[name])

    # It is a checkpoint with its tokenizer.
    tokenizer = BertTokenizer.from_pretrained(tmp_path / "new")
    assert tokenizer.vocabulary == VOCABULARY + added
    inputs = tokenizer(["oma glioblastoma"])
    assert inputs["token_ids"].numpy().tolist() == [[2, 12, size, 3]]
    model = BertPretrainer.from_pretrained(tmp_path / "new")
    logits = model(inputs | {"masked": inputs["example_ids"]})["token_logits"]
    assert logits.shape == (4, size + 3)


@pytest.mark.long
def test_a_learned_vocabulary_gives_its_first_words(tokenizer, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n[unused7]\no\n##o\nblasto\n\n##ma\nglia\n")
    assert tokens_to_add(tokenizer, path, limit=2) == ["blasto", "##ma"]
    assert tokens_to_add(tokenizer, path) == ["blasto", "##ma", "glia"]


def test_a_cased_vocabulary_keeps_capitals():
    tokenizer = BertTokenizer([*VOCABULARY, "A"], lowercase=False)
    assert tokens_to_add(tokenizer, ["Oma", "oma", "Ö"]) == ["Oma", "Ö"]


def test_unknown_characters_start_as_the_mean_of_all(tokenizer, caplog):
    words = np.random.default_rng(1).normal(size=(len(VOCABULARY), 8)).astype("float32")
    old = Contents(CONFIG, {}, {"embeddings/word/embeddings": words})
    new = grown_contents(old, tokenizer, ["oma", "ωmega"])
    np.testing.assert_array_equal(new.values["embeddings/word/embeddings"][-1], words.mean(0))
    assert new.config.vocab_size == len(VOCABULARY) + 2
    assert "1 of 2 new tokens have characters" in caplog.text and "ωmega" in caplog.text


@pytest.mark.parametrize("token", ["covid-19", "two words", "x" * 201, "##a,b", "[a"])
def test_a_token_that_could_never_occur_is_refused(tokenizer, token):
    with pytest.raises(
        InputError, match=r"new tokens:2: .* cannot be a token, because the tokenizer splits"
    ):
        tokens_to_add(tokenizer, ["gliom", token])


def test_nothing_to_add(tokenizer, tmp_path):
    with pytest.raises(InputError, match="expected a token that the vocabulary does not have"):
        tokens_to_add(tokenizer, ["oma", "[unused9]", ""])
    with pytest.raises(InputError, match=r"words\.txt: expected a vocabulary file, found none"):
        tokens_to_add(tokenizer, tmp_path / "words.txt")


def test_without_a_vocabulary_there_is_nothing_to_grow(tmp_path):
    write_huggingface(BertEncoder(CONFIG), tmp_path / "old")
    with pytest.raises(InputError, match="expected a vocabulary beside the weights"):
        grow(tmp_path / "old", ["glia"], tmp_path / "new")


@pytest.mark.long
def test_a_classifier_grows_with_its_labels(tmp_path):
    write_huggingface(BertClassifier(CONFIG, 2), tmp_path / "old", labels=["no", "yes"])
    BertTokenizer(VOCABULARY).save(tmp_path / "old")
    grow(tmp_path / "old", ["glia"], tmp_path / "new")
    contents, _, extra = read_all(tmp_path / "new")
    assert contents.heads == {"classifier": {"num_classes": 2}}
    assert extra["id2label"] == {"0": "no", "1": "yes"}
