r"""What half an hour of pretraining on two cores is worth: a BERT-mini from scratch, on books.

    .venv/bin/pip install --editable '.[pretraining]'
    .venv/bin/python -m benchmarks.accuracy.pretraining --input_file=TEXTS --data_dir=GLUE \
        --work_dir=runs/pretraining

Learns a vocabulary, pretrains on the texts with some documents held out, and continues for a few
minutes on the texts of SST-2's training rows without their labels. Then it fine-tunes three models
on SST-2: both of these, and the same model without pretraining, which is one step at a rate of 0.
Each is trained on all rows, and on 500 rows of each class with three seeds. Every step is a script
that a user runs. A step whose folder is in --work_dir already is not repeated. Writes the scores
and the held-out loss by step to --results, and the loss as a picture beside it.
"""

import dataclasses
import json
import pathlib
import time

from benchmarks.harness import arguments, data, environment

PRETRAINING = [
    *("--do_train", "--do_eval", "--objective=none", "--precision=bfloat16"),
    "--evaluations_per_epoch=2",
]
# Masked words alone do not train [CLS], so the head is on the mean of the tokens.
FINE_TUNING = [
    *("--do_train", "--do_eval", "--task_name=SST-2", "--precision=bfloat16", "--pooling=mean"),
    *("--learning_rate=3e-4", "--evaluations_per_epoch=0.1"),
]
ROWS = {  # flags, seeds
    "all": (["--num_train_epochs=2"], [1]),
    "1000": (["--num_train_epochs=10", "--train_rows_per_class=500"], [1, 2, 3]),
}


def shape():
    """The settings of the model as JSON.

    BERT-mini without dropout, because half an hour is about two passes over the texts, and with
    larger initial weights, which keep the activations' scale through layers this narrow.
    """
    from bert_keras import BertConfig

    config = dataclasses.replace(
        BertConfig.from_size("mini"),
        initializer_range=0.06,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return json.dumps(config.to_dict())


def run(script, folder, *words):
    """Runs a script on a folder unless that was done before; returns the minutes it took."""
    minutes = folder / "minutes.txt"
    if not minutes.is_file():
        start = time.monotonic()
        environment.call(environment.script(script, *words, f"--output_dir={folder}"), stdout=None)
        minutes.write_text(f"{(time.monotonic() - start) / 60:.1f}")
    return float(minutes.read_text())


def read_scores(folder):
    return json.loads((folder / "eval_results.json").read_text())


def loss_curve(folder):
    """The held-out loss by step, from TensorBoard's events."""
    events = environment.read_events(folder / "eval", "eval/masked_lm_loss")
    return [[step, value] for step, value in events]


def draw(points, path):
    """Writes the curve as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3))
    axes.plot(*zip(*points, strict=True), marker=".")
    axes.set(xlabel="step", ylabel="held-out masked-LM loss")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100, bbox_inches="tight")


def pretrain(args, work, domain):
    """Learns the vocabulary and makes the three models; returns the minutes of each."""
    texts, vocabulary = args.input_file, work / "vocabulary"
    size = f"--vocab_size={args.vocab_size}"
    run("run_vocabulary.py", vocabulary, f"--input_file={texts},{domain}", size)
    config = work / "bert_config.json"
    config.write_text(shape())
    new = [f"--vocab_dir={vocabulary}", f"--bert_config_file={config}", f"--input_file={texts}"]
    continued = [f"--init_checkpoint={work}/pretrained", f"--input_file={domain}"]
    minutes = {}
    for name, steps, batch_size, rate, words in (
        ("pretrained", args.num_train_steps, 32, 1.4e-3, new),
        ("adapted", args.domain_steps, 256, 5e-4, continued),
        ("untrained", 1, 32, 0, new),
    ):
        minutes[name] = run(
            "run_pretraining.py",
            work / name,
            *PRETRAINING,
            *words,
            f"--prepared_dir={work}/prepared",
            f"--num_train_steps={steps}",
            f"--train_batch_size={batch_size}",
            f"--learning_rate={rate}",
        )
    return minutes


def fine_tune(args, work, models):
    """The accuracies on SST-2 by rows and model, one for each seed."""
    scores = {}
    for rows, (flags, seeds) in ROWS.items():
        scores[rows] = {model: [] for model in models}
        for model, accuracies in scores[rows].items():
            for seed in seeds:
                folder = work / f"sst2_{model}_{rows}_rows_{seed}"
                words = [f"--init_checkpoint={work / model}", f"--data_dir={args.data_dir}"]
                run("run_classifier.py", folder, *FINE_TUNING, *flags, *words, f"--seed={seed}")
                accuracies.append(read_scores(folder)["accuracy"])
    return scores


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--input_file", required=True, help="texts: files, folders or globs")
    flags.add_argument("--data_dir", type=pathlib.Path, required=True, help="GLUE's folder")
    flags.add_argument("--work_dir", type=pathlib.Path, required=True, help="of all runs")
    flags.add_argument("--vocab_size", type=int, default=8192)
    flags.add_argument("--num_train_steps", type=int, default=5700, help="of 32 rows of 128 tokens")
    flags.add_argument("--domain_steps", type=int, default=800, help="of 256 texts of SST-2")
    flags.add_argument(
        "--results", type=pathlib.Path, default=environment.RESULTS / "pretraining.json"
    )
    args = flags.parse_args()
    work = args.work_dir
    work.mkdir(parents=True, exist_ok=True)
    domain = work / "sst2_texts.jsonl"
    (texts,) = data.read_columns(args.data_dir / "SST-2" / "train.tsv", "sentence")
    domain.write_text("".join(json.dumps({"text": text}) + "\n" for text in dict.fromkeys(texts)))
    minutes = pretrain(args, work, domain)
    scores = fine_tune(args, work, minutes)
    curve = loss_curve(work / "pretrained")
    curve.insert(0, [0, read_scores(work / "untrained")["masked_lm_loss"]])
    results = {
        "steps": args.num_train_steps,
        "domain_steps": args.domain_steps,
        "vocab_size": args.vocab_size,
        "minutes": minutes,
        "held_out": read_scores(work / "pretrained"),
        "curve": curve,
        "sst2_accuracy": scores,
        "measured": environment.machine(),
    }
    args.results.write_text(json.dumps(results, indent=1) + "\n")
    draw(curve, args.results.with_suffix(".png"))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
