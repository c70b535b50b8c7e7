"""Prepared datasets: a corpus is tokenised once and kept under a hash of its origin."""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import logging
import os
import pathlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bert_keras import files
from bert_keras.corpus.corpus import Corpus
from bert_keras.errors import InputError
from bert_keras.quiet import stderr_to_nowhere
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.vocabulary import MOST_UNKNOWN

if TYPE_CHECKING:
    import tensorflow as tf

    from bert_keras.corpus.builder import BertPassages
    from bert_keras.corpus.recipe import Recipe

_FACTS_FILE = "prepared.json"
_FORMAT = 3  # of the passages; a new number makes a new dataset
_SHORTEST = 8
_SHUFFLED = 1 << 15  # passages; on disk they are in random order already

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Size:
    """The size of a split.

    Attributes:
        passages: the number of passages.
        documents: the number of documents that start in this split.
        tokens: the number of tokens, without special tokens.
        words: the number of words that the tokens are pieces of.
        unknown: the number of words that are [UNK].
    """

    passages: int
    documents: int
    tokens: int
    words: int
    unknown: int

    @property
    def unknown_share(self) -> float:
        """The share of the words that are [UNK], 0 to 1."""
        return self.unknown / max(self.words, 1)


class Prepared:
    """A complete prepared dataset.

    Attributes:
        folder: its folder; `tfds.load("bert_passages", data_dir=folder)` reads it too.
        key: a hash of `made_from`, which is the folder's name.
        sizes: the size of each split, "train" and "validation".
        made_from: what it was made from, as JSON.
        builder: its `tfds.core.DatasetBuilder`.
    """

    def __init__(self, folder: pathlib.Path, facts: dict[str, Any]):
        self.folder = folder
        self.key = folder.name
        self.made_from: dict[str, Any] = facts["made_from"]
        self.sizes = {split: Size(**counts) for split, counts in facts["counts"].items()}
        self.builder = _datasets().builder_from_directory(folder / facts["dataset"])

    @property
    def tokens(self) -> int:
        """The number of tokens of both splits, without special tokens."""
        return sum(size.tokens for size in self.sizes.values())

    def dataset(self, split: str, seed: int | None = None) -> "tf.data.Dataset":
        """Reads a split once.

        Args:
            split: "train" or "validation".
            seed: shuffles the shards, and the passages 32,768 at a time. The order is the same for
                the same seed and the same global seed of TensorFlow. None keeps the order on disk.

        Returns:
            A dataset of dicts: `tokens` int32 [n] without special tokens, `sentences` int32 [s],
            the index at which each sentence starts, and `document` int64, the document's number.
        """
        dataset = self.builder.as_dataset(
            split=split,
            shuffle_files=seed is not None,
            read_config=_datasets().ReadConfig(
                shuffle_seed=seed,
                shuffle_reshuffle_each_iteration=False,
                interleave_cycle_length=1 if seed is None else 16,
                try_autocache=False,
            ),
        )
        if seed is not None:
            dataset = dataset.shuffle(_SHUFFLED, seed=seed, reshuffle_each_iteration=False)
        return dataset


def prepare(
    corpus: Corpus,
    tokenizer: BertTokenizer,
    max_length: int,
    folder: str | os.PathLike[str],
    dev_fraction: float = 0.02,
    beam_workers: int = 0,
    beam_options: Sequence[str] | None = None,
    again: bool = False,
) -> Prepared:
    """Tokenises a corpus, or opens the dataset of an earlier call.

    A dataset is kept in a subfolder whose name is a hash of its origin: the texts' content and
    layout, the vocabulary and its settings, `max_length` and `dev_fraction`. The write is atomic.

    Args:
        corpus: the texts.
        tokenizer: turns texts into token ids.
        max_length: tokens that a passage may have, with [CLS], [SEP] and [SEP], which are not part
            of it.
        folder: the folder of prepared datasets; made if necessary.
        dev_fraction: share of the documents that are held out, chosen by a hash of their number in
            the corpus; at least one is. If the corpus is one document, passages are held out.
        beam_workers: processes of Apache Beam on this machine; 0 works without Beam. Their standard
            error is discarded.
        beam_options: Beam's own flags, such as those of a runner on many machines, in place of
            `beam_workers`. Those machines must be able to read the texts and to write `folder`.
        again: whether to make a dataset again that exists.

    Raises:
        InputError: the corpus cannot be read or is empty, the existing dataset is broken, Beam is
            not installed, or the dataset cannot be written.
    """
    if not _SHORTEST <= max_length <= tokenizer.max_length:
        raise InputError(
            f"expected {_SHORTEST} to {tokenizer.max_length}, the tokenizer's, found {max_length}.",
            field="max_length",
        )
    if not 0 < dev_fraction < 1:
        raise InputError(
            f"expected more than 0 and less than 1, found {dev_fraction}.", field="dev_fraction"
        )
    made_from = _describe(corpus, tokenizer, max_length, dev_fraction)
    folder = pathlib.Path(folder)
    target = folder / _hash(made_from)[:16]
    if again or not target.exists():
        _log_changes(folder, made_from)
        quietly: contextlib.AbstractContextManager = contextlib.nullcontext()
        if beam_workers and not beam_options:
            _log.info("Preparing with Apache Beam in %d processes.", beam_workers)
            beam_options = [
                "--runner=DirectRunner",
                "--direct_running_mode=multi_processing",
                f"--direct_num_workers={beam_workers}",
            ]
            quietly = stderr_to_nowhere()  # each process logs all that it does
        with quietly:
            _make(corpus, tokenizer, made_from, target, again, beam_options)
    prepared = open_prepared(target)
    held_out = prepared.sizes["validation"]
    if held_out.unknown_share > MOST_UNKNOWN:
        _log.warning(
            "The vocabulary does not fit the texts: %.1f%% of the held-out words are [UNK].",
            100 * held_out.unknown_share,
        )
    return prepared


