"""Loads weights from a folder into a model and reports what was loaded, unused and newly made."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from bert_keras.checkpoints import google, huggingface, keras_hub, mapping, names
from bert_keras.checkpoints.contents import Contents
from bert_keras.checkpoints.heads import HEADS, Head, Heads
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.files import resolve

if TYPE_CHECKING:
    import keras

    from bert_keras.text.tokenizer import BertTokenizer

logger = logging.getLogger(__name__)

# The name of the file's tensor for each variable; None for a variable that is newly made.
Names = Mapping[mapping.Weight, str | None]


class Checkpoint(Protocol):
    """An open checkpoint, whichever layout it has; see `HuggingFaceCheckpoint`."""

    @property
    def layout(self) -> str: ...

    @property
    def not_held(self) -> tuple[str, ...]: ...

    @property
    def location(self) -> Path: ...

    @property
    def config(self) -> BertConfig: ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    def read(self, name: str) -> np.ndarray: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: Any) -> None: ...


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """The result of loading a file into a model.

    Attributes:
        location: the file.
        loaded: our paths of the variables whose values come from it.
        left_over: names in the file that no variable uses.
        newly_made: our paths of the variables that it has no tensor for.
    """

    location: str
    loaded: tuple[str, ...]
    left_over: tuple[str, ...]
    newly_made: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.location}: {len(self.loaded)} tensors loaded."]
        if self.left_over:
            lines.append(f"  Left over in the file: {', '.join(self.left_over)}.")
        if self.newly_made:
            lines.append(f"  Newly made: {', '.join(self.newly_made)}.")
        return "\n".join(lines)


def open_checkpoint(ref: str | os.PathLike[str]) -> Checkpoint:
    """Opens a folder of weights in any of the layouts.

    Args:
        ref: a folder or `pkg://package/path`.

    Returns:
        A `HuggingFaceCheckpoint`, a `GoogleCheckpoint` or a `KerasHubCheckpoint`, to be used in a
        `with` statement. No tensor has been read yet.

    Raises:
        InputError: there is no such folder or no config in it, or its files cannot be used.
    """
    folder = resolve(ref)
    if (folder / huggingface.WEIGHTS).is_file() and (folder / huggingface.CONFIG).is_file():
        return huggingface.HuggingFaceCheckpoint(folder)
    if (folder / keras_hub.WEIGHTS).is_file() and (folder / keras_hub.CONFIG).is_file():
        return keras_hub.KerasHubCheckpoint(folder)
    if (folder / google.CONFIG).is_file():
        return google.GoogleCheckpoint(folder)
    if (folder / huggingface.CONFIG).is_file():
        return huggingface.HuggingFaceCheckpoint(folder)  # it says what is missing
    raise InputError(
        f"{folder}: expected {huggingface.CONFIG} (Hugging Face, KerasHub) or {google.CONFIG} "
        "(Google), found neither."
    )


def load_weights(model: keras.Model, ref: str | os.PathLike[str]) -> LoadReport:
    """Loads a checkpoint's weights into a model.

    Args:
        model: a `BertEncoder`, or a model with heads on one. Heads that the checkpoint does not
            have stay as they are.
        ref: a folder or `pkg://package/path` in the layout of Hugging Face, Google or KerasHub.

    Returns:
        A `LoadReport`. `print` shows what was loaded, left over and newly made.

    Raises:
        InputError: the files cannot be used, a tensor of the encoder is missing, or one has
            another shape than the model's variable. The model is then unchanged, unless the data
            of a tensor are damaged.

    Example:
        config = bert_keras.BertEncoder.from_pretrained(ref).config
        model = bert_keras.BertClassifier(config, num_classes=5)
        print(bert_keras.load_weights(model.encoder, ref))
    """
    with open_checkpoint(ref) as checkpoint:
        return copy_weights(checkpoint, model)


def copy_weights(checkpoint: Checkpoint, model: keras.Model) -> LoadReport:
    """Does what `load_weights` does, from an open checkpoint."""
    tensors = check_shapes(checkpoint, model.config, model.heads)
    copies = check_tied(checkpoint, tensors)
    loaded, newly_made = [], []
    for weight, name in tensors.items():
        if name is None:
            newly_made.append(weight.ours)
        else:
            mapping.variable(model, weight).assign(read(checkpoint, weight, name))
            loaded.append(weight.ours)
    left_over = sorted(set(checkpoint.shapes) - set(tensors.values()) - copies)
    return LoadReport(str(checkpoint.location), tuple(loaded), tuple(left_over), tuple(newly_made))


def read(checkpoint: Checkpoint, weight: mapping.Weight, name: str) -> np.ndarray:
    """Reads the tensor of a variable, transposed as ours is.

    Args:
        checkpoint: an open checkpoint.
        weight: the variable.
        name: the tensor's name in the checkpoint.

    Returns:
        A float32 array of the weight's shape.
    """
    value = checkpoint.read(name)
    return value.T if checkpoint.layout in weight.transposed_in else value


def check_tied(checkpoint: Checkpoint, tensors: Names) -> set[str]:
    """Checks that a second copy of a variable equals the first.

    Args:
        checkpoint: an open checkpoint.
        tensors: what `check_shapes` returned.

    Returns:
        The names of the second copies.

    Raises:
        InputError: the output embedding differs from the word embedding; our models use one
            variable for both.
    """
    first = {weight.ours: name for weight, name in tensors.items()}
    if not first.get("masked_lm/bias"):
        return set()  # the copies are left over, as the rest of that head
    copies = set(names.TIED) & set(checkpoint.shapes)
    for name in sorted(copies):
        other = first[names.TIED[name]]
        assert other is not None  # an encoder has it, and so does the head
        if not np.array_equal(checkpoint.read(name), checkpoint.read(other)):
            raise InputError(
                f"{checkpoint.location}: tensor {name} differs from {other}: an output embedding "
                "that is not tied to the word embedding is not supported."
            )
    return copies


def check_shapes(checkpoint: Checkpoint, config: BertConfig, heads: Heads | None = None) -> Names:
    """Finds the tensor of each variable and checks its shape, before any memory is allocated.

    Args:
        checkpoint: an open checkpoint.
        config: the config of the model to load the weights into.
        heads: its heads.

    Returns:
        The tensor's name for each `Weight`, None for those that are to be newly made.

    Raises:
        InputError: a tensor is missing or has another shape.
    """
    tensors = {}
    for weight in mapping.weights(config, heads):
        name = next(iter(_names_of(checkpoint, weight)), None)
        if name is None and weight.part not in mapping.OPTIONAL:
            usual = weight.names_in(checkpoint.layout)[0]
            raise InputError(f"{checkpoint.location}: expected a tensor {usual}, found none.")
        if name is not None:
            expected = weight.shape_in(checkpoint.layout)
            if checkpoint.shapes[name] != expected:
                raise InputError(
                    f"{checkpoint.location}: tensor {name} has the shape "
                    f"{list(checkpoint.shapes[name])}, but the config requires {list(expected)}."
                )
        tensors[weight] = name
    for part in mapping.OPTIONAL:
        of_part = [name for weight, name in tensors.items() if weight.part == part]
        if any(of_part) and not all(of_part):
            present = next(name for name in of_part if name)
            raise InputError(
                f"{checkpoint.location}: holds {present} and not the rest of the {part}."
            )
    return tensors


def num_classes(checkpoint: Checkpoint, head: Head) -> int | None:
    """Returns the number of classes of a checkpoint's classifier.

    Args:
        checkpoint: an open checkpoint.
        head: a head that has classes, such as `heads.CLASSIFIER`.

    Returns:
        The number, or None if the checkpoint has no such classifier.
    """
    _, bias = mapping.head_weights(checkpoint.config, head.of(num_classes=0))
    for name in _names_of(checkpoint, bias):
        shape = checkpoint.shapes[name]
        if len(shape) == 1 and shape[0] > 0:
            return shape[0]
    return None


def choose_classes(
    checkpoint: Checkpoint, own: int | None, requested: int | None, model: type
) -> int:
    """Returns the number of classes for a model made from a checkpoint.

    Args:
        checkpoint: an open checkpoint.
        own: the number of the checkpoint's head, or None; see `num_classes`.
        requested: the number that the caller asks for; None for the checkpoint's own.
        model: the model's class, for the message.

    Raises:
        InputError: the two differ, or both are None.
    """
    if requested is None and own is None:
        raise InputError(
            f"{checkpoint.location}: holds no head of a {model.__name__}, so num_classes must be "
            "given."
        )
    if None not in (requested, own) and requested != own:
        folder = checkpoint.location.parent
        raise InputError(
            f"{checkpoint.location}: its classifier has {own} classes and {requested} were "
            "requested. To load the encoder without the classifier: "
            f"model = bert_keras.{model.__name__}(config, num_classes={requested}); "
            f"bert_keras.load_weights(model.encoder, {str(folder)!r}); where "
            f"config = bert_keras.BertEncoder.from_pretrained({str(folder)!r}).config."
        )
    chosen = own if requested is None else requested
    assert chosen is not None
    return chosen


def heads_in(checkpoint: Checkpoint) -> Heads:
    """Returns the heads that a checkpoint has.

    Args:
        checkpoint: an open checkpoint.
    """
    heads: dict[str, Mapping[str, int]] = {}
    for head in HEADS.values():
        if head.has_classes:
            size = num_classes(checkpoint, head)
            if size is not None:
                heads |= head.of(size)
        else:
            weights = mapping.head_weights(checkpoint.config, head.of())
            if any(_names_of(checkpoint, weight) for weight in weights):
                heads |= head.of()
    return heads


def _names_of(checkpoint: Checkpoint, weight: mapping.Weight) -> list[str]:
    """The names of a weight that the checkpoint has, most often one or none."""
    if weight.part in checkpoint.not_held:
        return []
    return [name for name in weight.names_in(checkpoint.layout) if name in checkpoint.shapes]


def contents_of(checkpoint: Checkpoint) -> Contents:
    """Reads all weights of a checkpoint, with all its heads.

    Args:
        checkpoint: an open checkpoint.

    Returns:
        A `Contents`.

    Raises:
        InputError: a tensor is missing, has another shape than the config says, or is damaged.
    """
    heads = heads_in(checkpoint)
    tensors = check_shapes(checkpoint, checkpoint.config, heads)
    check_tied(checkpoint, tensors)
    values = {
        weight.ours: read(checkpoint, weight, name) for weight, name in tensors.items() if name
    }
    return Contents(checkpoint.config, heads, values)


def check_vocabulary(
    vocabulary: Sequence[str] | BertTokenizer, config: BertConfig, ref: str | os.PathLike[str]
) -> None:
    """Checks that a vocabulary fits a word embedding.

    Args:
        vocabulary: the tokens, or a tokenizer.
        config: the config of the encoder.
        ref: where the vocabulary came from, for the message.

    Raises:
        InputError: their sizes differ.
    """
    tokens = getattr(vocabulary, "vocabulary", vocabulary)
    if len(tokens) != config.vocab_size:
        raise InputError(
            f"{ref}: the vocabulary has {len(tokens)} tokens and the word embedding "
            f"{config.vocab_size}."
        )


def announce(report: LoadReport) -> None:
    """Logs a report, as a warning if variables were newly made."""
    logger.log(logging.WARNING if report.newly_made else logging.INFO, "%s", report)
