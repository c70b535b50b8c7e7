"""Each script's task on the sample files, by a name, unprepared and with nothing held out."""

from bert_keras.data.rows import Columns
from bert_keras.data.source import RowSource
from bert_keras.tasks.classification.relation_extraction import RelationExtraction
from bert_keras.tasks.classification.source import EntitySource
from bert_keras.tasks.embedding.task import Embedding
from bert_keras.tasks.pretraining.task import Objectives, Pretraining
from bert_keras.tasks.question_answering.source import QuestionSource
from bert_keras.tasks.question_answering.task import QuestionAnswering
from bert_keras.tasks.question_answering.windows import WindowSizes
from bert_keras.tasks.tagging.source import TaggedSource
from bert_keras.tasks.tagging.task import Tagging


def make(name, samples):
    """Makes a task: "questions", "entities", "relations", "embeddings" or "fillings"."""
    if name == "questions":
        source = QuestionSource(str(samples / "questions.json"), dev_fraction=0)
        return QuestionAnswering(source, WindowSizes(64, 16, 24))
    if name == "entities":
        return Tagging(TaggedSource(str(samples / "entities.conll"), dev_fraction=0), 16)
    if name == "relations":
        train = str(samples / "relations.jsonl")
        source = EntitySource(train=train, entities=("head", "tail"), dev_fraction=0)
        return RelationExtraction(source, 32)
    if name == "embeddings":
        pairs = RowSource(
            train=str(samples / "paraphrases.tsv"),
            columns=Columns("text", "pair", "score"),
            label_kind="number",
            dev_fraction=0,
            label_needed=False,
        )
        return Embedding(pairs, max_length=16)
    return Pretraining(None, Objectives("none", max_length=16))
