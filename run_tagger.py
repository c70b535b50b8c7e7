"""Fine-tunes BERT to find entities in texts, and evaluates, predicts and exports the result.

  python run_tagger.py --do_train --do_eval --do_export --output_dir=runs/entities \\
      --init_checkpoint=FOLDER --train_file=data/entities.conll
"""

from collections.abc import Sequence

from bert_keras.cli.run_task import run_task
from bert_keras.tasks.tagging.task import Tagging


def main(argv: Sequence[str] | None = None) -> None:
    run_task(Tagging, __doc__, argv)


if __name__ == "__main__":
    main()
