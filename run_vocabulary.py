"""Learns a WordPiece vocabulary from text, for a BERT of one's own.

  python run_vocabulary.py --input_file=data/reports.txt --layout=sentences --vocab_size=200 \\
      --output_dir=runs/vocabulary
"""

import logging

from absl import flags

from bert_keras.cli import script
from bert_keras.cli.corpus_flags import open_corpus
from bert_keras.errors import InputError
from bert_keras.files import atomic_folder, expect_new_folder
from bert_keras.text.vocabulary import MOST_UNKNOWN

FLAGS = flags.FLAGS

flags.DEFINE_integer("vocab_size", 30522, "How many tokens to learn.", 1)
flags.DEFINE_bool("do_lower_case", True, "Lower-case the text and take its accents away.")
flags.DEFINE_string("output_dir", None, "A new folder for vocab.txt and tokenizer_config.json.")

logger = logging.getLogger("bert_keras")


def main():
    if not FLAGS.output_dir:
        raise InputError("Expected --output_dir, a new folder for the vocabulary.")
    folder = expect_new_folder(FLAGS.output_dir)
    script.start_tensorflow_quietly()  # first, for a data set of the catalogue starts it too
    corpus = open_corpus()
    from bert_keras.corpus.passages import sentences_of
    from bert_keras.text.learning import count_words, learn_vocabulary, measure_coverage
    from bert_keras.text.tokenizer import BertTokenizer
    from bert_keras.text.wordpiece import MAX_WORD

    print(f"Reading {len(corpus.shards):,} files")
    held_out = True
    words = count_words(
        sentences_of(corpus, FLAGS.dev_fraction, held_out=False), FLAGS.do_lower_case
    )
    if not words:  # a single document
        held_out = None
        words = count_words(sentences_of(corpus, FLAGS.dev_fraction, held_out), FLAGS.do_lower_case)
    if not words:
        next(iter(corpus))  # where there is white space alone, this says so
        raise InputError(
            f"{', '.join(FLAGS.input_file)}: expected words to learn a vocabulary from, found none "
            f"of at most {MAX_WORD} characters."
        )
    print(f"Learning from {words.total():,} words, {len(words):,} of them distinct")
    tokenizer = BertTokenizer(learn_vocabulary(words, FLAGS.vocab_size), FLAGS.do_lower_case)
    coverage = measure_coverage(tokenizer, sentences_of(corpus, FLAGS.dev_fraction, held_out))
    with atomic_folder(folder) as aside:
        tokenizer.save(aside)
    print(f"{len(tokenizer.vocabulary):,} tokens in {folder}")
    print(
        f"{'Held-out documents' if held_out else 'One document, learned from'}: "
        f"{coverage.words:,} words, {coverage.unknown_share:.3%} [UNK], "
        f"{coverage.tokens_per_word:.3f} tokens a word"
    )
    if coverage.unknown_share > MOST_UNKNOWN:
        logger.warning(
            "The vocabulary does not fit the text: more than %.0f%% of the words are [UNK].",
            100 * MOST_UNKNOWN,
        )


if __name__ == "__main__":
    script.run(main)
