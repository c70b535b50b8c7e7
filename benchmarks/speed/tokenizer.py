"""Tokenizing speed beside Hugging Face's `tokenizers`, which is written in Rust.

    pip install .[test]
    python benchmarks/tokenizer.py --vocab=VOCAB.txt --text=FOLDER
    python benchmarks/tokenizer.py --vocab=VOCAB.txt --text=FOLDER --cores=1

Both get the same lines, in batches of 1,024, as Python strings, and as many threads as cores; they
take turns in one run. Ours is mapped over the batches by tf.data, theirs is `encode_batch_fast`,
which works out no offsets. Then both tokenize one sentence at a time, as a server would. Medians
are printed, and the ratio of our time to theirs: below 1 is faster.
"""

import os
import pathlib
import statistics
import time

from absl import app, flags

_VOCAB = flags.DEFINE_string("vocab", None, "A vocab.txt.", required=True)
_TEXT = flags.DEFINE_string("text", None, "A text file, or a folder of them.", required=True)
_CASED = flags.DEFINE_bool("cased", False, "Keep capitals and accents.")
_CORES = flags.DEFINE_integer("cores", None, "How many cores to use. Default: all.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "How often each takes its turn.")
_MEGABYTES = flags.DEFINE_integer("megabytes", 28, "How much of the text to read at most.")

BATCH = 1024
SENTENCE = (
    "A newcomer who opens the repository should be able to guess which room a line is in before "
    "looking at it, and tokenization should take no time at all."
)


def read_lines(path, limit):
    """Returns the lines of a file or of all .txt files below a folder, up to `limit` bytes."""
    path = pathlib.Path(path)
    lines = []
    for file in sorted(path.rglob("*.txt")) if path.is_dir() else [path]:
        for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
            limit -= len(line.encode()) + 1
            if limit < 0:
                return lines
            lines.append(line)
    return lines


def in_turns(runs, rounds):
    """Returns the median seconds of each function, after one call of each to warm up."""
    seconds = [[] for _ in runs]
    for turn in range(rounds + 1):
        for run, times in zip(runs, seconds, strict=True):
            start = time.perf_counter()
            run()
            if turn:
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


def main(_):
    cores = sorted(os.sched_getaffinity(0))[: _CORES.value]
    os.sched_setaffinity(0, cores)  # before the libraries count them
    os.environ["RAYON_NUM_THREADS"] = str(len(cores))
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    import tensorflow as tf
    import tokenizers

    from bert_keras.text.tokenizer import BertTokenizer

    ours = BertTokenizer(_VOCAB.value, lowercase=not _CASED.value, protect_special_tokens=True)
    theirs = tokenizers.BertWordPieceTokenizer(_VOCAB.value, lowercase=not _CASED.value)
    lines = read_lines(_TEXT.value, _MEGABYTES.value << 20)
    megabytes = sum(len(line.encode()) + 1 for line in lines) / 1e6

    def run_ours():
        texts = tf.constant(lines)
        starts = tf.data.Dataset.range(0, len(lines), BATCH)
        batches = starts.map(
            lambda start: ours.tokenize(texts[start : start + BATCH]),
            num_parallel_calls=len(cores),
        )
        options = tf.data.Options()
        options.threading.max_intra_op_parallelism = 1  # batches are enough to share out
        return [batch.values for batch in batches.with_options(options)]

    def run_theirs():
        return [
            theirs._tokenizer.encode_batch_fast(
                lines[start : start + BATCH], add_special_tokens=False
            )
            for start in range(0, len(lines), BATCH)
        ]

    wrong = sum(
        list(tokens) != [token for encoding in batch for token in encoding.ids]
        for tokens, batch in zip((b.numpy() for b in run_ours()), run_theirs(), strict=True)
    )
    print(f"{len(lines):,} lines, {megabytes:.1f} MB, {len(cores)} core(s), batches of {BATCH}")
    print(f"batches that differ: {wrong}")
    seconds = in_turns([run_ours, run_theirs], _ROUNDS.value)
    for name, each in zip(("ours", "tokenizers"), seconds, strict=True):
        print(f"{name:>12}: {megabytes / each:6.2f} MB/s")
    print(f"{'ratio':>12}: {seconds[0] / seconds[1]:6.2f}")

    call = tf.function(lambda text: ours(text)["token_ids"], [tf.TensorSpec([None], tf.string)])
    sentence = tf.constant([SENTENCE])
    seconds = in_turns([lambda: call(sentence), lambda: theirs.encode(SENTENCE)], 500)
    print(f"one sentence of {call(sentence).shape[1]} tokens")
    for name, each in zip(("ours", "tokenizers"), seconds, strict=True):
        print(f"{name:>12}: {1e3 * each:6.2f} ms")


if __name__ == "__main__":
    app.run(main)
