"""Question answering: the answer to a question is a piece of a given text, or none."""

from __future__ import annotations

import dataclasses
import logging
import pathlib
from typing import TYPE_CHECKING, ClassVar

from bert_keras.errors import InputError
from bert_keras.tasks.question_answering.settings import QuestionAnsweringSettings
from bert_keras.training.task import Prepared, Task

if TYPE_CHECKING:
    from bert_keras.tasks.question_answering.bound import BoundQuestionAnswering

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class QuestionAnswering(Task, QuestionAnsweringSettings):
    """Answers to questions, each a piece of a context.

    If some training questions have no answer, as in SQuAD 2.0, the model also learns to give none.
    It gives none where the score of no answer exceeds that of the best span by more than a
    threshold. Each evaluation while training finds the threshold that is best on its questions, and
    it is saved with the model.

    Contexts of any length are split into windows. An answer starts in the window in which its first
    token has the most context.

    Attributes:
        doc_stride: the tokens between the starts of two windows of a context.
        max_query_length: the most tokens of a question; longer ones are cut.
        max_answer_length: the most tokens of an answer.
        n_best: the number of spans whose probabilities sum to 1, and that predictions list.
        null_score_diff_threshold: the threshold; None to find it.
        scoring: how predictions are compared with gold answers, see `answer_scores`.
        max_length: the most tokens of a question with a window, special tokens included.

    The other attributes say where the questions come from; see `QuestionSource`.

    Raises:
        InputError: a setting cannot be used, or the sizes leave too few tokens for a context, so
            that windows would skip some of its tokens.

    Example:
        task = QuestionAnswering(train="train-v2.0.json", dev="dev-v2.0.json")
        run = bert_keras.train(task, init_checkpoint=folder, output_dir="runs/questions")
        run.predict([{"question": "When does the mill open?", "context": "It opens at ten."}])
        # [{"answer": "ten", "start": 12, "end": 15, "score": ...}]
    """

    recorded_as: ClassVar[str] = "run_qa"
    eval_batch_size: ClassVar[int] = 64

    def prepare(self, reference: str | None, seed: int) -> Prepared:
        from bert_keras.tasks.question_answering.bound import BoundQuestionAnswering
        from bert_keras.tasks.question_answering.encoding import drop_unreadable
        from bert_keras.tasks.shared.tokenizers import open_tokenizer

        tokenizer = open_tokenizer(reference, self.max_length)
        train, dev = self.train_and_dev(seed)
        train = drop_unreadable(tokenizer, train)
        assert train.answers is not None
        given, has_null = self.null_score_diff_threshold, not all(train.answers)
        if given is not None and not has_null:
            raise InputError(
                f"every question in {train.file} has an answer.", field="null_score_diff_threshold"
            )
        tunes = has_null and given is None
        if tunes and dev is None:
            _log.info("No questions to choose `null_score_diff_threshold` by (`dev`): it is 0.")
        threshold = (given or 0.0) if has_null else None
        bound = BoundQuestionAnswering(self, tokenizer, threshold, tunes)
        return Prepared(bound, bound.training_set(train), bound.encode(dev) if dev else None)

    def restore(self, folder: pathlib.Path) -> BoundQuestionAnswering:
        from bert_keras.tasks.question_answering.bound import BoundQuestionAnswering
        from bert_keras.tasks.shared.tokenizers import open_tokenizer

        tokenizer = open_tokenizer(folder, self.max_length)
        return BoundQuestionAnswering.from_folder(self, tokenizer, folder)
