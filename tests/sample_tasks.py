"""Each script's task on the sample files, by a name, with nothing held out."""

import bert_keras


def make(name, samples):
    """Makes a task: "questions", "entities", "relations", "embeddings" or "fillings"."""
    if name == "questions":
        return bert_keras.QuestionAnswering(
            train=str(samples / "questions.json"),
            dev_fraction=0,
            max_length=64,
            max_query_length=16,
            doc_stride=24,
        )
    if name == "entities":
        return bert_keras.Tagging(
            train=str(samples / "entities.conll"), dev_fraction=0, max_length=16
        )
    if name == "relations":
        return bert_keras.RelationExtraction(
            train=str(samples / "relations.jsonl"), dev_fraction=0, max_length=32
        )
    if name == "embeddings":
        return bert_keras.Embedding(
            train=str(samples / "paraphrases.tsv"), dev_fraction=0, max_length=16
        )
    return bert_keras.Pretraining(objective="none", max_length=16)
