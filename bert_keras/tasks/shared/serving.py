"""Functions to serve, for tasks that give each example one answer."""

import tensorflow as tf

from bert_keras.data.packing import pack
from bert_keras.tasks.classification.entity_markers import mark


def of_text(model, tokenizer, answer, max_length, has_pairs):
    """From strings to answers, tokenized as in training.

    Args:
        model: takes the encoder's inputs and gives [examples, ...].
        tokenizer: a `BertTokenizer`.
        answer: function of the model's outputs that gives a dict of tensors [examples, ...].
        max_length: tokens that an example may have; longer ones are cut, as in training.
        has_pairs: whether an example is two texts, `text` and `text_pair`.

    Returns:
        A `tf.function` of strings [batch] that gives `answer`'s dict, for any batch, the empty
        one too.
    """
    names = ["text", "text_pair"] if has_pairs else ["text"]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name) for name in names])
    def serve(*texts):
        encoded = tokenizer.encode(*texts, max_length=max_length)
        return _answer(model, answer, encoded["token_ids"], encoded["segment_ids"])

    return serve


def of_entities(serve_text, has_types):
    """From strings and the places of two entities in them to answers.

    Args:
        serve_text: what `of_text` returned, for texts in which the entities are marked.
        has_types: whether types of the entities are given too.

    Returns:
        A `tf.function` of strings [batch] `text`, int32 [batch] `head_start`, `head_end`,
        `tail_start` and `tail_end`, in code points, ends exclusive, and, with types, strings
        [batch] `head_type` and `tail_type`. Places that cannot be, such as those of entities that
        overlap, are answered with an empty string and zeros.
    """
    spec = [tf.TensorSpec([None], tf.string, "text")]
    for name in ("head_start", "head_end", "tail_start", "tail_end"):
        spec.append(tf.TensorSpec([None], tf.int32, name))
    if has_types:
        spec += [tf.TensorSpec([None], tf.string, name) for name in ("head_type", "tail_type")]

    @tf.function(input_signature=spec)
    def serve(text, *entities):
        spans, types = tf.stack(entities[:4], 1), entities[4:]
        marked, valid = mark(text, spans, tf.stack(types, 1) if types else None)
        no = tf.where(~valid)  # [invalid, 1]
        return {
            name: tf.tensor_scatter_nd_update(values, no, tf.zeros_like(tf.gather_nd(values, no)))
            for name, values in serve_text(marked).items()
        }

    return serve


def of_token_ids(model, tokenizer, answer):
    """From token ids to answers.

    Args:
        model, tokenizer, answer: as for `of_text`.

    Returns:
        A `tf.function` of int32 [batch, length] `token_ids`, which end in the id of [PAD] where
        they are shorter than the longest, and `segment_ids`.
    """
    spec = [tf.TensorSpec([None, None], tf.int32, name) for name in ("token_ids", "segment_ids")]

    @tf.function(input_signature=spec)
    def serve(token_ids, segment_ids):
        columns = tf.range(1, tf.shape(token_ids)[1] + 1)
        used = tf.cast(token_ids != tokenizer.pad_id, tf.int32) * columns  # [batch, length]
        # An empty example is one of padding alone: it too is owed an answer.
        lengths = tf.maximum(tf.reduce_max(used, axis=1), 1)  # [batch]
        return _answer(
            model,
            answer,
            tf.RaggedTensor.from_tensor(token_ids, lengths),
            tf.RaggedTensor.from_tensor(segment_ids, lengths),
        )

    return serve


def _answer(model, answer, token_ids, segment_ids):
    inputs, order = pack(token_ids, segment_ids)
    outputs = model(inputs, training=False)  # [batch, ...], in the rows' order
    return answer(tf.gather(outputs, tf.argsort(order)))
