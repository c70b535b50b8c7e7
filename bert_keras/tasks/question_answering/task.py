"""Question answering: a question about a text gets a piece of that text, or no answer."""

import json
import logging

import numpy as np
import tensorflow as tf

from bert_keras.config import read_json
from bert_keras.data.batches import LabelledExamples
from bert_keras.data.packing import unpack
from bert_keras.errors import InputError
from bert_keras.files import atomic_write
from bert_keras.tasks.question_answering.encoding import (
    answer_positions,
    drop_unreadable,
    encode_questions,
)
from bert_keras.tasks.question_answering.scores import answer_scores, best_threshold
from bert_keras.tasks.question_answering.serving import of_question
from bert_keras.tasks.question_answering.spans import answer, best_spans, merge_windows
from bert_keras.tasks.question_answering.windows import SPECIALS
from bert_keras.tasks.shared.tokenizers import open_tokenizer
from bert_keras.training.task import Evaluation, Table, Task

_log = logging.getLogger(__name__)
_MOST_WRONG = 50
_THRESHOLD = "null_score_diff_threshold"  # in config.json; null where every question has an answer
_NOTHING = -1e9  # logit of what is no token of the example


class QuestionAnswering(Task):
    """Answers in the words of a text.

    Where there are questions without an answer to train on, as in SQuAD 2.0, the model also learns
    to give none. It does so where that scores better than the best span by more than a threshold,
    the one that is best on the questions to evaluate on, and stays with the model.

    Args:
        source: a `bert_keras.tasks.question_answering.source.QuestionSource`.
        sizes: `WindowSizes`.
        max_answer_length: tokens that an answer may have.
        n_best: how many spans to weigh against each other.
        threshold: that threshold, where it is not to be found.
        scoring: "squad" or "cmrc", see `answer_scores`.
        predict_file: the questions to predict; "" where there are none.
        seed: of the choice of the contexts to hold out.

    Raises:
        InputError: the sizes leave no room for a context, or would skip some of its tokens.
    """

    def __init__(
        self,
        source,
        sizes,
        max_answer_length=30,
        n_best=20,
        threshold=None,
        scoring="squad",
        predict_file="",
        seed=0,
    ):
        room = sizes.max_length - SPECIALS - sizes.max_question_length
        if sizes.stride > room:
            raise InputError(
                f"--doc_stride: expected at most {max(room, 0)}, the tokens of a context that "
                f"--max_seq_length={sizes.max_length} leaves beside a question of "
                f"--max_query_length={sizes.max_question_length}, found {sizes.stride}."
            )
        self._source = source
        self._predict_file, self._seed = predict_file, seed
        self._sizes = sizes
        self._max_answer_length = max_answer_length
        self._n_best = n_best
        self._given_threshold = threshold
        self._scoring = scoring
        self._threshold = None  # None: every question has an answer
        self._finds_threshold = False
        self._train = self._dev = self._predict = None  # Questions, once read
        self._encoded = {}  # EncodedQuestions by what they are for

    def prepare(self, reference):
        self.tokenizer = open_tokenizer(reference, self._sizes.max_length)
        train, self._dev = self._source.train_and_dev(self._seed)
        self._train = drop_unreadable(self.tokenizer, train)
        has_null = not all(self._train.answers)
        if has_null:
            self._threshold = self._given_threshold or 0.0
        elif self._given_threshold is not None:
            raise InputError(
                f"--null_score_diff_threshold: every question in {self._train.file} has an answer."
            )
        self._finds_threshold = has_null and self._given_threshold is None
        if self._finds_threshold and self._dev is None:
            _log.info("No questions to choose --%s by (--dev_file): it is 0.", _THRESHOLD)

    def restore(self, folder):
        self.tokenizer = open_tokenizer(folder, self._sizes.max_length)
        config = read_json(folder / "config.json")
        if _THRESHOLD not in config:
            raise InputError(f"{folder}: expected a model that answers questions, found another.")
        self._threshold = config[_THRESHOLD]
        if self._threshold is not None and self._given_threshold is not None:
            self._threshold = self._given_threshold
        self._finds_threshold = False

    def build_model(self, reference, dtype):
        from bert_keras.models.question_answering import BertQuestionAnswering

        return BertQuestionAnswering.from_pretrained(reference, dtype)

    def save(self, model, folder):
        from bert_keras.checkpoints.huggingface import write_huggingface

        write_huggingface(model, folder, extra={_THRESHOLD: self._threshold})
        self.tokenizer.save(folder)

    def training_set(self):
        encoded = self._encode("train", self._train)
        return LabelledExamples(
            encoded.examples, {"answer": answer_positions(encoded, self._train)}
        )

    def weights(self, batch):
        return {"span": tf.ones_like(batch["answer"][:, 0], tf.float32)}

    def losses(self, outputs, batch):
        logits = unpack(outputs, batch["inputs"]["example_ids"])  # [windows, (tokens), 2]
        length = tf.maximum(tf.reduce_max(logits.row_lengths()), 1)  # of no windows, too
        logits = logits.to_tensor(_NOTHING, shape=tf.stack([-1, length, 2]))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=batch["answer"], logits=tf.transpose(logits, [0, 2, 1])
        )  # [windows, 2]
        return {"span": tf.reduce_mean(losses, axis=1)}

    def describe(self, batch):
        questions, windows = self._train, self._encoded["train"].windows
        told = []
        for example in batch["example"].numpy():
            index = int(windows.question[example])
            told.append(
                {
                    "place": questions.location(index),
                    "question": questions.texts[index],
                    "window": self.tokenizer.detokenize([windows.token_ids[example].numpy()])[0]
                    .numpy()
                    .decode(),
                }
            )
        return told

    def evaluation_set(self):
        if self._dev is None:
            self._dev = self._source.dev_rows(self._seed)
        return self._answerable("dev", self._dev) if self._dev else None

    def answers(self, outputs, batch):
        logits = unpack(outputs, batch["inputs"]["example_ids"])
        return best_spans(logits, batch["starts"], self._max_answer_length, self._n_best)

    @property
    def score_names(self):
        return list(self._scores(np.zeros(len(self._dev)), np.zeros(len(self._dev))))

    def evaluate(self, answers):
        dev = self._dev
        spans = self._spans("dev", answers)
        right = [[answer.text for answer in some] for some in dev.answers]
        has_answer = np.array([bool(some) for some in right])
        if self._finds_threshold:
            best = _texts(dev, answer(spans, None))
            _, f1 = answer_scores(best, right, self._scoring)
            answered = [bool(text) for text in best]
            self._threshold = best_threshold(f1, has_answer, spans.null_odds().numpy(), answered)
        decided = answer(spans, self._threshold)
        texts, score = _texts(dev, decided), decided["score"].numpy()
        exact, f1 = answer_scores(texts, right, self._scoring)
        rows = [
            [
                dev.texts[index],
                " / ".join(dict.fromkeys(right[index])),
                texts[index],
                f"{score[index]:.4f}",
                f"{f1[index]:.4f}",
            ]
            for index in np.lexsort([-score, f1])[:_MOST_WRONG]
        ]
        header = ["question", "truth", "answer", "probability of answer", "f1"]
        curves = {}
        if self._threshold is not None:
            curves["no answer"] = (~has_answer, spans.probabilities(True)[1].numpy())
        scores = self._scores(exact, f1)
        if self._threshold is not None:
            scores[_THRESHOLD] = self._threshold  # not one of `score_names`: none to stop by
        return Evaluation(scores, {"most wrong": Table(header, rows)}, {}, curves)

    def prediction_set(self):
        self._predict = self._source.unlabelled(self._predict_file)
        return self._answerable("predict", self._predict)

    def write_predictions(self, answers, folder):
        questions = self._predict
        spans = self._spans("predict", answers)
        texts = _texts(questions, answer(spans, self._threshold))
        path = folder / "predictions.json"
        _write(path, dict(zip(questions.ids, texts, strict=True)))
        best = self._best(questions, spans)
        _write(folder / "nbest_predictions.json", dict(zip(questions.ids, best, strict=True)))
        if self._threshold is not None:
            # JSON knows no infinity, which a context of no tokens has.
            odds = np.minimum(spans.null_odds().numpy(), np.finfo(np.float32).max)
            odds = dict(zip(questions.ids, odds.tolist(), strict=True))
            _write(folder / "null_odds.json", odds)
        return path

    def signatures(self, model):
        return {
            "serving_default": of_question(
                model,
                self.tokenizer,
                self._sizes,
                self._max_answer_length,
                self._n_best,
                self._threshold,
            )
        }

    def _encode(self, purpose, questions):
        encoded = encode_questions(self.tokenizer, questions, self._sizes)
        self._encoded[purpose] = encoded
        _log.info(
            "%s: %s questions, in %s windows of %s tokens at most.",
            questions.file,
            *(f"{n:,}" for n in (len(questions), len(encoded.examples), self._sizes.max_length)),
        )
        if encoded.examples.truncated:
            _log.info(
                "%s of them are longer than %s tokens and were cut (--max_query_length).",
                f"{encoded.examples.truncated:,}",
                self._sizes.max_question_length,
            )
        return encoded

    def _answerable(self, purpose, questions):
        """Questions as examples with all that `answers` needs."""
        encoded = self._encode(purpose, questions)
        return LabelledExamples(encoded.examples, {"starts": encoded.windows.starts})

    def _spans(self, purpose, answers):
        """The best spans of questions, from the `answers` to all their windows."""
        encoded = self._encoded[purpose]
        return merge_windows(
            tf.constant(answers),
            encoded.windows,
            encoded.begins,
            encoded.ends,
            encoded.context_of,
        )

    def _scores(self, exact, f1):
        """Means over all questions and, where some have no answer, over either kind."""
        found = {"f1": float(f1.mean()), "exact_match": float(exact.mean())}
        has_answer = np.array([bool(some) for some in self._dev.answers])
        for name, some in (("HasAns", has_answer), ("NoAns", ~has_answer)):
            if some.any() and not has_answer.all():
                found[f"{name}_f1"] = float(f1[some].mean())
                found[f"{name}_exact"] = float(exact[some].mean())
        return found

    def _best(self, questions, spans):
        """The n-best spans of each question, with no answer among them where there can be none."""
        shares, null_share = (s.numpy() for s in spans.probabilities(self._threshold is not None))
        logits, scores, chars, null = (part.numpy() for part in spans)
        for index in range(len(questions)):
            context = questions.contexts[questions.context_of[index]]
            found = [
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
            if self._threshold is not None:
                rank = int(np.sum(scores[index] >= null[index]))
                none = {"text": "", "probability": float(null_share[index]), "start": -1, "end": -1}
                found.insert(rank, none)
            yield found


def _texts(questions, decided):
    """The pieces of the contexts that were decided on, "" for no answer."""
    return [
        questions.contexts[context][max(start, 0) : max(end, 0)]
        for context, start, end in zip(
            questions.context_of, decided["start"].numpy(), decided["end"].numpy(), strict=True
        )
    ]


def _write(path, content):
    with atomic_write(path) as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")
