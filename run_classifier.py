"""Fine-tunes BERT to label texts, and evaluates, predicts and exports the result.

  python run_classifier.py --do_train --do_eval --do_export --output_dir=runs/reviews \\
      --init_checkpoint=FOLDER --train_file=data/reviews.tsv
"""

from collections.abc import Sequence

from bert_keras.cli.run_task import run_task
from bert_keras.tasks.classification.task import Classification


def main(argv: Sequence[str] | None = None) -> None:
    run_task(Classification, __doc__, argv)


if __name__ == "__main__":
    main()
