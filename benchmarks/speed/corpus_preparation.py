"""How fast a corpus is prepared for pretraining: megabytes of text a second.

    pip install '.[pretraining]'
    PYTHONPATH=. python benchmarks/preparing.py --input_file=FOLDER --vocab_dir=FOLDER

Reading, splitting into sentences, tokenizing and writing, three times for each length, of which the
median and the fastest are printed; TensorFlow's start is left out. For comparison,
google-research/bert's create_pretraining_data.py was measured at 0.21 MB/s on two cores of the same
kind, with 128 tokens and 5 duplicates. It draws masks meanwhile, once for all; here they are drawn
while training, anew in every epoch.
"""

import logging
import statistics
import tempfile
import time

from absl import app, flags

from bert_keras.cli.corpus_flags import open_corpus

FLAGS = flags.FLAGS
ROUNDS = 3

flags.DEFINE_string("vocab_dir", None, "A folder made by run_vocabulary.py.", required=True)


def main(_):
    from bert_keras.corpus.prepared import prepare
    from bert_keras.text.tokenizer import BertTokenizer

    logging.getLogger("bert_keras").setLevel(logging.ERROR)
    corpus = open_corpus()
    megabytes = sum(shard["bytes"] for shard in corpus.fingerprint()["shards"]) / 1e6
    tokenizer = BertTokenizer.from_pretrained(FLAGS.vocab_dir)
    tokenizer.tokenize(["warm up"])
    for length in (128, 512):
        rates = []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                prepare(corpus, tokenizer, length, folder)
                rates.append(megabytes / (time.perf_counter() - start))
        print(
            f"{megabytes:.1f} MB, {length} tokens: {statistics.median(rates):.1f} MB/s, "
            f"at best {max(rates):.1f}",
            flush=True,
        )


if __name__ == "__main__":
    app.run(main)
