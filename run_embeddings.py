"""Makes sentence embeddings, finds a query's nearest texts, and learns from pairs of texts.

  python run_embeddings.py --do_predict --init_checkpoint=FOLDER \\
      --predict_file=data/sentences.txt --output_dir=runs/sentences --query="Is it raining?"
"""

from collections.abc import Sequence

from bert_keras.cli.run_task import run_task
from bert_keras.tasks.embedding.task import Embedding


def main(argv: Sequence[str] | None = None) -> None:
    run_task(Embedding, __doc__, argv, of_predictions=("query",))


if __name__ == "__main__":
    main()
