"""Question answering, bound to a tokenizer: model, loss, scores, predictions."""

from __future__ import annotations

import dataclasses
import json
import logging
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from bert_keras.config import read_json
from bert_keras.data.batches import LabelledExamples
from bert_keras.data.packing import unpack
from bert_keras.errors import InputError
from bert_keras.files import atomic_write
from bert_keras.tasks.question_answering.encoding import (
    EncodedQuestions,
    QuestionExamples,
    answer_positions,
    encode_questions,
)
from bert_keras.tasks.question_answering.examples import Questions, questions_of
from bert_keras.tasks.question_answering.scores import answer_scores, best_threshold
from bert_keras.tasks.question_answering.serving import of_question
from bert_keras.tasks.question_answering.settings import QuestionAnsweringSettings
from bert_keras.tasks.question_answering.spans import Spans, best_spans, decide, merge_windows
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.training.task import (
    Batch,
    BoundTask,
    Evaluation,
    PredictionFiles,
    Predicts,
    Serves,
    Table,
)

if TYPE_CHECKING:
    from bert_keras.models.question_answering import BertQuestionAnswering

_log = logging.getLogger(__name__)
_MOST_WRONG = 50
_THRESHOLD = "null_score_diff_threshold"  # in config.json; null where every question has an answer
_PADDING = -1e9  # the logit of what is no token of the example


