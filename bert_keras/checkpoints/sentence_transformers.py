"""Reads and writes the pooling settings of sentence-transformers.

Its folders have Hugging Face's layout plus `modules.json`, the list of the modules in order, and a
folder with the settings of each module, all in JSON.
"""

import json
import os
import pathlib
from typing import Protocol, TypedDict

from bert_keras.config import BertConfig, read_json
from bert_keras.errors import InputError
from bert_keras.files import atomic_write, resolve

_MODULES = "modules.json"
_KEY = "embedding"  # in config.json, for folders that have that file and the weights alone
_NAMES = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
_MAX_BYTES = 100_000  # of modules.json, which has three entries


class Pooling(TypedDict, total=False):
    """How token vectors become one vector: arguments of `BertEmbedder`.

    Attributes:
        pooling: "mean", "cls" or "max".
        normalize: whether the vector is scaled to length 1.
    """

    pooling: str
    normalize: bool


class Embedder(Protocol):
    """The attributes of a `BertEmbedder` that are written."""

    config: BertConfig
    pooling: str
    normalize: bool


def read_pooling(ref: str | os.PathLike[str]) -> Pooling:
    """Reads how a folder's model pools its tokens.

    Args:
        ref: a folder or `pkg://package/path`.

    Returns:
        The pooling; empty if the folder does not say.

    Raises:
        InputError: the folder asks for something that `BertEmbedder` does not support, or its files
            cannot be read.
    """
    folder = resolve(ref)
    if (folder / _MODULES).is_file():
        return _read_modules(folder)
    if not (folder / "config.json").is_file():
        return {}
    entry = read_json(folder / "config.json").get(_KEY)
    if not isinstance(entry, dict) or set(entry) != {"pooling", "normalize"}:
        return {}
    return Pooling(pooling=entry["pooling"], normalize=entry["normalize"])


def pooling_entry(model: Embedder) -> dict[str, Pooling]:
    """Returns the pooling of a model as an entry for config.json, which `read_pooling` reads."""
    return {_KEY: Pooling(pooling=model.pooling, normalize=model.normalize)}


def write_modules(model: Embedder, folder: str | os.PathLike[str], max_length: int) -> None:
    """Adds the files of sentence-transformers to a folder.

    Args:
        model: a `BertEmbedder`.
        folder: the folder to which `write_huggingface` has written the model.
        max_length: the number of tokens to which texts are truncated, special tokens included.

    Raises:
        OSError: a file cannot be written.
    """
    folder = pathlib.Path(folder)
    modules = [("Transformer", ""), ("Pooling", "1_Pooling")]
    modules += [("Normalize", "2_Normalize")] if model.normalize else []
    pooling = {"word_embedding_dimension": model.config.hidden_size} | {
        f"pooling_mode_{theirs}": ours == model.pooling for theirs, ours in _NAMES.items()
    }
    _write(folder / "1_Pooling" / "config.json", pooling)
    _write(
        folder / "sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False}
    )
    _write(
        folder / _MODULES,
        [
            {
                "idx": index,
                "name": str(index),
                "path": path,
                "type": f"sentence_transformers.models.{module}",
            }
            for index, (module, path) in enumerate(modules)
        ],
    )


def _read_modules(folder: pathlib.Path) -> Pooling:
    path = folder / _MODULES
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("it is over 100 kB")
        modules = json.loads(path.read_text(encoding="utf-8"))
        kinds = [module["type"].rpartition(".")[2] for module in modules]
        paths = [folder / module["path"] for module in modules]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: expected the modules of sentence-transformers ({error})."
        ) from None
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise InputError(
            f"{path}: expected the modules Transformer, Pooling and perhaps Normalize, found "
            f"{', '.join(kinds) or 'none'}."
        )
    if not paths[1].resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{path}: the path of Pooling leads out of the folder.")
    settings = read_json(paths[1] / "config.json")
    modes = settings.get("pooling_mode")  # as the newest versions write it
    if modes is None:
        prefix = "pooling_mode_"
        chosen = [name.removeprefix(prefix) for name, on in settings.items() if on is True]
        chosen = [name for name in chosen if prefix + name in settings]
        modes = [_NAMES.get(name, name) for name in chosen]
    modes = [modes] if isinstance(modes, str) else modes
    if modes not in [[name] for name in _NAMES.values()]:
        raise InputError(
            f"{paths[1] / 'config.json'}: expected one pooling of mean, cls and max, found "
            f"{modes!r}."
        )
    return {"pooling": modes[0], "normalize": "Normalize" in kinds}


def _write(path: pathlib.Path, values: object) -> None:
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as file:
        json.dump(values, file, indent=2)
        file.write("\n")
