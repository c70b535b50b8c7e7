"""Each script's task on the sample files, by a name, unprepared and with nothing held out."""

from bert_keras.data.rows import Columns
from bert_keras.data.source import RowSource
from bert_keras.tasks.classification.relation_extraction import RelationExtraction
from bert_keras.tasks.classification.source import EntitySource
from bert_keras.tasks.embedding.task import Embedding
from bert_keras.tasks.pretraining.task import Objectives, Pretraining
from bert_keras.tasks.question_answering.task import QuestionAnswering
from bert_keras.tasks.tagging.task import Tagging


def make(name, samples):
    """Makes a task: "questions", "entities", "relations", "embeddings" or "fillings"."""
    if name == "questions":
        return QuestionAnswering(
            train=str(samples / "questions.json"),
            dev_fraction=0,
            max_length=64,
            max_query_length=16,
            doc_stride=24,
        )
    if name == "entities":
        return Tagging(train=str(samples / "entities.conll"), dev_fraction=0, max_length=16)
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
