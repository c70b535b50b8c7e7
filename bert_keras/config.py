"""The numbers of a BERT, under the names that the original bert_config.json gave them."""

import dataclasses
import json
import pathlib

from bert_keras.errors import InputError

# "gelu" is the exact one, with the error function; the next two are the same tanh approximation
# under the two names that Hugging Face's files use for it.
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

# What other libraries' files may ask for and these models do not do. A config.json is refused
# when it holds one of these keys with a value other than those listed.
_ONLY = {
    "model_type": (None, "bert"),
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "pruned_heads": (None, {}),
}

# No config.json comes near this; what does is not one.
_LARGEST_FILE = 1 << 20  # bytes


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """The shape of a BERT and how it is trained; the defaults are BERT-base, uncased.

    Raises:
        InputError: a value cannot be, alone or together with another; the message names both
            the field and the value.
    """

    vocab_size: int = 30522  # tokens in the vocabulary
    hidden_size: int = 768  # width of the vectors that travel through the layers
    num_hidden_layers: int = 12  # Transformer blocks; with 0 there are the embeddings alone
    num_attention_heads: int = 12  # of each block; they share the width evenly
    intermediate_size: int = 3072  # width inside the feed-forward part, by custom 4 * hidden_size
    hidden_act: str = "gelu"  # between the two halves of the feed-forward part; see HIDDEN_ACTS
    hidden_dropout_prob: float = 0.1  # share dropped of embeddings and of each sublayer's output
    attention_probs_dropout_prob: float = 0.1  # share dropped of the attention probabilities
    max_position_embeddings: int = 512  # the longest example, in tokens
    type_vocab_size: int = 2  # kinds of segment: sentence A and sentence B
    initializer_range: float = 0.02  # standard deviation of the truncated normal of new weights
    layer_norm_eps: float = 1e-12  # added to the variance in LayerNorm
    position_embedding_type: str = "absolute"  # learned; "sinusoidal" is Vaswani et al., 3.5

    def __post_init__(self):
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

    def _refuse(self, name, expected):
        raise InputError(f"{name} is {getattr(self, name)!r}, expected {expected}.")

    @classmethod
    def from_size(cls, size, **overrides):
        """Makes the config of a published size.

        Args:
            size: "tiny", "mini", "small", "medium", "base" or "large".
            **overrides: fields to set otherwise, `vocab_size` foremost.

        Returns:
            A `BertConfig`.

        Raises:
            InputError: there is no such size.
        """
        if size not in _SIZES:
            raise InputError(f"model size is {size!r}, expected one of {', '.join(_SIZES)}.")
        layers, width, heads = _SIZES[size]
        numbers = {
            "num_hidden_layers": layers,
            "hidden_size": width,
            "num_attention_heads": heads,
            "intermediate_size": 4 * width,
        }
        return cls(**(numbers | overrides))

    @classmethod
    def from_dict(cls, values):
        """Makes a config from the contents of a bert_config.json or a config.json.

        Args:
            values: a dict. Keys of no consequence to the outputs (`pooler_type`, `id2label`, ...)
                are ignored; missing ones take BERT-base's value, as they do in the libraries that
                write such files.

        Returns:
            A `BertConfig`.

        Raises:
            InputError: a value cannot be, or asks for what these models do not do, such as
                relative positions or a decoder.
        """
        for name, allowed in _ONLY.items():
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
    def from_file(cls, path):
        """Reads a bert_config.json or a config.json; see `from_dict`.

        Args:
            path: the file.

        Returns:
            A `BertConfig`.

        Raises:
            InputError: the file cannot be read, is no JSON object, or holds what cannot be. The
                message names the file.
        """
        values = read_json(path)
        try:
            return cls.from_dict(values)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def to_dict(self):
        """Returns the fields as a dict that `from_dict` reads."""
        return dataclasses.asdict(self)


def read_json(path):
    """Reads a small JSON file that holds an object.

    Args:
        path: the file.

    Returns:
        A dict.

    Raises:
        InputError: there is no such file, it is too large to be a config, or no JSON object.
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
