"""Fine-tunes BERT to answer questions from a text, and evaluates, predicts and exports the result.

  python run_qa.py --do_train --do_eval --do_export --output_dir=runs/questions \\
      --init_checkpoint=FOLDER --train_file=data/questions.json
"""

from collections.abc import Sequence

from bert_keras.cli.run_task import run_task
from bert_keras.tasks.question_answering.task import QuestionAnswering


def main(argv: Sequence[str] | None = None) -> None:
    run_task(QuestionAnswering, __doc__, argv)


if __name__ == "__main__":
    main()
