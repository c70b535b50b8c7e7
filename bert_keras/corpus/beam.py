"""The dataset builder on Apache Beam: for a corpus too large for one machine."""

import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from bert_keras.corpus.builder import NAME, BertPassages
from bert_keras.corpus.passages import Passage
from bert_keras.corpus.recipe import TRAIN, VALIDATION, Recipe, example_of

_TOTALS_FILE = "totals.json"  # written by a worker, which may be another machine
_TASKS = 4096


class BeamBertPassages(BertPassages, skip_registration=True):  # type: ignore[call-arg]  # see there
    """As `BertPassages`, with the same examples in the same order; a shard of the corpus is a task.

    The number and the sizes of the dataset's shards may differ.

    Args:
        recipe: what the passages are made from.
        options: Beam's flags.
        **arguments: those of every builder of tensorflow-datasets.
    """

    name = NAME

    def __init__(self, recipe: Recipe, options: Sequence[str], **arguments: Any):
        super().__init__(recipe, **arguments)
        self._options = options

    @property
    def download_config(self) -> Any:
        options = PipelineOptions(list(self._options))
        return super().download_config.replace(beam_options=options)

    # tensorflow-datasets gives a pipeline to builders that have the argument.
    def _split_generators(  # type: ignore[override]
        self, dl_manager: Any, pipeline: Any
    ) -> dict[str, Any]:
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

    def _post_download_and_prepare_hook(self) -> None:
        path = self.data_path / _TOTALS_FILE
        self._totals = json.loads(path.read_text())
        path.unlink()


@beam.ptransform_fn
def _take(divided: Any, wanted: str, checked: Any) -> Any:
    return (
        divided
        | beam.Filter(lambda item, _: item[0] == wanted, checked)
        | beam.MapTuple(lambda split, passage: example_of(passage))
    )


def _tasks(shards: int) -> list[range]:
    """Groups shards: many small files make one task, because each task has a fixed cost."""
    together = -(-shards // _TASKS)
    return [range(first, min(first + together, shards)) for first in range(0, shards, together)]


def _read(shards: range, recipe: Recipe) -> Iterator[Passage]:
    for passages, _ in recipe.passages(shards):
        yield from passages


def _write_totals(totals: dict[str, Any], path: pathlib.Path, recipe: Recipe) -> None:
    recipe.check(totals)
    path.write_text(json.dumps({split: total.tolist() for split, total in totals.items()}))
