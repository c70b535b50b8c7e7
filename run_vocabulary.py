"""Learns a WordPiece vocabulary from text, for a BERT of one's own.

  python run_vocabulary.py --input_file=data/reports.txt --layout=sentences --vocab_size=200 \\
      --output_dir=runs/vocabulary
"""

import logging
from collections.abc import Sequence

from bert_keras.cli import script
from bert_keras.cli.flags import Flags
from bert_keras.corpus.settings import CorpusSettings
from bert_keras.errors import InputError
from bert_keras.files import atomic_folder, expect_new_folder
from bert_keras.options import from_record
from bert_keras.text.vocabulary import MOST_UNKNOWN

logger = logging.getLogger("bert_keras")


def main(argv: Sequence[str] | None = None) -> None:
    flags = Flags()
    flags.define("vocab_size", int, 30522, "How many tokens to learn.", minimum=1)
    flags.define("do_lower_case", bool, True, "Lower-case the text and take its accents away.")
    flags.define("output_dir", str, None, "A new folder for vocab.txt and tokenizer_config.json.")
    flags.define_options(CorpusSettings)
    script.run(learn, flags, __doc__, argv)


def learn(flags: Flags) -> None:
    if not flags["output_dir"]:
        raise InputError("Expected --output_dir, a new folder for the vocabulary.")
    folder = expect_new_folder(flags["output_dir"])
    settings = from_record(CorpusSettings, flags.values())
    lower_case, fraction = flags["do_lower_case"], settings.dev_fraction
    # First, because a data set of tensorflow-datasets starts TensorFlow too.
    script.start_tensorflow_quietly(flags["debug"])
    corpus = settings.open_corpus()
    from bert_keras.corpus.passages import sentences_of
    from bert_keras.text.learning import count_words, learn_vocabulary, measure_coverage
    from bert_keras.text.tokenizer import BertTokenizer
    from bert_keras.text.wordpiece import MAX_WORD

    print(f"Reading {len(corpus.shards):,} files")
    held_out: bool | None = True
    words = count_words(sentences_of(corpus, fraction, held_out=False), lower_case)
    if not words:  # a single document
        held_out = None
        words = count_words(sentences_of(corpus, fraction, held_out), lower_case)
    if not words:
        next(iter(corpus))  # where there is white space alone, this says so
        raise InputError(
            f"{', '.join(settings.input_files)}: expected words to learn a vocabulary from, found "
            f"none of at most {MAX_WORD} characters."
        )
    print(f"Learning from {words.total():,} words, {len(words):,} of them distinct")
    tokenizer = BertTokenizer(learn_vocabulary(words, flags["vocab_size"]), lower_case)
    coverage = measure_coverage(tokenizer, sentences_of(corpus, fraction, held_out))
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
    main()
