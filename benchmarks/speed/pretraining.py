"""Pretraining a BERT-mini against transformers on PyTorch: tokens a second, padding not counted.

    .venv/bin/pip install --editable '.[pretraining,peers]'
    .venv/bin/python -m benchmarks.speed.pretraining --texts=FOLDER --vocab_dir=FOLDER

Both sides run in turns, a process each, in bfloat16, on batches of equal numbers of rows of 128
tokens, with the same vocabulary, on masked words alone. Ours is run_pretraining.py on prepared
texts. The peer is `peers.peer_pretraining`, with the usual data collator on blocks without padding.
Ours counts the second half of its steps, the peer all steps after the first ten. The peer runs with
both of its implementations of attention, and the faster one counts. Prints medians, the share that
each side reaches of the speed of the machine's matrix products, and the ratio of our time to
theirs: below 1 is faster.
"""

import json
import pathlib
import statistics
import sys
import tempfile

from benchmarks.harness import arguments, compare_time, environment, results


def run_ours(args, scratch, turn):
    """One run of run_pretraining.py; returns tokens a second."""
    folder = scratch / f"run{turn}"
    # Hardly anything is held out: the evaluation at the end is not what is timed.
    flags = ["--do_train", "--model_size=mini", "--objective=none", "--precision=bfloat16"]
    flags += ["--dev_fraction=1e-6", f"--input_file={args.texts}", f"--vocab_dir={args.vocab_dir}"]
    flags += [f"--prepared_dir={scratch / 'prepared'}", f"--output_dir={folder}"]
    flags += [f"--num_train_steps={args.steps}", f"--train_batch_size={args.batch_size}"]
    environment.call(environment.script("run_pretraining.py", *flags))
    events = environment.read_events(folder / "train", "train/tokens_per_second")
    return statistics.harmonic_mean([value for _, value in events[args.steps // 2 :]])


def run_peer(args, attention):
    """One run of peer_pretraining; returns tokens a second."""
    flags = [f"--data_dir={args.texts}", f"--vocab_file={args.vocab_dir / 'vocab.txt'}"]
    flags += ["--max_bytes=2000000", f"--steps={args.steps // 2}"]
    flags += [f"--train_batch_size={args.batch_size}", f"--attention={attention}"]
    command = environment.module("peers.peer_pretraining", *flags, python=args.peer_python)
    return json.loads(environment.call(command).splitlines()[-1])["tokens_per_second"]


def operations_of_a_token(vocab_dir):
    """Floating-point operations of the model's matrix products, forward and backward."""
    from bert_keras import BertConfig

    mini = BertConfig.from_size("mini")
    words = len((vocab_dir / "vocab.txt").read_text("utf-8").splitlines())
    encoder = compare_time.encoder_operations(
        1, 128, mini.num_hidden_layers, mini.hidden_size, mini.intermediate_size
    )
    head = 0.15 * 2 * mini.hidden_size * (mini.hidden_size + words)  # at masked tokens
    return 3 * (encoder + head)


def measure(args):
    """Tokens a second of each run: ours, and the peer's by its attention."""
    ours, peers = [], {"eager": [], "sdpa": []}
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(args.rounds):
            ours.append(run_ours(args, pathlib.Path(scratch), turn))
            for attention, rates in peers.items():
                rates.append(run_peer(args, attention))
            shown = ", ".join(f"{name} {rates[-1]:,.0f}" for name, rates in peers.items())
            print(f"ours {ours[-1]:,.0f}, transformers {shown} tokens/s", flush=True)
    return ours, peers


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--texts", required=True, help="a folder of .txt files")
    flags.add_argument(
        "--vocab_dir", type=pathlib.Path, required=True, help="a folder of run_vocabulary.py"
    )
    flags.add_argument(
        "--peer_python", default=sys.executable, help="a Python with torch and transformers"
    )
    flags.add_argument("--rounds", type=int, default=3, help="runs of each side")
    flags.add_argument("--steps", type=int, default=60, help="of a run")
    flags.add_argument("--batch_size", type=int, default=64, help="rows of a step")
    flags.add_argument("--results", help="a file to record the figures in")
    args = flags.parse_args()
    ours, peers = measure(args)
    alone = compare_time.measure(compare_time.matmul_peak("bfloat16"), 9)
    speed = compare_time.matmul_operations() / statistics.median(alone[compare_time.MATMUL_PEAK])
    ours = statistics.median(ours)
    peer, name = max((statistics.median(rates), name) for name, rates in peers.items())
    share = operations_of_a_token(args.vocab_dir) / speed  # of one token a second
    sides = [{"value": rate, "unit": "tokens/s", "share": rate * share} for rate in (ours, peer)]
    print(
        f"medians: ours {ours:,.0f}, transformers ({name}) {peer:,.0f} tokens/s; "
        f"{sides[0]['share']:.0%} and {sides[1]['share']:.0%} of the matrix products' "
        f"{speed / 1e9:,.0f} GFLOP/s; ratio of times {peer / ours:.2f}"
    )
    results.record(args.results, "pretraining", compare_time.comparison(*sides, peer / ours))


if __name__ == "__main__":
    main()
