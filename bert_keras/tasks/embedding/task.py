"""Embedding: a text gets a vector, close to those of texts that mean the same."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, ClassVar

from bert_keras.errors import InputError
from bert_keras.tasks.embedding.settings import EmbeddingSettings
from bert_keras.training.task import AnswersUntrained, Prepared, Task

if TYPE_CHECKING:
    from bert_keras.tasks.embedding.bound import BoundEmbedding


@dataclasses.dataclass(frozen=True)
class Embedding(Task, AnswersUntrained, EmbeddingSettings):
    """Vectors for texts, learned from pairs of texts that mean the same, or from scored pairs.

    Pairs without scores are contrasted with the other texts of their batch. Pairs with scores are
    trained so that the order of their cosines is the order of the scores. See `ranking_losses` and
    `order_loss` in `similarity.py`.

    Attributes:
        pooling: "mean", "cls" or "max", see `BertEmbedder`; what the folder of the weights says
            unless given, or else "mean".
        normalize: whether vectors have length 1; what the folder of the weights says unless given,
            or else True.
        layer: the layer whose output is pooled, as `BertEmbedder` counts: -1 is the last block, 0
            the embeddings.
        max_length: tokens that a text may have, special tokens included; longer ones are cut.
        query: when a file is predicted, the nearest texts to this one are listed; "" for none.
        num_neighbors: the number of texts to list.

    The other attributes say where the pairs come from; see `PairSource`.

    Raises:
        InputError: a setting cannot be used, alone or together with another.

    Example:
        task = Embedding(train="paraphrases.tsv", dev_fraction=0.3)
        run = bert_keras.train(task, init_checkpoint=folder, output_dir="runs/paraphrases")
        run.predict(["A man eats.", "Somebody is eating."])  # float32 [2, hidden]
    """

    recorded_as: ClassVar[str] = "run_embeddings"
    hyperparameters: ClassVar[tuple[str, ...]] = ("pooling", "normalize", "layer")

    def prepare(self, reference: str | None, seed: int) -> Prepared:
        bound = self._bind(reference)
        train, dev = self.train_and_dev(seed)
        training_set = bound.training_set(train)
        return Prepared(bound, training_set, None if dev is None else bound.encode_pairs(dev))

    def restore(self, folder: pathlib.Path) -> BoundEmbedding:
        from bert_keras.config import read_json

        layer = read_json(folder / "config.json").get("layer_taken")
        if layer != self.layer:
            raise InputError(
                f"{folder} was trained with {layer}, and has no layers above; found {self.layer}.",
                field="layer",
            )
        return self._bind(folder, is_cut=True)

    def load_pretrained(self, folder: pathlib.Path) -> BoundEmbedding:
        return self._bind(folder)

    def _bind(self, reference: str | pathlib.Path | None, is_cut: bool = False) -> BoundEmbedding:
        from bert_keras.tasks.embedding.bound import BoundEmbedding
        from bert_keras.tasks.shared.tokenizers import open_tokenizer

        return BoundEmbedding(self, open_tokenizer(reference, self.max_length), is_cut)
