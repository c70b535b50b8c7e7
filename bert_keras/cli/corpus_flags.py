"""The flags of every script that reads running text."""

from absl import flags

from bert_keras.errors import InputError

FLAGS = flags.FLAGS

flags.DEFINE_list("input_file", [], "Files, folders, globs or tfds:NAME[:SPLIT], commas between.")
flags.DEFINE_enum(
    "layout",
    "auto",
    ["auto", "sentences", "files", "jsonl", "wikitext"],
    "See data/README.md.",
)
flags.DEFINE_string("text_column", "text", "Name of the text in JSON lines or a tfds data set.")
flags.DEFINE_string("language", "en", "Of the text, a code such as en: how its sentences end.")
flags.DEFINE_float("dev_fraction", 0.02, "Share of the documents held out to measure on.", 0.0, 1.0)


def open_corpus():
    """Returns the `Corpus` that the flags name.

    Raises:
        InputError: they name none, or one that cannot be read.
    """
    if not FLAGS.input_file:
        raise InputError("Expected --input_file, the texts.")
    from bert_keras.corpus.corpus import Corpus

    return Corpus(FLAGS.input_file, FLAGS.layout, FLAGS.text_column, FLAGS.language)
