"""Questions as examples for the encoder, and the tokens of their answers."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_keras.data.batches import EncodedExamples, LabelledExamples
from bert_keras.tasks.question_answering.examples import Questions, drop_answers
from bert_keras.tasks.question_answering.sizes import WindowSizes
from bert_keras.tasks.question_answering.windows import QuestionWindows, question_windows
from bert_keras.text.tokenizer import BertTokenizer

_STRINGS = 256  # tokenized in one batch
_QUESTIONS = 4096  # of which windows are built in one batch


@dataclasses.dataclass(frozen=True)
class EncodedQuestions:
    """Questions as the encoder reads them.

    Attributes:
        examples: the examples, one for each window; `truncated` is the number of questions that
            were cut.
        windows: the same examples with what they consist of.
        starts: ragged int32 [contexts, (tokens)], the code point at which each token starts.
        ends: likewise, the code point after it.
        context_of: int32 [questions], the index of each question's context.
    """

    examples: EncodedExamples
    windows: QuestionWindows
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor
    context_of: tf.Tensor


@dataclasses.dataclass(frozen=True)
class QuestionExamples:
    """Questions with everything that their scores and predictions need. An example is a window.

    Attributes:
        questions: the questions.
        encoded: the same questions as the encoder reads them.
    """

    questions: Questions
    encoded: EncodedQuestions

    def __len__(self) -> int:
        return len(self.encoded.examples)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """See `EvaluationSet.evaluation_batches`."""
        starts = {"starts": self.encoded.windows.starts}
        return LabelledExamples(self.encoded.examples, starts).evaluation_batches(batch_size)


def encode_questions(
    tokenizer: BertTokenizer, questions: Questions, sizes: WindowSizes
) -> EncodedQuestions:
    """Tokenizes questions, and each context once, and builds their examples.

    Args:
        tokenizer: the tokenizer.
        questions: the questions, at least one.
        sizes: the sizes of an example.

    Returns:
        The examples.
    """
    question_ids = _on_all_cores(tokenizer.tokenize, questions.texts)
    contexts, starts, ends = _on_all_cores(tokenizer.tokenize_with_offsets, questions.contexts)
    context_of = tf.constant(questions.context_of, tf.int32)
    pieces = []
    for first in range(0, len(questions), _QUESTIONS):
        some = slice(first, first + _QUESTIONS)
        piece = question_windows(question_ids[some], contexts, context_of[some], sizes, tokenizer)
        pieces.append(piece._replace(question=piece.question + first))
    windows = QuestionWindows(*(tf.concat(columns, 0) for columns in zip(*pieces, strict=True)))
    cut = tf.math.count_nonzero(question_ids.row_lengths() > sizes.max_question_length)
    examples = EncodedExamples(windows.token_ids, windows.segment_ids, int(cut))
    return EncodedQuestions(examples, windows, starts, ends, context_of)


def drop_unreadable(tokenizer: BertTokenizer, questions: Questions) -> Questions:
    """Removes answers without tokens, such as a lone accent, which cannot be predicted.

    Args:
        tokenizer: the tokenizer.
        questions: labelled questions.

    Raises:
        InputError: no question is left.
    """
    assert questions.answers is not None
    texts = list({answer.text: None for answers in questions.answers for answer in answers})
    if not texts:
        return questions
    counts = _on_all_cores(tokenizer.tokenize, texts).row_lengths().numpy()
    unreadable = {text for text, count in zip(texts, counts, strict=True) if not count}
    return drop_answers(
        questions,
        lambda _, answer: answer.text not in unreadable,
        "not of characters that the tokenizer keeps",
    )


def answer_positions(encoded: EncodedQuestions, questions: Questions) -> np.ndarray:
    """Returns the positions of the answers' tokens in the windows.

    Args:
        encoded: the questions as examples.
        questions: the same questions, labelled. Their answers are at the positions that the file
            gives, and readable; see `drop_unreadable`. Of several answers the first counts, as in
            google-research/bert, run_squad.py.

    Returns:
        int32 [windows, 2], the positions in the example of the first and the last token of the
        answer; (0, 0), which is [CLS], where the window does not contain the entire answer.
    """
    assert questions.answers is not None
    starts, ends = encoded.starts.values.numpy(), encoded.ends.values.numpy()
    splits = encoded.starts.row_splits.numpy()
    tokens = np.full((len(questions), 2), -1)  # of the context; -1 for no answer
    for index, answers in enumerate(questions.answers):
        if not answers:
            continue
        answer, context = answers[0], questions.context_of[index]
        some = slice(splits[context], splits[context + 1])
        first = np.searchsorted(ends[some], answer.start, "right")
        last = np.searchsorted(starts[some], answer.start + len(answer.text), "left") - 1
        tokens[index] = first, last

    windows = encoded.windows
    before = windows.before.numpy()  # [windows]
    lengths = windows.token_ids.row_lengths().numpy()
    tokens = tokens[windows.question.numpy()]  # [windows, 2]
    positions = tokens - (windows.first.numpy() - before)[:, np.newaxis]
    is_entire = (tokens[:, 0] >= 0) & (positions[:, 0] >= before) & (positions[:, 1] < lengths - 1)
    return np.where(is_entire[:, np.newaxis], positions, 0).astype(np.int32)


def _on_all_cores(tokenize: Callable[[tf.Tensor], Any], strings: Sequence[str]) -> Any:
    """Tokenizes strings; returns what `tokenize` does, for all of them together."""
    pieces = list(
        tf.data.Dataset.from_tensor_slices(tf.constant(strings, tf.string))
        .batch(_STRINGS)
        .map(tokenize, num_parallel_calls=tf.data.AUTOTUNE)
    )
    if isinstance(pieces[0], tuple):
        return tuple(tf.concat(column, axis=0) for column in zip(*pieces, strict=True))
    return tf.concat(pieces, axis=0)
