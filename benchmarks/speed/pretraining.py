"""Speed of pretraining a BERT-mini beside transformers on PyTorch: real tokens a second.

    pip install '.[pretraining,peers]'
    PYTHONPATH=. python benchmarks/pretraining_speed.py --texts=FOLDER --vocab_dir=FOLDER

Both run in turns, a process each, in bfloat16, on batches of as many rows of 128 tokens, with the
same vocabulary, masked words alone. Ours is run_pretraining.py on prepared texts; theirs is
`peer_pretraining.py`, with the usual data collator on blocks without padding. Ours counts the
later half of its steps, theirs all steps after the first ten. Theirs is run with both of its ways
of attention, and the faster counts. Medians are printed, the share that each reaches of what the
machine's matrix products do alone, and the ratio of our time a token to theirs: below 1 is faster.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import turns
from absl import app, flags

from bert_keras.config import BertConfig

FLAGS = flags.FLAGS
HERE = pathlib.Path(__file__).resolve().parent

flags.DEFINE_string("texts", None, "A folder of .txt files.", required=True)
flags.DEFINE_string("vocab_dir", None, "A folder made by run_vocabulary.py.", required=True)
flags.DEFINE_string("peer_python", sys.executable, "A Python with torch and transformers.")
flags.DEFINE_integer("rounds", 3, "How often each takes its turn.")
flags.DEFINE_integer("steps", 60, "Steps of a turn.")
flags.DEFINE_integer("batch_size", 64, "Rows of a step.")


def run_ours(scratch, turn):
    """One turn of run_pretraining.py; returns tokens a second."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    folder = scratch / f"run{turn}"
    # Next to nothing is held out: the evaluation at the end is not what is timed.
    command = [
        sys.executable,
        HERE.parent / "run_pretraining.py",
        "--do_train",
        "--model_size=mini",
    ]
    command += ["--objective=none", "--precision=bfloat16", "--dev_fraction=1e-6"]
    command += [f"--input_file={FLAGS.texts}", f"--vocab_dir={FLAGS.vocab_dir}"]
    command += [f"--prepared_dir={scratch / 'prepared'}", f"--output_dir={folder}"]
    command += [f"--num_train_steps={FLAGS.steps}", f"--train_batch_size={FLAGS.batch_size}"]
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    events = EventAccumulator(str(folder / "train"), size_guidance={"tensors": 0}).Reload()
    found = events.Tensors("train/tokens_per_second")[FLAGS.steps // 2 :]
    return statistics.harmonic_mean([float(make_ndarray(event.tensor_proto)) for event in found])


def run_peer(attention):
    """One turn of peer_pretraining.py; returns tokens a second."""
    command = [FLAGS.peer_python, HERE / "peer_pretraining.py", f"--data_dir={FLAGS.texts}"]
    command += [f"--vocab_file={pathlib.Path(FLAGS.vocab_dir) / 'vocab.txt'}"]
    command += ["--max_bytes=2000000", f"--steps={FLAGS.steps // 2}"]
    command += [f"--train_batch_size={FLAGS.batch_size}", f"--attention={attention}"]
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])["tokens_per_second"]


def work_of_a_token():
    """Floating-point operations of the model's matrix products, forward and backward."""
    mini = BertConfig.from_size("mini")
    words = len((pathlib.Path(FLAGS.vocab_dir) / "vocab.txt").read_text("utf-8").splitlines())
    encoder = turns.work_of_encoder(
        1, 128, mini.num_hidden_layers, mini.hidden_size, mini.intermediate_size
    )
    head = 0.15 * 2 * mini.hidden_size * (mini.hidden_size + words)  # at masked tokens
    return 3 * (encoder + head)


def main(_):
    ours, peers = [], {"eager": [], "sdpa": []}
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(FLAGS.rounds):
            ours.append(run_ours(pathlib.Path(scratch), turn))
            for attention, found in peers.items():
                found.append(run_peer(attention))
            told = ", ".join(f"{name} {found[-1]:,.0f}" for name, found in peers.items())
            print(f"ours {ours[-1]:,.0f}, transformers {told} tokens/s", flush=True)
    alone = turns.measure(turns.products("bfloat16"), 9)[turns.PRODUCTS]
    speed = turns.work_of_products() / statistics.median(alone)
    ours = statistics.median(ours)
    peer, name = max((statistics.median(found), name) for name, found in peers.items())
    shares = [tokens * work_of_a_token() / speed for tokens in (ours, peer)]
    print(
        f"medians: ours {ours:,.0f}, transformers ({name}) {peer:,.0f} tokens/s; "
        f"{shares[0]:.0%} and {shares[1]:.0%} of the matrix products' {speed / 1e9:,.0f} GFLOP/s; "
        f"ratio of times {peer / ours:.2f}"
    )


if __name__ == "__main__":
    app.run(main)
