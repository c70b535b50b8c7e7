"""How fast a corpus is prepared for pretraining: megabytes of text a second.

    .venv/bin/pip install --editable '.[pretraining]'
    .venv/bin/python -m benchmarks.speed.corpus_preparation --input_file=FOLDER --vocab_dir=FOLDER

Reads, splits into sentences, tokenizes and writes, three times for each length, and prints the
median and the fastest. TensorFlow's start is not counted. For comparison, google-research/bert's
create_pretraining_data.py was measured at 0.21 MB/s on two cores of the same kind, with 128 tokens
and 5 duplicates. It also draws the masks, once for all epochs; here they are drawn while training,
anew in every epoch.
"""

import logging
import statistics
import tempfile
import time

from benchmarks.harness import arguments

ROUNDS = 3


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--input_file", required=True, help="files, folders or globs, by commas")
    flags.add_argument("--layout", default="auto", help="see data/README.md")
    flags.add_argument("--vocab_dir", required=True, help="a folder of run_vocabulary.py")
    args = flags.parse_args()
    from bert_keras import BertTokenizer
    from bert_keras.corpus.corpus import Corpus
    from bert_keras.corpus.prepared import prepare

    logging.getLogger("bert_keras").setLevel(logging.ERROR)
    corpus = Corpus(args.input_file.split(","), args.layout)
    megabytes = sum(shard["bytes"] for shard in corpus.fingerprint()["shards"]) / 1e6
    tokenizer = BertTokenizer.from_pretrained(args.vocab_dir)
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
    main()
