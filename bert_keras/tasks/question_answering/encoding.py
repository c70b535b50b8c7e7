"""Questions to encoded examples, a window of a context each, and the tokens of their answers."""

import dataclasses

import numpy as np
import tensorflow as tf

from bert_keras.data.batches import EncodedExamples
from bert_keras.tasks.question_answering.examples import drop_answers
from bert_keras.tasks.question_answering.windows import QuestionWindows, question_windows

_STRINGS = 256  # tokenized at a time
_QUESTIONS = 4096  # laid out at a time


@dataclasses.dataclass(frozen=True)
class EncodedQuestions:
    """Questions as the encoder reads them.

    Attributes:
        examples: `EncodedExamples`, one a window; `truncated` counts the questions that were cut.
        windows: `QuestionWindows`, the same examples.
        begins: ragged int32 [contexts, (tokens)], where tokens begin, in code points.
        ends: likewise, where they end.
        context_of: int32 [questions], the context that each question is about.
    """

    examples: EncodedExamples
    windows: QuestionWindows
    begins: tf.RaggedTensor
    ends: tf.RaggedTensor
    context_of: tf.Tensor


def encode_questions(tokenizer, questions, sizes):
    """Tokenizes questions, and each context once, and lays them out as examples.

    Args:
        tokenizer: a `BertTokenizer`.
        questions: `Questions`.
        sizes: `WindowSizes`.

    Returns:
        `EncodedQuestions`.
    """
    asked = _tokens(tokenizer.tokenize, questions.texts)
    contexts, begins, ends = _tokens(tokenizer.tokenize_with_offsets, questions.contexts)
    context_of = tf.constant(questions.context_of, tf.int32)
    pieces = []
    for first in range(0, len(questions), _QUESTIONS):
        some = slice(first, first + _QUESTIONS)
        piece = question_windows(asked[some], contexts, context_of[some], sizes, tokenizer)
        pieces.append(piece._replace(question=piece.question + first))
    windows = QuestionWindows(*(tf.concat(columns, 0) for columns in zip(*pieces, strict=True)))
    cut = tf.math.count_nonzero(asked.row_lengths() > sizes.max_question_length)
    examples = EncodedExamples(windows.token_ids, windows.segment_ids, int(cut))
    return EncodedQuestions(examples, windows, begins, ends, context_of)


def drop_unreadable(tokenizer, questions):
    """Leaves out answers that have no tokens, such as a lone accent, which nothing could find."""
    texts = list({answer.text: None for answers in questions.answers for answer in answers})
    if not texts:
        return questions
    counts = _tokens(tokenizer.tokenize, texts).row_lengths().numpy()
    unread = {text for text, count in zip(texts, counts, strict=True) if not count}
    return drop_answers(
        questions, lambda _, answer: answer.text not in unread, "not of characters that are read"
    )


def answer_positions(encoded, questions):
    """Finds the answers' tokens in the windows.

    Args:
        encoded: the `EncodedQuestions` of the questions.
        questions: labelled `Questions`, their answers where they are said to be and readable, see
            `drop_unreadable`. Of several answers the first counts, as in google-research/bert.

    Returns:
        int32 [windows, 2], the example's first and last token of the answer; (0, 0), which is
        [CLS], where the window does not hold the whole of one.
    """
    begins, ends = encoded.begins.values.numpy(), encoded.ends.values.numpy()
    splits = encoded.begins.row_splits.numpy()
    tokens = np.full((len(questions), 2), -1)  # of the context; -1 for no answer
    for index, answers in enumerate(questions.answers):
        if not answers:
            continue
        answer, context = answers[0], questions.context_of[index]
        some = slice(splits[context], splits[context + 1])
        first = np.searchsorted(ends[some], answer.start, "right")
        last = np.searchsorted(begins[some], answer.start + len(answer.text), "left") - 1
        tokens[index] = first, last

    windows = encoded.windows
    before = windows.before.numpy()  # [windows]
    lengths = windows.token_ids.row_lengths().numpy()
    tokens = tokens[windows.question.numpy()]  # [windows, 2]
    positions = tokens - (windows.first.numpy() - before)[:, np.newaxis]
    is_whole = (tokens[:, 0] >= 0) & (positions[:, 0] >= before) & (positions[:, 1] < lengths - 1)
    return np.where(is_whole[:, np.newaxis], positions, 0).astype(np.int32)


def _tokens(tokenize, strings):
    """Tokenizes strings on all cores."""
    pieces = list(
        tf.data.Dataset.from_tensor_slices(tf.constant(strings, tf.string))
        .batch(_STRINGS)
        .map(tokenize, num_parallel_calls=tf.data.AUTOTUNE)
    )
    if isinstance(pieces[0], tuple):
        return tuple(tf.concat(part, axis=0) for part in zip(*pieces, strict=True))
    return tf.concat(pieces, axis=0)
