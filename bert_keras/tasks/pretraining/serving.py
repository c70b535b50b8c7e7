"""The function that serves fill-mask."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bert_keras.data.packing import pack
from bert_keras.tasks.pretraining.fill_mask import is_mask, protecting, tokens_of_masks
from bert_keras.text.tokenizer import BertTokenizer


def fill_mask(
    model: Callable[..., Any], tokenizer: BertTokenizer, max_length: int, count: int
) -> Callable[..., Any]:
    """Makes a function from texts with masks to the best tokens.

    Args:
        model: takes the inputs of a `BertPretrainer` and returns its outputs.
        tokenizer: the model's. Special tokens in the text are recognized.
        max_length: tokens that a text may have; longer ones are cut.
        count: how many tokens to return for each mask.

    Returns:
        A `tf.function` of strings [batch] `text` that returns `token`, strings, and `probability`,
        float32, each [batch, masks, count], the best first, "" and 0 for masks that a text does not
        have; and `masks`, int32 [batch], how many it has. A text without a mask, or whose masks are
        beyond `max_length`, has 0.
    """
    protective, vocabulary = protecting(tokenizer), tokenizer.vocabulary

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")], autograph=False)
    def serve(text: tf.Tensor) -> dict[str, tf.Tensor]:
        encoded = protective.encode(text, max_length=max_length)
        token_ids = encoded["token_ids"]
        masked = is_mask(token_ids, tokenizer.mask_id)
        inputs, order = pack(token_ids, encoded["segment_ids"], others={"masked": masked})
        best = tokens_of_masks(model(inputs, training=False), inputs, count)
        ids, probabilities = (tf.gather(values, tf.argsort(order)) for values in best)
        ids = ids.to_tensor(len(vocabulary))  # [batch, masks, count]
        return {
            "token": tf.gather(tf.constant([*vocabulary, ""]), ids),
            "probability": probabilities.to_tensor(),
            "masks": tf.reduce_sum(masked, axis=1),
        }

    return serve
