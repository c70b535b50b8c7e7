"""Classification: a text, or two, gets one label, several labels, or a number."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any, ClassVar

from bert_keras.data.rows import Rows, check_labels, find_labels
from bert_keras.tasks.classification.settings import ClassificationSettings
from bert_keras.training.task import Prepared, Task

if TYPE_CHECKING:
    from bert_keras.tasks.classification.bound import BoundClassification


@dataclasses.dataclass(frozen=True)
class Classification(Task, ClassificationSettings):
    """Labels for texts: one of several classes, any number of them, or a number.

    Attributes:
        class_weights: "balanced" weighs each class by the inverse of its share of the training
            rows, so that rare classes count as much; "" weighs all rows alike.
        pooling: "cls" or "mean", see `BertClassifier`; that of the weights' own head unless given,
            or else "cls".
        max_length: tokens that an example may have, special tokens included; longer ones are cut.

    The other attributes say where the rows come from; see `RowSource`.

    Raises:
        InputError: a setting cannot be used, alone or together with another.

    Example:
        task = Classification(train="reviews.tsv", dev_fraction=0.1)
        run = bert_keras.train(task, init_checkpoint=folder, output_dir="runs/reviews")
        run.predict(["A waste of money."])  # [{"label": ..., "score": ..., "probabilities": ...}]
    """

    recorded_as: ClassVar[str] = "run_classifier"
    hyperparameters: ClassVar[tuple[str, ...]] = ("class_weights", "pooling")

    def prepare(self, reference: str | None, seed: int) -> Prepared:
        tokenizer = self._open_tokenizer(reference)
        train, dev = self.train_and_dev(seed)
        labels = tuple(find_labels(train)) if self.kind != "number" else ()
        if dev and labels:
            check_labels(dev, labels)
        bound = self._bind(tokenizer, labels, train)
        return Prepared(bound, bound.training_set(train), bound.encode(dev) if dev else None)

    def restore(self, folder: pathlib.Path) -> BoundClassification:
        from bert_keras.tasks.classification.bound import BoundClassification

        return BoundClassification.from_folder(self, self._open_tokenizer(folder), folder)

    def _open_tokenizer(self, reference: str | pathlib.Path | None) -> Any:
        from bert_keras.tasks.shared.tokenizers import open_tokenizer

        return open_tokenizer(reference, self.max_length)

    def _bind(self, tokenizer: Any, labels: tuple[str, ...], train: Rows) -> BoundClassification:
        """Binds the task to what the training rows have."""
        from bert_keras.tasks.classification.bound import BoundClassification

        return BoundClassification(self, tokenizer, labels, takes_pairs=train.pairs is not None)
