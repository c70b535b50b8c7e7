"""Functions to serve a tagger with: strings in, entities out."""

import tensorflow as tf

from bert_keras.data.packing import pack, unpack
from bert_keras.tasks.tagging.decoding import find_entities
from bert_keras.tasks.tagging.windows import frame_windows, merge
from bert_keras.tasks.tagging.words import begins_word, words_of_tokens

_ROWS = 64  # that the model answers at a time: a long text is thousands
_TEXT = [tf.TensorSpec([None], tf.string, "text")]
# What stands where a text has fewer entities than another.
_NOTHING = {"text": "", "type": "", "start": -1, "end": -1, "score": 0.0}


def ragged(model, tokenizer, types, max_length):
    """From strings to their entities.

    Args:
        model: a `BertTokenClassifier`.
        tokenizer: a `BertTokenizer`.
        types: the types' names.
        max_length: tokens that a window may have; longer texts go through several.

    Returns:
        A `tf.function` of strings [batch] that gives a dict of ragged tensors
        [batch, (entities)]: `text` and `type`, strings; `start` and `end`, int32, code points, the
        end exclusive; and `score`, float32, the mean of the probabilities of its words' tags.
    """
    is_begin = begins_word(tokenizer.vocabulary)
    tags = 1 + 2 * len(types)

    @tf.function(input_signature=_TEXT)
    def find(text):
        ids, begins, ends = tokenizer.tokenize_with_offsets(text)
        windows, framed = frame_windows(tokenizer, ids, max_length)
        inputs, order = pack(framed["token_ids"], framed["segment_ids"])
        logits = unpack(_in_parts(model, inputs, tags), inputs["example_ids"])
        logits = tf.gather(logits, tf.argsort(order))  # [windows, (tokens), tags]
        words = words_of_tokens(ids, begins, ends, is_begin)
        log_probs = tf.nn.log_softmax(tf.gather(merge(logits, windows), words.token))
        _, found = find_entities(
            tf.RaggedTensor.from_row_splits(log_probs, words.row_splits, validate=False)
        )
        start = found.first.with_values(tf.gather(words.start, found.first.values))
        end = found.last.with_values(tf.gather(words.end, found.last.values))
        return {
            "text": _cut_out(text, start, end),
            "type": found.type.with_values(tf.gather(tf.constant(types), found.type.values)),
            "start": start,
            "end": end,
            "score": found.score,
        }

    return find


def rectangular(find):
    """The same for servers that know no ragged tensors.

    Args:
        find: what `ragged` returned.

    Returns:
        A `tf.function` of strings [batch] that gives the same dict with tensors [batch, most], as
        wide as the text with most entities needs it, and `count`, int32 [batch], how many of them
        there are. Behind those are empty strings, -1 and 0.
    """

    @tf.function(input_signature=_TEXT)
    def serve(text):
        found = find(text)
        count = tf.cast(found["start"].row_lengths(), tf.int32)
        dense = {name: values.to_tensor(_NOTHING[name]) for name, values in found.items()}
        return dense | {"count": count}

    return serve


def _in_parts(model, inputs, tags):
    """Gives the logits [rows, length, tags], some rows after the other: no text is too long."""
    rows = tf.shape(inputs["token_ids"])[0]
    parts = tf.maximum(1, -(-rows // _ROWS))

    def add(part, found):
        some = {name: values[part * _ROWS : (part + 1) * _ROWS] for name, values in inputs.items()}
        return part + 1, found.write(part, model(some, training=False))

    found = tf.TensorArray(tf.float32, parts, infer_shape=False)
    _, found = tf.while_loop(lambda part, _: part < parts, add, (0, found), parallel_iterations=1)
    return tf.ensure_shape(found.concat(), [None, None, tags])


def _cut_out(text, start, end):
    """The code points [start, end) of texts: [batch, (entities)]."""
    codes = tf.strings.unicode_decode(text, "UTF-8")  # [batch, (codes)]
    first = tf.gather(codes.row_starts(), start.value_rowids()) + tf.cast(start.values, tf.int64)
    positions = tf.ragged.range(first, first + tf.cast(end.values - start.values, tf.int64))
    pieces = positions.with_values(tf.gather(codes.values, positions.values))
    return start.with_values(tf.strings.unicode_encode(pieces, "UTF-8"))
