"""What several tests need."""

import logging
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before anything imports TensorFlow

import pathlib
import re
import shutil
import signal
import string

import keras
import pytest
import tensorflow as tf

# Two devices for what is to be spread; all else runs on the first.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

DATA = pathlib.Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def samples():
    """The folder of sample files."""
    return DATA


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory):
    """A folder in Hugging Face's layout: a random encoder that knows the samples' words."""
    from bert_keras.checkpoints.huggingface import write_huggingface
    from bert_keras.config import BertConfig
    from bert_keras.models.encoder import BertEncoder
    from bert_keras.text.tokenizer import BertTokenizer

    text = " ".join(path.read_text(encoding="utf-8") for path in sorted(DATA.glob("*.tsv")))
    words = sorted(set(re.findall(r"[a-z]+|[^\sa-z]", text.lower())) - set(string.ascii_lowercase))
    pieces = [mark + letter for mark in ("", "##") for letter in string.ascii_lowercase]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces, *words]

    folder = tmp_path_factory.mktemp("tiny_checkpoint")
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.2,  # so that a change of the input changes the output visibly
    )
    keras.utils.set_random_seed(1)
    write_huggingface(BertEncoder(config), folder)
    BertTokenizer(vocabulary, max_length=64).save(folder)
    return folder


@pytest.fixture(scope="session")
def marking_checkpoint(tiny_checkpoint, tmp_path_factory):
    """The same encoder, but that its last words are the punctuation that marks entities."""
    folder = tmp_path_factory.mktemp("marking") / "checkpoint"
    shutil.copytree(tiny_checkpoint, folder)
    path = folder / "vocab.txt"
    tokens = path.read_text(encoding="utf-8").split()
    path.write_text("\n".join([*tokens[:-4], *"@#*^"]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def mirrored():
    """Two devices. A process has one such strategy: a second one's collectives take the first's."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(autouse=True)
def logger_of_a_new_process():
    """Undoes what a script that ran in this process did to the package's logger."""
    logger = logging.getLogger("bert_keras")
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def ctrl_c():
    """Ctrl-C as in front, also where a shell started the tests in the background, to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