@dataclasses.dataclass(frozen=True, eq=False)
class BoundQuestionAnswering(BoundTask, Predicts, Serves):
    """Answers to questions.

    Attributes:
        task: the settings.
        tokenizer: reads the questions and contexts.
        threshold: see `decide`; None if every question has an answer.
        tunes_threshold: whether an evaluation finds the threshold, for `tuned`.
    """

    labels = ()

    task: QuestionAnsweringSettings
    tokenizer: BertTokenizer
    threshold: float | None
    tunes_threshold: bool = False

    @classmethod
    def from_folder(
        cls, task: QuestionAnsweringSettings, tokenizer: BertTokenizer, folder: pathlib.Path
    ) -> BoundQuestionAnswering:
        """Binds a task to what a run's folder has kept.

        Raises:
            InputError: its model is for another task.
        """
        config = read_json(folder / "config.json")
        if _THRESHOLD not in config:
            raise InputError(f"{folder}: expected a model that answers questions, found another.")
        threshold, given = config[_THRESHOLD], task.null_score_diff_threshold
        if threshold is not None and given is not None:
            threshold = given
        return cls(task, tokenizer, threshold)

    def build_model(
        self, reference: str | pathlib.Path | None, dtype: str
    ) -> BertQuestionAnswering:
        from bert_keras.models.question_answering import BertQuestionAnswering

        assert reference is not None  # the model starts from weights
        return BertQuestionAnswering.from_pretrained(reference, dtype)

    def write_extras(self, model: Any, folder: pathlib.Path) -> dict[str, Any]:
        return {_THRESHOLD: self.threshold}

    def training_set(self, questions: Questions) -> LabelledExamples:
        """Returns labelled questions as examples to train on."""
        encoded = self._encode(questions)
        windows = encoded.windows

        def describe(batch: Batch) -> list[dict[str, Any]]:
            descriptions = []
            for example in batch["example"].numpy():
                index = int(windows.question[example])
                text = self.tokenizer.detokenize([windows.token_ids[example].numpy()])[0]
                descriptions.append(
                    {
                        "place": questions.location(index),
                        "question": questions.texts[index],
                        "window": text.numpy().decode(),
                    }
                )
            return descriptions

        positions = {"answer": answer_positions(encoded, questions)}
        return LabelledExamples(encoded.examples, positions, describe=describe)

    def encode(self, questions: Questions) -> QuestionExamples:
        """Returns questions as examples to evaluate or to predict."""
        return QuestionExamples(questions, self._encode(questions))

    def loss_weights(self, batch: Batch) -> dict[str, tf.Tensor]:
        return {"span": tf.ones_like(batch["answer"][:, 0], tf.float32)}

    def losses(self, outputs: tf.Tensor, batch: Batch) -> dict[str, tf.Tensor]:
        logits = unpack(outputs, batch["inputs"]["example_ids"])  # [windows, (tokens), 2]
        length = tf.maximum(tf.reduce_max(logits.row_lengths()), 1)  # of no windows, too
        logits = logits.to_tensor(_PADDING, shape=tf.stack([-1, length, 2]))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=batch["answer"], logits=tf.transpose(logits, [0, 2, 1])
        )  # [windows, 2]
        return {"span": tf.reduce_mean(losses, axis=1)}

    def predictions(self, outputs: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the best spans of each window; see `best_spans`."""
        logits = unpack(outputs, batch["inputs"]["example_ids"])
        return best_spans(logits, batch["starts"], self.task.max_answer_length, self.task.n_best)

    def evaluation_set(self, seed: int) -> QuestionExamples | None:
        questions = self.task.dev_rows(seed)
        return self.encode(questions) if questions else None

    def score_names(self, examples: Any) -> list[str]:
        has_answer = _have_answers(examples.questions)
        return list(_mean_scores(has_answer, *np.zeros((2, len(has_answer)))))

    def evaluate(self, examples: QuestionExamples, predictions: np.ndarray) -> Evaluation:
        questions = examples.questions
        has_answer, spans = _have_answers(questions), _merge(examples, predictions)
        threshold = self.threshold
        chosen: dict[str, float] = {}
        if self.tunes_threshold:
            threshold = self._best_threshold(questions, spans)
            chosen[_THRESHOLD] = threshold
        decided = decide(spans, threshold)
        texts = _texts(questions, decided)
        exact, f1 = answer_scores(texts, _gold(questions), self.task.scoring)
        scores = _mean_scores(has_answer, exact, f1)
        curves = {}
        if threshold is not None:
            scores[_THRESHOLD] = threshold  # not one of `score_names`: no run can stop by it
            curves["no answer"] = (~has_answer, spans.probabilities(True)[1].numpy())
        table = _most_wrong(questions, texts, decided["score"].numpy(), f1)
        return Evaluation(scores, {"most wrong": table}, curves=curves, chosen=chosen)

    def tuned(self, evaluation: Evaluation) -> BoundQuestionAnswering:
        if _THRESHOLD not in evaluation.chosen:
            return self
        return dataclasses.replace(self, threshold=evaluation.chosen[_THRESHOLD])

    def _best_threshold(self, questions: Questions, spans: Spans) -> float:
        """Finds the threshold for no answer that is best on labelled questions."""
        best = _texts(questions, decide(spans, None))
        _, f1 = answer_scores(best, _gold(questions), self.task.scoring)
        is_answered = [bool(text) for text in best]
        return best_threshold(f1, _have_answers(questions), spans.null_odds().numpy(), is_answered)

    def read_examples(self, file: str) -> QuestionExamples:
        return self.encode(self.task.unlabelled(file))

    def examples_of(self, inputs: Sequence[Any]) -> QuestionExamples:
        return self.encode(questions_of(inputs))

    def answers(self, examples: QuestionExamples, predictions: np.ndarray) -> list[dict[str, Any]]:
        """Returns the answer to each question.

        An answer is a dict of `answer`, the piece of the context from code point `start` to `end`,
        exclusive, and `score`, its probability among the best spans; "", -1 and -1 where there is
        no answer.
        """
        decided = decide(_merge(examples, predictions), self.threshold)
        columns = (decided[name].numpy().tolist() for name in ("start", "end", "score"))
        return [
            {"answer": text, "start": start, "end": end, "score": score}
            for text, start, end, score in zip(
                _texts(examples.questions, decided), *columns, strict=True
            )
        ]

    def write_predictions(
        self, examples: QuestionExamples, predictions: np.ndarray, folder: pathlib.Path
    ) -> PredictionFiles:
        questions, spans = examples.questions, _merge(examples, predictions)
        texts = _texts(questions, decide(spans, self.threshold))
        path = folder / "predictions.json"
        _write(path, dict(zip(questions.ids, texts, strict=True)))
        best = self._best(questions, spans)
        _write(folder / "nbest_predictions.json", dict(zip(questions.ids, best, strict=True)))
        if self.threshold is not None:
            # JSON has no infinity, which is the value for a context without tokens.
            odds = np.minimum(spans.null_odds().numpy(), np.finfo(np.float32).max).tolist()
            _write(folder / "null_odds.json", dict(zip(questions.ids, odds, strict=True)))
        return PredictionFiles(path)

    def signatures(self, model: Callable[..., Any]) -> dict[str, Any]:
        return {
            "serving_default": of_question(
                model,
                self.tokenizer,
                self.task.sizes,
                self.task.max_answer_length,
                self.task.n_best,
                self.threshold,
            )
        }

    def _encode(self, questions: Questions) -> EncodedQuestions:
        encoded = encode_questions(self.tokenizer, questions, self.task.sizes)
        _log.info(
            "%s: %s questions, in %s windows of %s tokens at most.",
            questions.file,
            *(f"{n:,}" for n in (len(questions), len(encoded.examples), self.task.max_length)),
        )
        if encoded.examples.truncated:
            _log.info(
                "%s of them are longer than %s tokens and were cut (`max_query_length`).",
                f"{encoded.examples.truncated:,}",
                self.task.max_query_length,
            )
        return encoded

    def _best(self, questions: Questions, spans: Spans) -> Iterator[list[dict[str, Any]]]:
        """Yields the best spans of each question, and no answer at its rank where that is one."""
        shares, null_share = (s.numpy() for s in spans.probabilities(self.threshold is not None))
        logits, scores, chars, null = (column.numpy() for column in spans)
        for index in range(len(questions)):
            context = questions.contexts[questions.context_of[index]]
            best = [
                {
                    "text": context[start:end],
                    "probability": float(share),
                    "start_logit": float(start_logit),
                    "end_logit": float(end_logit),
                    "start": int(start),
                    "end": int(end),
                }
                for (start_logit, end_logit), score, (start, end), share in zip(
                    logits[index], scores[index], chars[index], shares[index], strict=True
                )
                if np.isfinite(score)
            ]
            if self.threshold is not None:
                rank = int(np.sum(scores[index] >= null[index]))
                none = {"text": "", "probability": float(null_share[index]), "start": -1, "end": -1}
                best.insert(rank, none)
            yield best


def _merge(examples: QuestionExamples, predictions: np.ndarray) -> Spans:
    """The best spans of questions, from what `predictions` made of their windows."""
    encoded = examples.encoded
    return merge_windows(
        tf.constant(predictions),
        encoded.windows,
        encoded.starts,
        encoded.ends,
        encoded.context_of,
    )


def _gold(questions: Questions) -> list[list[str]]:
    """The texts of each question's gold answers."""
    assert questions.answers is not None
    return [[answer.text for answer in every] for every in questions.answers]


def _have_answers(questions: Questions) -> np.ndarray:
    """Whether each question has an answer: bool [questions]."""
    return np.array([bool(every) for every in _gold(questions)])


def _mean_scores(has_answer: np.ndarray, exact: np.ndarray, f1: np.ndarray) -> dict[str, float]:
    """Means over all questions and, where some have no answer, over those with and without."""
    scores = {"f1": float(f1.mean()), "exact_match": float(exact.mean())}
    for name, some in (("HasAns", has_answer), ("NoAns", ~has_answer)):
        if some.any() and not has_answer.all():
            scores[f"{name}_f1"] = float(f1[some].mean())
            scores[f"{name}_exact"] = float(exact[some].mean())
    return scores


def _most_wrong(
    questions: Questions, texts: Sequence[str], score: np.ndarray, f1: np.ndarray
) -> Table:
    """The questions with the worst predictions, the most certain of them first."""
    gold = _gold(questions)
    rows = [
        [
            questions.texts[index],
            " / ".join(dict.fromkeys(gold[index])),
            texts[index],
            f"{score[index]:.4f}",
            f"{f1[index]:.4f}",
        ]
        for index in np.lexsort([-score, f1])[:_MOST_WRONG]
    ]
    return Table(["question", "truth", "answer", "probability of answer", "f1"], rows)


def _texts(questions: Questions, decided: Mapping[str, tf.Tensor]) -> list[str]:
    """The pieces of the contexts that `decide` has chosen, "" for no answer."""
    return [
        questions.contexts[context][max(start, 0) : max(end, 0)]
        for context, start, end in zip(
            questions.context_of, decided["start"].numpy(), decided["end"].numpy(), strict=True
        )
    ]


def _write(path: pathlib.Path, content: Any) -> None:
    with atomic_write(path) as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")
