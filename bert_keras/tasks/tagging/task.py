"""Information extraction: the entities in a text, each a stretch of it with a type."""

import logging

import tensorflow as tf

from bert_keras.checkpoints.heads import TOKEN_CLASSIFIER
from bert_keras.checkpoints.load import announce, load_weights, num_classes, open_checkpoint
from bert_keras.config import read_json
from bert_keras.data.batches import LabelledExamples
from bert_keras.data.packing import unpack
from bert_keras.data.predictions import write_json_lines
from bert_keras.data.tables import shorten
from bert_keras.errors import InputError
from bert_keras.files import resolve
from bert_keras.tasks.shared.scores import confusion_matrix
from bert_keras.tasks.shared.tokenizers import open_tokenizer
from bert_keras.tasks.tagging import scores, serving, tag_schemes
from bert_keras.tasks.tagging.conll import write_conll
from bert_keras.tasks.tagging.decoding import find_entities
from bert_keras.tasks.tagging.examples import check_types
from bert_keras.tasks.tagging.windows import merge, split, window_texts
from bert_keras.tasks.tagging.words import begins_word, truth_of, words_of_file, words_of_tokens
from bert_keras.training.task import Evaluation, Task

_log = logging.getLogger(__name__)
_SHORTEST = 3  # tokens of a window: [CLS], one of the text, [SEP]
_DEFAULT_SCHEME = "iob2"


