"""Fill-mask: what a masked language model puts in the place of each [MASK] of a text."""

import dataclasses
import json

import numpy as np
import tensorflow as tf

from bert_keras.data.batches import EncodedExamples, encode
from bert_keras.data.packing import pack
from bert_keras.data.texts import read_texts_with_locations
from bert_keras.errors import InputError
from bert_keras.files import atomic_write
from bert_keras.tasks.pretraining.mask_predictions import best_tokens, owners
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.vocabulary import CONTINUATION, MASK


class FillMask:
    """Finds the best fillings of every [MASK], in files and in a server.

    In the text, unlike anywhere else, [MASK] and the other special tokens are read as what they
    say. Texts longer than `max_length` tokens, special ones included, are cut.

    Args:
        file, column: the texts to predict, see `bert_keras.data.texts.read_texts`.
        count: how many fillings of each [MASK] to give.
    """

    def __init__(self, file=None, column="text", count=5):
        self._file, self._column = file, column
        self._count = count
        self._texts = self._most = None

    def read(self, tokenizer, max_length):
        """Reads the file's texts, each with a [MASK] or several.

        Args:
            tokenizer: the model's.
            max_length: see the class.

        Returns:
            Examples to predict; see `bert_keras.training.task.Task.prediction_set`.

        Raises:
            InputError: a text has no [MASK], or one where it is cut; the line is named.
        """
        texts, locations = read_texts_with_locations(self._file, self._column)
        for text, location in zip(texts, locations, strict=True):
            if MASK not in text:
                raise InputError(f"{location}: expected a {MASK} to fill in, found none.")
        encoded = encode(_protecting(tokenizer), texts, None, max_length)
        found = tf.reduce_sum(_masked(encoded.token_ids, tokenizer.mask_id), axis=1).numpy()
        for text, location, count in zip(texts, locations, found, strict=True):
            if text.count(MASK) > count:
                raise InputError(
                    f"{location}: a {MASK} stands beyond the {max_length} tokens that are read "
                    "of a text (--max_seq_length)."
                )
        self._texts, self._most = texts, int(found.max())
        return _Texts(encoded, tokenizer.mask_id)

    def answers(self, outputs, inputs):
        """The fillings as `Task.answers` has them: float32 [examples, masks, 2 * fillings].

        The ids of the best tokens, then their probabilities; masks that a text has not are -1.
        """
        ids, probabilities = self._fillings(outputs, inputs)
        both = tf.concat([tf.cast(ids.values, tf.float32), probabilities.values], axis=1)
        return ids.with_values(both).to_tensor(-1.0, shape=[None, self._most, None])

    def write(self, answers, vocabulary, path):
        """Writes, for each text, its number, itself, its fillings, and it with the best ones in.

        Args:
            answers: what `answers` gave for all texts, an array.
            vocabulary: a list of tokens.
            path: the file of JSON lines; it appears whole or not at all.
        """
        with atomic_write(path) as file:
            for row, (text, lists) in enumerate(zip(self._texts, answers, strict=True), 1):
                masks = [
                    [
                        {"token": vocabulary[int(i)], "probability": float(f"{p:.6g}")}
                        for i, p in zip(*np.split(best, 2), strict=True)
                    ]
                    for best in lists[: text.count(MASK)]
                ]
                filled = _fill(text, [best[0]["token"] for best in masks])
                record = {"row": row, "text": text, "masks": masks, "filled": filled}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def signature(self, model, tokenizer, max_length):
        """A function to serve.

        Args:
            model: a `BertPretrainer`.
            tokenizer: the model's.
            max_length: see the class.

        Returns:
            A `tf.function` of strings [batch] `text` that gives `token`, strings, and
            `probability`, float32, each [batch, masks, fillings], the best first, "" and 0 for
            masks that a text has not; and `masks`, int32 [batch], how many it has: 0 for a text
            without one, or whose masks stand where it is cut.
        """
        protecting, vocabulary = _protecting(tokenizer), tokenizer.vocabulary

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
        def serve(text):
            encoded = protecting.encode(text, max_length=max_length)
            token_ids = encoded["token_ids"]
            masked = _masked(token_ids, tokenizer.mask_id)
            inputs, order = pack(token_ids, encoded["segment_ids"], others={"masked": masked})
            fillings = self._fillings(model(inputs, training=False), inputs)
            ids, probabilities = (tf.gather(each, tf.argsort(order)) for each in fillings)
            ids = ids.to_tensor(len(vocabulary))  # [batch, masks, fillings]
            return {
                "token": tf.gather(tf.constant([*vocabulary, ""]), ids),
                "probability": probabilities.to_tensor(),
                "masks": tf.reduce_sum(masked, axis=1),
            }

        return serve

    def _fillings(self, outputs, inputs):
        """Ids and probabilities, each ragged [examples, (masks), fillings], in the rows' order."""
        owner, count = owners(inputs)
        return [
            tf.RaggedTensor.from_value_rowids(each, owner, count, validate=False)
            for each in best_tokens(outputs["token_logits"], self._count)
        ]


def _protecting(tokenizer):
    return BertTokenizer(
        tokenizer.vocabulary,
        tokenizer.lowercase,
        tokenizer.max_length,
        protect_special_tokens=True,
    )


def _masked(token_ids, mask_id):
    """Ragged int32 like the token ids, 1 for [MASK] and 0 for others."""
    return token_ids.with_values(tf.cast(token_ids.values == mask_id, tf.int32))


@dataclasses.dataclass(frozen=True)
class _Texts:
    """Texts to fill in, as the pretrainer reads them."""

    examples: EncodedExamples
    mask_id: int

    def __len__(self):
        return len(self.examples)

    def evaluation_batches(self, batch_size):
        """See `bert_keras.data.batches.evaluation_batches`; `inputs` has `masked` too."""

        def with_masked(batch):
            masked = tf.cast(batch["inputs"]["token_ids"] == self.mask_id, tf.int32)
            return batch | {"inputs": batch["inputs"] | {"masked": masked}}

        return self.examples.evaluation_batches(batch_size).map(with_masked)


def _fill(text, tokens):
    """Puts a token in the place of each [MASK]; a piece that goes on a word joins what precedes."""
    first, *others = text.split(MASK)
    for token, part in zip(tokens, others, strict=True):
        if token.startswith(CONTINUATION):
            first = first.rstrip()
        first += token.removeprefix(CONTINUATION) + part
    return first
