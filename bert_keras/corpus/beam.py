"""The builder of `passage_builder` on Apache Beam: for a corpus beyond one machine."""

import json

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from bert_keras.corpus.builder import (
    NAME,
    TRAIN,
    VALIDATION,
    BertPassages,
    example_of,
)

_TOTALS_FILE = "totals.json"  # written by a worker, which may be another machine
_TASKS = 4096


def options(flags):
    """Beam's flags, a list of str, as it wants them."""
    return PipelineOptions(list(flags))


class BeamBertPassages(BertPassages, skip_registration=True):
    """As `BertPassages`, with the same examples in the same order; a shard of the corpus is a task.

    The shards' number and sizes may differ, for Beam draws the borders elsewhere.
    """

    name = NAME

    def _split_generators(self, dl_manager, pipeline):
        recipe = self._recipe
        passages = (
            pipeline
            | beam.Create(_tasks(len(recipe.corpus.shards)))
            | beam.Reshuffle()
            | "Tokenize" >> beam.FlatMap(_read, recipe)
        )
        trained = (
            passages
            | "ByDocument" >> beam.Filter(lambda passage: recipe.split(passage) == TRAIN)
            | beam.combiners.Count.Globally()
        )
        divided = passages | "Divide" >> beam.Map(
            lambda passage, trained: (recipe.split(passage, trained > 0), passage),
            beam.pvalue.AsSingleton(trained),
        )
        totals = (
            divided
            | "Count" >> beam.MapTuple(lambda split, passage: (split, recipe.counts([passage])))
            | beam.CombinePerKey(sum)
            | beam.combiners.ToDict()
            | beam.Map(_write_totals, self.data_path / _TOTALS_FILE, recipe)
        )
        checked = beam.pvalue.AsSingleton(totals)
        return {
            split: divided | f"Take_{split}" >> _take(split, checked)
            for split in (TRAIN, VALIDATION)
        }

    def _post_download_and_prepare_hook(self):
        path = self.data_path / _TOTALS_FILE
        self._totals = json.loads(path.read_text())
        path.unlink()


@beam.ptransform_fn
def _take(divided, wanted, checked):
    return (
        divided
        | beam.Filter(lambda item, _: item[0] == wanted, checked)
        | beam.MapTuple(lambda split, passage: example_of(passage))
    )


def _tasks(shards):
    """Small files go together, for a task has its own expense."""
    together = -(-shards // _TASKS)
    return [range(first, min(first + together, shards)) for first in range(0, shards, together)]


def _read(shards, recipe):
    for passages, _ in recipe.passages(shards):
        yield from passages


def _write_totals(totals, path, recipe):
    recipe.check(totals)
    path.write_text(json.dumps({split: total.tolist() for split, total in totals.items()}))
