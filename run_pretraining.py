"""Pretrains BERT on running text, evaluates it on held-out text, and fills in [MASK] with it.

  python run_pretraining.py --do_train --do_eval --input_file='texts/*.txt' \\
      --vocab_dir=runs/vocabulary --model_size=mini --output_dir=runs/pretrained
"""

from collections.abc import Sequence

from bert_keras.cli.run_task import run_task
from bert_keras.tasks.pretraining.task import Pretraining


def main(argv: Sequence[str] | None = None) -> None:
    run_task(Pretraining, __doc__, argv, needs_predict_file=True)


if __name__ == "__main__":
    main()
