"""What sentence-transformers keeps beside a BERT: how its tokens become one vector.

Its folder is Hugging Face's with `modules.json`, a list of what comes after what, and a folder for
the settings of each: all JSON.
"""

import json
import pathlib

from bert_keras.config import read_json
from bert_keras.errors import InputError
from bert_keras.files import atomic_write, resolve

_MODULES = "modules.json"
_KEY = "embedding"  # in config.json, for who takes that file and the weights alone
_NAMES = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
_LARGEST_LIST = 100_000  # bytes; it has three entries


def read_pooling(ref):
    """Finds how a folder wants its tokens pooled.

    Args:
        ref: a folder or `pkg://package/path`.

    Returns:
        A dict of `pooling`, "mean", "cls" or "max", and `normalize`, a bool; empty where the folder
        says nothing.

    Raises:
        InputError: it wants what `BertEmbedder` does not do, or its files cannot be read.
    """
    folder = resolve(ref)
    if (folder / _MODULES).is_file():
        return _read_modules(folder)
    if not (folder / "config.json").is_file():
        return {}
    kept = read_json(folder / "config.json").get(_KEY)
    return kept if isinstance(kept, dict) and set(kept) == {"pooling", "normalize"} else {}


def pooling_entry(model):
    """Returns what `read_pooling` finds in a config.json, as entries for that file.

    Args:
        model: a `BertEmbedder`.
    """
    return {_KEY: {"pooling": model.pooling, "normalize": model.normalize}}


def write_modules(model, folder, max_length):
    """Writes what makes a folder one of sentence-transformers', beside the weights.

    Args:
        model: a `BertEmbedder`.
        folder: where `write_huggingface` has written it.
        max_length: tokens that a text may have, special tokens included.
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


def _read_modules(folder):
    path = folder / _MODULES
    try:
        if path.stat().st_size > _LARGEST_LIST:
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


def _write(path, values):
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as file:
        json.dump(values, file, indent=2)
        file.write("\n")
