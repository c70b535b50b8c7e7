"""Relations: how one entity of a text relates to another, as a label of the text marked so."""

from bert_keras.config import read_json
from bert_keras.errors import InputError
from bert_keras.tasks.classification.relations import have_types
from bert_keras.tasks.classification.task import Classification
from bert_keras.tasks.shared import serving


class RelationExtraction(Classification):
    """Labels for two entities of a text, see `relations.mark_entities`.

    The arguments are those of `Classification`; the source has `entities`.
    """

    _takes_types = False

    @property
    def tokenizer_class(self):
        from bert_keras.tasks.classification.entity_markers import EntityTokenizer

        return EntityTokenizer

    def prepare(self, reference):
        super().prepare(reference)
        self._takes_types = have_types(self._train, self._source.entities)

    def restore(self, folder):
        super().restore(folder)
        config = read_json(folder / "config.json")
        if "takes_types" not in config:
            raise InputError(f"{folder}: expected a model of entities, found one of texts alone.")
        self._takes_types = config["takes_types"]

    def signatures(self, model):
        found = super().signatures(model)
        marked = found.pop("serving_default")
        spans = serving.of_entities(marked, self._takes_types)
        return {"serving_default": spans, "marked_text": marked, **found}

    def _particulars(self):
        return super()._particulars() | {"takes_types": self._takes_types}

    def _encode(self, rows):
        if have_types(rows, self._source.entities) != self._takes_types:
            expected = "types" if self._takes_types else "no types"
            raise InputError(
                f"{rows.locations[0]}: expected entities with {expected}, as trained on."
            )
        return super()._encode(rows)
