"""The functions that serve a tagger: strings in, entities out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from bert_keras.data.packing import pack, unpack
from bert_keras.tasks.tagging.decoding import find_entities
from bert_keras.tasks.tagging.windows import frame_windows, merge
from bert_keras.tasks.tagging.words import starts_word, words_of_tokens
from bert_keras.text.tokenizer import BertTokenizer

_ROWS = 64  # that the model computes at a time: a long text has thousands
_TEXT = [tf.TensorSpec([None], tf.string, "text")]
# The padding where a text has fewer entities than another.
_PADDING = {"text": "", "type": "", "start": -1, "end": -1, "score": 0.0}


def ragged(
    model: Callable[..., Any], tokenizer: BertTokenizer, types: Sequence[str], max_length: int
) -> Callable[..., Any]:
    """Makes the function from strings to their entities.

    Args:
        model: a `BertTokenClassifier`, or a function like it.
        tokenizer: its tokenizer.
        types: the names of the types.
        max_length: the most tokens that a window may have; longer texts have several windows.

    Returns:
        A `tf.function` of strings [batch]. It returns a dict of ragged tensors [batch, (entities)]:
        `text` and `type`, strings; `start` and `end`, int32, code points, the end exclusive; and
        `score`, float32, the mean of the probabilities of the words' tags.
    """
    is_start = starts_word(tokenizer.vocabulary)
    tags = 1 + 2 * len(types)

    @tf.function(input_signature=_TEXT, autograph=False)
    def find(text: tf.Tensor) -> dict[str, tf.RaggedTensor]:
        ids, starts, ends = tokenizer.tokenize_with_offsets(text)
        windows, framed = frame_windows(tokenizer, ids, max_length)
        inputs, order = pack(framed["token_ids"], framed["segment_ids"])
        logits = unpack(_in_turns(model, inputs, tags), inputs["example_ids"])
        logits = tf.gather(logits, tf.argsort(order))  # [windows, (tokens), tags]
        words = words_of_tokens(ids, starts, ends, is_start)
        log_probs = tf.nn.log_softmax(tf.gather(merge(logits, windows), words.token))
        _, entities = find_entities(
            tf.RaggedTensor.from_row_splits(log_probs, words.row_splits, validate=False)
        )
        start = entities.first.with_values(tf.gather(words.start, entities.first.values))
        end = entities.last.with_values(tf.gather(words.end, entities.last.values))
        return {
            "text": _cut_out(text, start, end),
            "type": entities.type.with_values(tf.gather(tf.constant(types), entities.type.values)),
            "start": start,
            "end": end,
            "score": entities.score,
        }

    return find


def rectangular(find: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the same function for servers without ragged tensors.

    Args:
        find: what `ragged` returned.

    Returns:
        A `tf.function` of strings [batch]. It returns the same dict with tensors [batch, most],
        where `most` is the largest number of entities of a text, and `count`, int32 [batch], the
        number of each text's entities. The padding is "", -1 and 0.
    """

    @tf.function(input_signature=_TEXT, autograph=False)
    def serve(text: tf.Tensor) -> dict[str, tf.Tensor]:
        entities = find(text)
        count = tf.cast(entities["start"].row_lengths(), tf.int32)
        dense = {name: values.to_tensor(_PADDING[name]) for name, values in entities.items()}
        return dense | {"count": count}

    return serve


def _in_turns(model: Callable[..., Any], inputs: Mapping[str, tf.Tensor], tags: int) -> tf.Tensor:
    """Computes logits [rows, length, tags] a few rows at a time, so that no text is too long."""
    rows = tf.shape(inputs["token_ids"])[0]
    turns = tf.maximum(1, -(-rows // _ROWS))

    def compute(turn: tf.Tensor, logits: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        some = {name: values[turn * _ROWS : (turn + 1) * _ROWS] for name, values in inputs.items()}
        return turn + 1, logits.write(turn, model(some, training=False))

    _, logits = tf.while_loop(
        lambda turn, _: turn < turns,
        compute,
        (0, tf.TensorArray(tf.float32, turns, infer_shape=False)),
        parallel_iterations=1,
    )
    return tf.ensure_shape(logits.concat(), [None, None, tags])


def _cut_out(text: tf.Tensor, start: tf.RaggedTensor, end: tf.RaggedTensor) -> tf.RaggedTensor:
    """Returns the code points [start, end) of texts: strings [batch, (entities)]."""
    codes = tf.strings.unicode_decode(text, "UTF-8")  # [batch, (codes)]
    first = tf.gather(codes.row_starts(), start.value_rowids()) + tf.cast(start.values, tf.int64)
    indices = tf.ragged.range(first, first + tf.cast(end.values - start.values, tf.int64))
    pieces = indices.with_values(tf.gather(codes.values, indices.values))
    return start.with_values(tf.strings.unicode_encode(pieces, "UTF-8"))
