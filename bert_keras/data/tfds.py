"""Reads data sets of the tensorflow-datasets catalogue by name."""

import contextlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from bert_keras.data.columns import Columns
from bert_keras.data.tables import RecordTable
from bert_keras.errors import InputError

PREFIX = "tfds:"
_REFERENCE = re.compile(r"tfds:(?P<name>[^:]+(:\d+\.\d+\.\d+)?)(:(?P<split>.+))?")
_PROBE_SECONDS = 3  # without a network, tensorflow-datasets retries for minutes


def read_catalogue(
    reference: str, columns: Columns, kind: str = "class", labelled: bool = True
) -> tuple[RecordTable, Columns]:
    """Reads one split of a data set; downloads and prepares the data set if necessary.

    Prepared data sets are in the folder that the environment variable TFDS_DATA_DIR names, by
    default ~/tensorflow_datasets, as for tensorflow-datasets itself.

    Args:
        reference: `tfds:name[/config][:version][:split]`, split "train" unless given.
        columns: the features to read. Where one has its default value and the data set has no such
            feature, another is chosen: the label is the only feature that can be a label of that
            kind; the text is the only text feature, or, of two, the first by name (a premise before
            all others), and the other is its pair.
        kind: "class" (a ClassLabel), "multi" (a sequence of them) or "number" (a float).
        labelled: whether to read the label.

    Returns:
        (a table of dicts of the chosen features, with class names in place of class numbers; the
        columns that were chosen).

    Raises:
        InputError: there is no such data set, split or feature, or the data set is not on this
            machine and cannot be downloaded.
    """
    builder, name, split = open_catalogue(reference)
    features = builder.info.features
    columns = _pick(reference, features, columns, kind, labelled)
    candidates = (columns.text, columns.pair, columns.label if labelled else None)
    wanted = [name for name in candidates if name]
    try:
        rows = builder.as_dataset(split=split)
    except (ValueError, KeyError):
        splits = ", ".join(sorted(builder.info.splits))
        raise InputError(f"{reference}: there is no split {split!r}; there are {splits}.") from None
    records = []
    for batch in rows.map(lambda row: {name: row[name] for name in wanted}).ragged_batch(1024):
        columns_of_batch = [_to_list(batch[name]) for name in wanted]
        records += [dict(zip(wanted, row, strict=True)) for row in zip(*columns_of_batch)]  # noqa: B905
    if not records:
        raise InputError(f"{reference}: expected rows, found none.")
    locations = [f"{PREFIX}{name}:{split}:{row}" for row in range(1, len(records) + 1)]
    for record, location in zip(records, locations, strict=True):
        for name in wanted:
            record[name] = _plain(features[name], record[name], f"{location}: the feature {name!r}")
    return RecordTable(records, locations, header=None, layout="jsonl"), columns


def open_catalogue(reference: str) -> tuple[Any, str, str]:
    """Opens a data set; downloads and prepares it if necessary.

    Args:
        reference: see `read_catalogue`.

    Returns:
        (its `tfds.core.DatasetBuilder`, its name with configuration and version, the name of the
        split).

    Raises:
        InputError: there is no such data set, or it is not on this machine and cannot be
            downloaded.
    """
    parts = _REFERENCE.fullmatch(reference)
    if not parts:
        raise InputError(f"{reference}: expected tfds:name[/config][:version][:split].")
    return _prepared(reference, parts["name"]), parts["name"], parts["split"] or "train"


def _prepared(reference: str, name: str) -> Any:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise InputError(f"{reference}: needs the package tensorflow-datasets ({error}).") from None
    try:
        builder = tfds.builder(name)
    except Exception as error:  # each cause has its own class, and a page of text
        raise InputError(f"{reference}: {_first_line(error)}") from None
    if not builder.is_prepared():
        urls = builder.url_infos or ()  # a generated data set has none
        hosts = ["{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in urls]
        host = max(hosts, key=hosts.count, default=None)
        if host and not _responds(host):
            raise InputError(
                f"{reference}: the data set is not in {builder.data_dir}, and its host {host} does "
                "not respond."
            )
        try:
            with _removed_on_failure(builder):
                builder.download_and_prepare()
        except Exception as error:  # whatever a data set's own code raises
            raise InputError(f"{reference}: cannot be prepared: {_first_line(error)}") from error
    return builder


@contextlib.contextmanager
def _removed_on_failure(builder: Any) -> Iterator[None]:
    """Removes the folders of a data set whose preparation fails; keeps downloads."""
    folder = next(path for path in builder.data_path.parents if path.name == builder.name)
    existed = folder.exists()
    try:
        yield
    except Exception:
        if not existed and folder.exists():
            folder.rmtree()
        with contextlib.suppress(OSError):
            os.removedirs(folder.parent / "downloads" / "extracted")  # only empty ones
        raise


def _responds(host: str) -> bool:
    try:
        urllib.request.urlopen(host, timeout=_PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return True  # a refusal is a response
    except OSError:
        return False
    return True


def _pick(
    reference: str, features: Mapping[str, Any], columns: Columns, kind: str, labelled: bool
) -> Columns:
    from tensorflow_datasets import features as types

    def is_label(feature: Any) -> bool:
        if kind == "number":
            return feature.shape == () and feature.tf_dtype.is_floating
        if kind == "multi":  # a Sequence of ClassLabels
            return isinstance(feature, types.Sequence) and is_class(feature.feature)
        return is_class(feature)

    def is_class(feature: Any) -> bool:
        return isinstance(feature, types.ClassLabel)

    defaults = Columns()
    text, pair, label = columns.text, columns.pair, columns.label
    if text == defaults.text and text not in features:
        texts = [name for name, feature in features.items() if isinstance(feature, types.Text)]
        texts.sort(key=lambda name: (name != "premise", name))  # features come in no order
        if len(texts) not in (1, 2):
            raise _unclear(reference, "text", features)
        text, pair = texts[0], pair or (texts[1] if texts[1:] else None)
    if label == defaults.label and label not in features and labelled:
        labels = [name for name, feature in features.items() if is_label(feature)]
        if len(labels) != 1:
            raise _unclear(reference, "label", features)
        label = labels[0]
    for name in (text, pair, label if labelled else None):
        if name and name not in features:
            raise InputError(
                f"{reference}: there is no feature {name!r}; there are {_listed(features)}."
            )
    return Columns(text, pair, label)


def _unclear(reference: str, what: str, features: Mapping[str, Any]) -> InputError:
    return InputError(
        f"{reference}: say which feature is the {what}; there are {_listed(features)}."
    )


def _listed(features: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} ({type(feature).__name__})" for name, feature in features.items())


def _to_list(values: Any) -> list[Any]:
    return values.to_list() if hasattr(values, "to_list") else values.numpy().tolist()


def _plain(feature: Any, value: Any, where: str) -> Any:
    """Converts a value of a data set for JSON: bytes to text, class numbers to names."""
    if isinstance(value, list):
        return [_plain(feature.feature, each, where) for each in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise InputError(f"{where} is not UTF-8.") from None
    if isinstance(value, int) and hasattr(feature, "names"):
        if not 0 <= value < feature.num_classes:
            raise InputError(f"{where} is {value}, which is not a class: these rows have no label.")
        return feature.names[value]
    return value


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