def open_prepared(folder: str | os.PathLike[str]) -> Prepared:
    """Opens a prepared dataset and verifies the checksums of its files.

    Args:
        folder: the folder of the dataset, `Prepared.folder`.

    Raises:
        InputError: there is no dataset, or a file of it was truncated or changed.
    """
    folder = pathlib.Path(folder)
    path = folder / _FACTS_FILE
    advice = "the prepared dataset is broken; make it again (see `prepare_again`)"
    try:
        facts = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"{folder}: expected a prepared dataset, found no {path.name}; {advice}."
        ) from None
    except ValueError:
        raise InputError(f"{path}: expected JSON; {advice}.") from None
    if not isinstance(facts, dict) or facts.pop("sha256", None) != _hash(facts):
        raise InputError(f"{path}: was changed; {advice}.")
    dataset = folder / facts["dataset"]
    for name, size in facts["bytes"].items():
        actual = (dataset / name).stat().st_size if (dataset / name).is_file() else None
        if actual != size:
            found = "no such file" if actual is None else f"{actual:,}"
            raise InputError(f"{dataset / name}: expected {size:,} bytes, found {found}; {advice}.")
    for name, checksum in _checksums(dataset, facts["bytes"]).items():
        if checksum != facts["checksums"][name]:
            raise InputError(f"{dataset / name}: a byte of it was changed; {advice}.")
    return Prepared(folder, facts)


def _describe(
    corpus: Corpus, tokenizer: BertTokenizer, max_length: int, dev_fraction: float
) -> dict[str, Any]:
    fingerprint = corpus.fingerprint()
    shards = [  # without folder and time, which change when files are copied
        {**shard, "name": os.path.basename(shard["name"]), "mtime_ns": None}
        for shard in fingerprint["shards"]
    ]
    vocabulary = tokenizer.vocabulary
    return {
        "format": _FORMAT,
        "corpus": {**fingerprint, "shards": shards},
        "sentencex": _version_of("sentencex"),  # versions may split differently
        "vocabulary": {"tokens": len(vocabulary), "sha256": _hash(vocabulary)},
        "lowercase": tokenizer.lowercase,
        "protect_special_tokens": tokenizer.protect_special_tokens,
        "max_length": max_length,
        "dev_fraction": dev_fraction,
    }


def _version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _log_changes(folder: pathlib.Path, made_from: dict[str, Any]) -> None:
    """Logs how a dataset's origin differs from that of the newest dataset in the folder."""
    paths = sorted(folder.glob(f"*/{_FACTS_FILE}"), key=lambda path: path.stat().st_mtime)
    try:
        before = json.loads(paths[-1].read_bytes())["made_from"]
    except (IndexError, ValueError, KeyError, TypeError):
        return
    changes = []
    for name, value in made_from.items():
        if before.get(name) != value:
            plain = not isinstance(value, dict)
            changes.append(f"{name} from {before.get(name)} to {value}" if plain else f"the {name}")
    if changes:
        _log.info(
            "Preparing again, and keeping %s: changed %s.",
            paths[-1].parent.name,
            " and ".join(changes),
        )


def _make(
    corpus: Corpus,
    tokenizer: BertTokenizer,
    made_from: dict[str, Any],
    target: pathlib.Path,
    again: bool,
    beam_options: Sequence[str] | None,
) -> None:
    _datasets()
    from bert_keras.corpus.builder import write_passages
    from bert_keras.corpus.recipe import Recipe

    corpus_bytes = sum(shard["bytes"] for shard in made_from["corpus"]["shards"])
    recipe = Recipe(
        corpus, tokenizer, made_from["max_length"], made_from["dev_fraction"], corpus_bytes
    )
    try:
        with files.atomic_folder(target, replace=again) as temporary:
            dataset, counts = write_passages(_builder(recipe, temporary, beam_options))
            names = sorted(path.name for path in dataset.iterdir())
            facts = {
                "made_from": made_from,
                "dataset": str(dataset.relative_to(temporary)),
                "counts": counts,
                "bytes": {name: (dataset / name).stat().st_size for name in names},
                "checksums": _checksums(dataset, names),
            }
            with files.atomic_write(temporary / _FACTS_FILE) as file:
                json.dump({**facts, "sha256": _hash(facts)}, file, indent=1)
    except OSError as error:
        raise InputError(
            f"{target}: could not be written ({error.strerror or error}); the files that were "
            "there before are unchanged."
        ) from error


def _builder(
    recipe: "Recipe", folder: pathlib.Path, beam_options: Sequence[str] | None
) -> "BertPassages":
    """Returns the builder that writes a dataset into a folder: on Beam if it has options."""
    if not beam_options:
        from bert_keras.corpus.builder import BertPassages

        return BertPassages(recipe, data_dir=folder)
    try:
        from bert_keras.corpus.beam import BeamBertPassages
    except ImportError as error:
        raise InputError(f"Apache Beam: needs bert_keras[beam] installed ({error}).") from None
    return BeamBertPassages(recipe, beam_options, data_dir=folder)


def _datasets() -> Any:
    """Returns the package tensorflow-datasets, which only pretraining needs."""
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise InputError(
            f"Prepared datasets: need bert_keras[pretraining] installed ({error})."
        ) from None
    return tensorflow_datasets


def _checksums(folder: pathlib.Path, names: Iterable[str]) -> dict[str, str]:
    """Returns the SHA-256 of files, computed in several threads."""

    def checksum(name: str) -> str:
        with open(folder / name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    with ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(checksum, names), strict=True))


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
