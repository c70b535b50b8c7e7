"""Tokenizing speed compared with Hugging Face's `tokenizers`, which is written in Rust.

    .venv/bin/pip install --editable '.[test]'
    .venv/bin/python -m benchmarks.speed.tokenizer --vocab=VOCAB.txt --text=FOLDER
    .venv/bin/python -m benchmarks.speed.tokenizer --vocab=VOCAB.txt --text=FOLDER --cores=1

Both sides get the same lines as Python strings in batches of 1,024, and as many threads as cores.
They take turns in one process. tf.data maps ours over the batches; the peer's call is
`encode_batch_fast`, which computes no offsets. Then both tokenize one sentence at a time, as a
server does. Prints medians and the ratio of our time to theirs: below 1 is faster.
"""

import os
import pathlib
import statistics
import time

from benchmarks.harness import arguments, compare_time, results

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


def use_cores(count):
    """Keeps this process to some cores, before the libraries count them; returns how many."""
    cores = sorted(os.sched_getaffinity(0))[:count]
    os.sched_setaffinity(0, cores)
    os.environ["RAYON_NUM_THREADS"] = str(len(cores))
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    return len(cores)


def compare_batches(ours, peer, lines, cores, rounds):
    """Shows how many batches differ; returns the median seconds of each side."""
    import tensorflow as tf

    def run_ours():
        texts = tf.constant(lines)
        starts = tf.data.Dataset.range(0, len(lines), BATCH)
        batches = starts.map(
            lambda start: ours.tokenize(texts[start : start + BATCH]),
            num_parallel_calls=cores,
        )
        options = tf.data.Options()
        options.threading.max_intra_op_parallelism = 1  # the batches share the cores out
        return [batch.values for batch in batches.with_options(options)]

    def run_peer():
        return [
            peer._tokenizer.encode_batch_fast(
                lines[start : start + BATCH], add_special_tokens=False
            )
            for start in range(0, len(lines), BATCH)
        ]

    wrong = sum(
        tokens.numpy().tolist() != [token for encoding in batch for token in encoding.ids]
        for tokens, batch in zip(run_ours(), run_peer(), strict=True)
    )
    print(f"batches that differ: {wrong}")
    return in_turns([run_ours, run_peer], rounds)


def compare_sentence(ours, peer):
    """Shows the milliseconds of one sentence."""
    import tensorflow as tf

    call = tf.function(lambda text: ours(text)["token_ids"], [tf.TensorSpec([None], tf.string)])
    sentence = tf.constant([SENTENCE])
    seconds = in_turns([lambda: call(sentence), lambda: peer.encode(SENTENCE)], 500)
    print(f"one sentence of {call(sentence).shape[1]} tokens")
    for name, each in zip(("ours", "tokenizers"), seconds, strict=True):
        print(f"{name:>12}: {1e3 * each:6.2f} ms")


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--vocab", required=True, help="a vocab.txt")
    flags.add_argument("--text", required=True, help="a text file, or a folder of them")
    flags.add_argument("--cased", action="store_true", help="keep capitals and accents")
    flags.add_argument("--cores", type=int, help="how many cores to use; all by default")
    flags.add_argument("--rounds", type=int, default=7, help="turns of each side")
    flags.add_argument("--megabytes", type=int, default=28, help="most text to read")
    flags.add_argument("--results", help="a file to record the figures in")
    args = flags.parse_args()
    cores = use_cores(args.cores)
    import tokenizers

    from bert_keras import BertTokenizer

    ours = BertTokenizer(args.vocab, lowercase=not args.cased, protect_special_tokens=True)
    peer = tokenizers.BertWordPieceTokenizer(args.vocab, lowercase=not args.cased)
    lines = read_lines(args.text, args.megabytes << 20)
    megabytes = sum(len(line.encode()) + 1 for line in lines) / 1e6
    print(f"{len(lines):,} lines, {megabytes:.1f} MB, {cores} core(s), batches of {BATCH}")
    seconds = compare_batches(ours, peer, lines, cores, args.rounds)
    sides = [{"value": megabytes / each, "unit": "MB/s"} for each in seconds]
    for name, side in zip(("ours", "tokenizers"), sides, strict=True):
        print(f"{name:>12}: {side['value']:6.2f} MB/s")
    ratio = seconds[0] / seconds[1]
    print(f"{'ratio':>12}: {ratio:6.2f}")
    results.record(args.results, "tokenizer", compare_time.comparison(*sides, ratio))
    compare_sentence(ours, peer)


if __name__ == "__main__":
    main()
