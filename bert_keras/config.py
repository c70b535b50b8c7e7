"""The sizes of a BERT, named as in the original bert_config.json."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NoReturn, Self

from bert_keras.errors import InputError

# "gelu" is exact, with the error function. The next two are the same tanh approximation: Hugging
# Face's files have two names for it.
HIDDEN_ACTS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu")
POSITION_EMBEDDING_TYPES = ("absolute", "sinusoidal")

# Layers, width, heads: BERT-base and -large from Devlin et al. 2018 (arXiv 1810.04805), section 3;
# the smaller ones from Turc et al. 2019 (arXiv 1908.08962), table 1.
_SIZES = {
    "tiny": (2, 128, 2),
    "mini": (4, 256, 4),
    "small": (4, 512, 8),
    "medium": (8, 512, 8),
    "base": (12, 768, 12),
    "large": (24, 1024, 16),
}

# Settings of other libraries that these models do not support: a config.json with another value
# than these is refused.
_SUPPORTED: dict[str, tuple[Any, ...]] = {
    "model_type": (None, "bert"),
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "pruned_heads": (None, {}),
}

# A larger file is not a config.json.
_LARGEST_FILE = 1 << 20  # bytes


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """The sizes of a BERT and its settings for training; the defaults are BERT-base, uncased.

    Raises:
        InputError: a value is not possible, alone or together with another; the message names the
            field and the value.

    Example:
        from bert_keras import BertConfig

        BertConfig.from_size("tiny", vocab_size=8000).hidden_size  # 128
    """

    vocab_size: int = 30522  # tokens in the vocabulary
    hidden_size: int = 768  # width of the hidden states
    num_hidden_layers: int = 12  # Transformer blocks; 0 leaves only the embeddings
    num_attention_heads: int = 12  # of each block; must divide hidden_size
    intermediate_size: int = 3072  # width inside the feed-forward network, usually 4 * hidden_size
    hidden_act: str = "gelu"  # activation of the feed-forward network; see HIDDEN_ACTS
    hidden_dropout_prob: float = 0.1  # share dropped of embeddings and of each sublayer's output
    attention_probs_dropout_prob: float = 0.1  # share dropped of the attention probabilities
    max_position_embeddings: int = 512  # the longest example, in tokens
    type_vocab_size: int = 2  # segments: sentence A and sentence B
    initializer_range: float = 0.02  # standard deviation of the truncated normal of new weights
    layer_norm_eps: float = 1e-12  # added to the variance in LayerNorm
    position_embedding_type: str = "absolute"  # learned; "sinusoidal" is Vaswani et al., 3.5

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "num_hidden_layers" else 1
            if field.type is int and not (type(value) is int and value >= least):
                self._refuse(field.name, f"a whole number of at least {least}")
            if field.type is float and (
                type(value) not in (int, float) or not 0 <= value < float("inf")
            ):
                self._refuse(field.name, "a number of at least 0")
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            if getattr(self, name) >= 1:
                self._refuse(name, "a probability below 1")
        if self.hidden_act not in HIDDEN_ACTS:
            self._refuse("hidden_act", "one of " + ", ".join(HIDDEN_ACTS))
        if self.position_embedding_type not in POSITION_EMBEDDING_TYPES:
            self._refuse("position_embedding_type", "one of " + ", ".join(POSITION_EMBEDDING_TYPES))
        if self.hidden_size % self.num_attention_heads:
            raise InputError(
                f"num_attention_heads is {self.num_attention_heads}, which does not divide "
                f"hidden_size, {self.hidden_size}."
            )
        if self.position_embedding_type == "sinusoidal" and self.hidden_size % 2:
            self._refuse("hidden_size", "an even number for sinusoidal positions")

    def _refuse(self, name: str, expected: str) -> NoReturn:
        raise InputError(f"{name} is {getattr(self, name)!r}, expected {expected}.")

    @classmethod
    def from_size(cls, size: str, **overrides: Any) -> Self:
        """Makes the config of a published size.

        Args:
            size: "tiny", "mini", "small", "medium", "base" or "large".
            **overrides: fields with other values, for example `vocab_size`.

        Raises:
            InputError: there is no such size.
        """
        if size not in _SIZES:
            raise InputError(f"model size is {size!r}, expected one of {', '.join(_SIZES)}.")
        layers, width, heads = _SIZES[size]
        sizes = {
            "num_hidden_layers": layers,
            "hidden_size": width,
            "num_attention_heads": heads,
            "intermediate_size": 4 * width,
        }
        return cls(**(sizes | overrides))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Makes a config from the contents of a bert_config.json or a config.json.

        Args:
            values: the contents. Keys that do not change the outputs (`pooler_type`, `id2label`,
                ...) are ignored; missing ones take BERT-base's value, as in the libraries that
                write such files.

        Raises:
            InputError: a value is not possible, or not supported, such as relative positions or a
                decoder.
        """
        for name, allowed in _SUPPORTED.items():
            if values.get(name) not in allowed:
                raise InputError(f"{name} is {values[name]!r}, which is not supported.")
        width = values.get("hidden_size", cls.hidden_size)
        if values.get("embedding_size", width) != width:
            raise InputError(
                f"embedding_size is {values['embedding_size']!r} and hidden_size {width!r}: "
                "embeddings of another width than the layers are not supported."
            )
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: values[name] for name in names if name in values})

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Reads a bert_config.json or a config.json; see `from_dict`.

        Args:
            path: the file.

        Raises:
            InputError: the file cannot be read, is not a JSON object, or has a value that is not
                possible. The message names the file.
        """
        values = read_json(path)
        try:
            return cls.from_dict(values)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a dict that `from_dict` reads."""
        return dataclasses.asdict(self)


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a small JSON file that holds an object.

    Args:
        path: the file.

    Raises:
        InputError: there is no such file, it is too large to be a config, or not a JSON object.
    """
    path = pathlib.Path(path)
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{path}: expected a config of a few kB, found over 1 MB.")
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: expected JSON, found something else ({error}).") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a JSON object, found a {type(values).__name__}.")
    return values
