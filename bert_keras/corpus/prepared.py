"""Prepared datasets: a corpus tokenised once, kept under the key of what it was made from."""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import logging
import os
import pathlib
from concurrent.futures import ThreadPoolExecutor

from bert_keras import files
from bert_keras.errors import InputError
from bert_keras.quiet import stderr_to_nowhere
from bert_keras.text.vocabulary import MOST_UNKNOWN

_FACTS_FILE = "prepared.json"
_FORMAT = 3  # of the passages: another number, another dataset
_SHORTEST = 8
_SHUFFLED = 1 << 15  # passages; on the disk they lie in random order already

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Size:
    """How much there is in a split.

    Attributes:
        passages: their number.
        documents: of how many documents they are, those that begin in the other split left out.
        tokens: without special ones.
        words: of which the tokens are pieces.
        unknown: how many of the words are [UNK].
    """

    passages: int
    documents: int
    tokens: int
    words: int
    unknown: int

    @property
    def unknown_share(self):
        """The share of the words that are [UNK], 0 to 1."""
        return self.unknown / max(self.words, 1)


class Prepared:
    """A prepared dataset, found whole.

    Attributes:
        folder: where it is; `tfds.load("bert_passages", data_dir=folder)` reads it too.
        key: the hash of what it was made from, which is the folder's name.
        sizes: dict from split, "train" and "validation", to `Size`.
        made_from: dict of what it was made from.
        builder: tensorflow-datasets' own.
    """

    def __init__(self, folder, facts):
        self.folder = folder
        self.key = folder.name
        self.made_from = facts["made_from"]
        self.sizes = {split: Size(**counts) for split, counts in facts["counts"].items()}
        self.builder = _datasets().builder_from_directory(folder / facts["dataset"])

    @property
    def tokens(self):
        """Tokens of both splits, without special ones."""
        return sum(size.tokens for size in self.sizes.values())

    def dataset(self, split, seed=None):
        """Reads a split once through.

        Args:
            split: "train" or "validation".
            seed: int; the shards are read in another order and shuffled 32,768 passages at a time,
                the same for the same seed (and TensorFlow's global one). None: in fixed order.

        Returns:
            `tf.data.Dataset` of dicts: `tokens` int32 [n] without special tokens, `sentences`
            int32 [s], where each sentence begins, and `document` int64, the document's number.
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
    corpus,
    tokenizer,
    max_length,
    folder,
    dev_fraction=0.02,
    beam_workers=0,
    beam_options=None,
    again=False,
):
    """Tokenises a corpus, or finds that this was done before.

    A dataset is kept in a subfolder named by what it was made from: the texts' content and layout,
    the vocabulary and its settings, `max_length` and `dev_fraction`. It is written aside and takes
    its name when it is whole.

    Args:
        corpus: a `Corpus`.
        tokenizer: a `BertTokenizer`.
        max_length: tokens of a passage with [CLS], [SEP] and [SEP], which are not in it yet.
        folder: where prepared datasets are kept; made if it is not there.
        dev_fraction: share of the documents that are held out, by a hash of their number in the
            corpus; at least one is. From a corpus of one document passages are held out instead.
        beam_workers: processes of Apache Beam on this machine; 0 does without Beam. What they say
            on standard error is dropped.
        beam_options: Beam's own flags, a list of str, such as those of a runner on many machines,
            in place of `beam_workers`. Texts and `folder` must be reachable from there.
        again: whether a dataset that is there is made again.

    Returns:
        A `Prepared`.

    Raises:
        InputError: the corpus cannot be read or is empty, the dataset that is there is not whole,
            or what is to be written cannot be.
    """
    if not _SHORTEST <= max_length <= tokenizer.max_length:
        raise InputError(
            f"max_length: expected {_SHORTEST} to {tokenizer.max_length}, the tokenizer's, found "
            f"{max_length}."
        )
    if not 0 < dev_fraction < 1:
        raise InputError(
            f"dev_fraction: expected more than 0 and less than 1, found {dev_fraction}."
        )
    made_from = _describe(corpus, tokenizer, max_length, dev_fraction)
    folder = pathlib.Path(folder)
    target = folder / _hash(made_from)[:16]
    if again or not target.exists():
        _say_what_changed(folder, made_from)
        quietly = contextlib.nullcontext()
        if beam_workers and not beam_options:
            _log.info("Preparing with Apache Beam in %d processes.", beam_workers)
            beam_options = [
                "--runner=DirectRunner",
                "--direct_running_mode=multi_processing",
                f"--direct_num_workers={beam_workers}",
            ]
            quietly = stderr_to_nowhere()  # each process tells all that it does
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


def open_prepared(folder):
    """Opens a prepared dataset, and checks every byte of it.

    Args:
        folder: a `Prepared`'s.

    Returns:
        A `Prepared`.

    Raises:
        InputError: there is none, or a file of it was cut short or changed.
    """
    folder = pathlib.Path(folder)
    path = folder / _FACTS_FILE
    advice = "the prepared dataset is broken, and is made again with --prepare_again"
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
        found = (dataset / name).stat().st_size if (dataset / name).is_file() else None
        if found != size:
            found = "no such file" if found is None else f"{found:,}"
            raise InputError(f"{dataset / name}: expected {size:,} bytes, found {found}; {advice}.")
    for name, checksum in _checksums(dataset, facts["bytes"]).items():
        if checksum != facts["checksums"][name]:
            raise InputError(f"{dataset / name}: a byte of it was changed; {advice}.")
    return Prepared(folder, facts)


def _describe(corpus, tokenizer, max_length, dev_fraction):
    fingerprint = corpus.fingerprint()
    shards = [  # wherever they are, and whenever they were copied there
        {**shard, "name": os.path.basename(shard["name"]), "mtime_ns": None}
        for shard in fingerprint["shards"]
    ]
    vocabulary = tokenizer.vocabulary
    return {
        "format": _FORMAT,
        "corpus": {**fingerprint, "shards": shards},
        "sentencex": _version_of("sentencex"),  # another may split otherwise
        "vocabulary": {"tokens": len(vocabulary), "sha256": _hash(vocabulary)},
        "lowercase": tokenizer.lowercase,
        "protect_special_tokens": tokenizer.protect_special_tokens,
        "max_length": max_length,
        "dev_fraction": dev_fraction,
    }


def _version_of(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _say_what_changed(folder, made_from):
    """Logs how this differs from the dataset that was last made in the folder."""
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
            "Preparing anew beside %s: changed %s.", paths[-1].parent.name, " and ".join(changes)
        )


def _make(corpus, tokenizer, made_from, target, again, beam_options):
    _datasets()
    from bert_keras.corpus.builder import Recipe, write_passages

    corpus_bytes = sum(shard["bytes"] for shard in made_from["corpus"]["shards"])
    recipe = Recipe(
        corpus, tokenizer, made_from["max_length"], made_from["dev_fraction"], corpus_bytes
    )
    try:
        with files.atomic_folder(target, replace=again) as temporary:
            dataset, counts = write_passages(recipe, temporary, beam_options)
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
            f"{target}: could not be written ({error.strerror or error}); what was there before is "
            "still whole."
        ) from error


def _datasets():
    """The package tensorflow-datasets, which only pretraining needs."""
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise InputError(
            f"Prepared datasets: need bert_keras[pretraining] installed ({error})."
        ) from None
    return tensorflow_datasets


def _checksums(folder, names):
    """The SHA-256 of files, in several threads."""

    def checksum(name):
        with open(folder / name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    with ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(checksum, names), strict=True))


def _hash(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