class Tagging(Task):
    """Entities of texts.

    Each word is tagged at its first token, as Devlin et al. 2018, section 5.3, have it; the other
    tokens have no part in the loss. While learning, and in texts without words of their own, a word
    is what the tokenizer makes one: punctuation stands by itself. So what is served, where nobody
    says what a word is, has been learned. Where a file says what its words are, its words are
    tagged, and scores are of these.

    Texts longer than the encoder takes go through windows that overlap by half, and each word is
    learned and answered in the window that shows most around it.

    Args:
        source: a `bert_keras.tasks.tagging.source.TaggedSource`, where the texts come from.
        max_length: tokens that a window may have, special tokens included.
        predict_file: the texts to predict; "" where there are none.
        seed: of the choice of texts to hold out.

    Raises:
        InputError: a window has no room for text.
    """

    def __init__(self, source, max_length=128, predict_file="", seed=0):
        if max_length < _SHORTEST:
            raise InputError(
                f"--max_seq_length: expected {_SHORTEST} at least, found {max_length}."
            )
        self._source = source
        self._predict_file, self._seed = predict_file, seed
        self._max_length = max_length
        self._scheme = None
        self.types = []
        self._train = self._dev = self._predict = None
        self._train_windows = self._dev_windows = self._predict_windows = None
        self._dev_truth = None

    @property
    def labels(self):
        """The tags, in the order of the model's classes; see `tag_decoding`."""
        return [
            tag_schemes.OUTSIDE,
            *(f"{letter}-{name}" for name in self.types for letter in "BI"),
        ]

    def prepare(self, reference):
        self.tokenizer = open_tokenizer(reference, self._max_length)
        self._train, self._dev = self._source.train_and_dev(self._seed)
        self.types = self._train.types
        self._scheme = self._train.scheme
        check_types(self._dev, self.types)

    def restore(self, folder):
        self.tokenizer = open_tokenizer(folder, self._max_length)
        config = read_json(folder / "config.json")
        if "tag_scheme" not in config:
            raise InputError(f"{folder}: expected a model that tags entities, found another.")
        self._scheme = config["tag_scheme"]
        names = config["id2label"]
        self.types = [names[str(index)][len("B-") :] for index in range(1, len(names), 2)]

    def build_model(self, reference, dtype):
        from bert_keras.models.token_classifier import BertTokenClassifier

        if self._has_other_head(reference):  # its encoder alone is of use
            with open_checkpoint(reference) as checkpoint:
                model = BertTokenClassifier(checkpoint.config, len(self.labels), dtype=dtype)
            announce(load_weights(model.encoder, reference))
            return model
        return BertTokenClassifier.from_pretrained(reference, len(self.labels), dtype=dtype)

    def _has_other_head(self, reference):
        """Whether there is a head for tags other than these, or nobody knows for which."""
        with open_checkpoint(reference) as checkpoint:
            if not num_classes(checkpoint, TOKEN_CLASSIFIER):
                return False
            if checkpoint.layout != "huggingface":
                return True
        found = read_json(resolve(reference) / "config.json").get("id2label")
        return found != {str(index): label for index, label in enumerate(self.labels)}

    def save(self, model, folder):
        from bert_keras.checkpoints.huggingface import write_huggingface

        write_huggingface(model, folder, self.labels, {"tag_scheme": self._scheme})
        self.tokenizer.save(folder)

    def training_set(self):
        texts = self._train
        windowed = window_texts(self.tokenizer, texts.texts, self._max_length)
        words = self._words_of_tokens(windowed)
        truth = self._truth(texts, words)
        locations = tf.scatter_nd(
            words.token[:, tf.newaxis], truth.tags + 1, [tf.size(windowed.ids.values, tf.int64)]
        )
        labels = split(windowed.ids.with_values(locations - 1), windowed.windows)
        self._train_windows = windowed.windows
        return LabelledExamples(windowed.examples, {"labels": labels}, names=tuple(self.types))

    def weights(self, batch):
        return {"tags": tf.ones([tf.math.count_nonzero(batch["labels"] >= 0, dtype=tf.int32)])}

    def losses(self, outputs, batch):
        logits = unpack(outputs, batch["inputs"]["example_ids"])  # [examples, (tokens), tags]
        labelled = tf.where(batch["labels"] >= 0)  # [labelled, 2]
        locations = tf.gather(logits.row_starts(), labelled[:, 0]) + labelled[:, 1]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.gather_nd(batch["labels"], labelled),
            logits=tf.gather(logits.values, locations),
        )
        return {"tags": losses}

    def describe(self, batch):
        texts = self._train
        return [
            {"place": texts.locations[i], "text": texts.texts[i]}
            for i in tf.gather(self._train_windows.text, batch["example"]).numpy()
        ]

    def evaluation_set(self):
        if self._dev is None:
            self._dev = self._source.dev_rows(self._seed)
            check_types(self._dev, self.types)
        if not self._dev:
            return None
        if self._dev_windows is None:
            self._dev_windows = window_texts(self.tokenizer, self._dev.texts, self._max_length)
            words = self._words(self._dev, self._dev_windows)
            self._dev_truth = self._truth(self._dev, words)
        return self._dev_windows.examples

    def answers(self, outputs, batch):
        """Returns the logarithms of the tags' probabilities, float32 [examples, length, tags]."""
        log_probs = unpack(tf.nn.log_softmax(outputs), batch["inputs"]["example_ids"])
        return log_probs.to_tensor(shape=[None, outputs.shape[1], outputs.shape[2]])

    @property
    def score_names(self):
        return list(self._scores({"": (0, 0, 0)}, 0.0))

    def evaluate(self, answers):
        from bert_keras.tensorboard.pictures import picture_of_confusion

        texts, truth = self._dev, self._dev_truth
        words, log_probs, found_tags, found = self._read(answers, texts, self._dev_windows)
        counts = scores.count(self.types, truth.spans, found)
        is_right = found_tags == truth.tags  # [words]
        names = [tag_schemes.OUTSIDE, *self.types]
        matrix = confusion_matrix(names, (truth.tags + 1) // 2, (found_tags + 1) // 2)
        return Evaluation(
            self._scores(counts, float(is_right.mean())),
            tables={
                "per type": scores.table(counts),
                "most wrong": scores.most_wrong(
                    texts.texts, self.types, words, truth, found, log_probs
                ),
            },
            images={"types of words": picture_of_confusion(names, matrix)},
        )

    @staticmethod
    def _scores(counts, accuracy):
        found = scores.scores(counts)
        macro = found.pop("f1_macro")
        return found | {"accuracy": accuracy, "f1_macro": macro}

    def prediction_set(self):
        self._predict = self._source.unlabelled(self._predict_file)
        self._predict_windows = window_texts(self.tokenizer, self._predict.texts, self._max_length)
        return self._predict_windows.examples

    def write_predictions(self, answers, folder):
        texts = self._predict
        *_, found = self._read(answers, texts, self._predict_windows, with_scores=True)
        of_texts = [[] for _ in texts.texts]
        for (index, *span), score in found:
            of_texts[index].append((*span, score))
        path = folder / f"predictions.{texts.layout}"
        if texts.layout == "conll":
            given = [
                self._tags_of_file(entities, words)
                for entities, words in zip(of_texts, texts.words, strict=True)
            ]
            write_conll(path, texts.lines, texts.records, given)
            return path
        column = [
            [
                {
                    "text": text[start:end],
                    "type": self.types[kind],
                    "start": start,
                    "end": end,
                    "score": float(f"{score:.6g}"),
                }
                for start, end, kind, score in entities
            ]
            for text, entities in zip(texts.texts, of_texts, strict=True)
        ]
        write_json_lines(path, texts.records, {"entities": column})
        return path

    def signatures(self, model):
        return {"serving_default": serving.rectangular(self._find_in(model))}

    def functions(self, model):
        return {"entities": self._find_in(model)}

    def _find_in(self, model):
        return serving.ragged(model, self.tokenizer, self.types, self._max_length)

    def _read(self, answers, texts, windowed, with_scores=False):
        """From the model's answers to windows to the entities of texts.

        Returns:
            `Words`; float32 [words, tags], the logarithms of their tags' probabilities; int32
            [words], their tags; and the entities, each (text, start, end, number of its type), or
            with its score, (entity, score).
        """
        lengths = windowed.examples.token_ids.row_lengths()
        log_probs = merge(tf.RaggedTensor.from_tensor(answers, lengths), windowed.windows)
        words = self._words(texts, windowed)
        log_probs = tf.gather(log_probs, words.token)  # [words, tags]
        ragged = tf.RaggedTensor.from_row_splits(log_probs, words.row_splits)
        found_tags, entities = find_entities(ragged)
        columns = (
            entities.type.value_rowids(),
            tf.gather(words.start, entities.first.values),
            tf.gather(words.end, entities.last.values),
            entities.type.values,
        )
        found = list(zip(*(column.numpy().tolist() for column in columns), strict=True))
        if with_scores:
            found = list(zip(found, entities.score.values.numpy().tolist(), strict=True))
        return words, log_probs.numpy(), found_tags.numpy(), found

    def _words(self, texts, windowed):
        if texts.words is None:
            return self._words_of_tokens(windowed)
        return words_of_file(texts.words, windowed.begins, texts.texts)

    def _words_of_tokens(self, windowed):
        is_begin = begins_word(self.tokenizer.vocabulary)
        return words_of_tokens(windowed.ids, windowed.begins, windowed.ends, is_begin)

    def _truth(self, texts, words):
        truth = truth_of(words, texts.texts, texts.entities, self.types)
        if len(truth.split):
            text, start, end, _ = truth.spans[truth.split[0]]
            _log.warning(
                "%d of %d entities begin or end inside a word or hold none, the first in %s, %s "
                "from %d to %d: such are learned as the whole words, and count as not found.",
                len(truth.split),
                len(truth.spans),
                texts.locations[text],
                shorten(texts.texts[text][start:end]),
                start,
                end,
            )
        return truth

    def _tags_of_file(self, entities, words):
        """Tags of a sentence's words, in the scheme of the file that was trained on."""
        starts = {start: number for number, (start, _) in enumerate(words)}
        ends = {end: number for number, (_, end) in enumerate(words)}
        spans = [
            tag_schemes.Span(self.types[kind], starts[start], ends[end])
            for start, end, kind, _ in entities
        ]
        return tag_schemes.tags_of(spans, len(words), self._scheme or _DEFAULT_SCHEME)
