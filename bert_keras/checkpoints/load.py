"""Weights from a folder into a model: what fits, what is left over, what is new."""

import dataclasses
import sys

import numpy as np

from bert_keras.checkpoints import google, huggingface, keras_hub, mapping, names
from bert_keras.checkpoints.contents import Contents
from bert_keras.errors import InputError
from bert_keras.files import resolve


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What became of a file's tensors and of a model's variables.

    Attributes:
        location: the file.
        loaded: our paths of the variables that took their values from it.
        left_over: names in the file that no variable took.
        newly_made: our paths of the variables that it has nothing for.
    """

    location: str
    loaded: tuple
    left_over: tuple
    newly_made: tuple

    def __str__(self):
        lines = [f"{self.location}: {len(self.loaded)} tensors loaded."]
        if self.left_over:
            lines.append(f"  Left over in the file: {', '.join(self.left_over)}.")
        if self.newly_made:
            lines.append(f"  Newly made: {', '.join(self.newly_made)}.")
        return "\n".join(lines)


def open_checkpoint(ref):
    """Opens a folder of weights, whichever layout it has.

    Args:
        ref: a folder or `pkg://package/path`.

    Returns:
        A `HuggingFaceCheckpoint`, a `GoogleCheckpoint` or a `KerasHubCheckpoint`, to be used in a
        `with` statement. No tensor has been read yet.

    Raises:
        InputError: there is no such folder, no config in it, or its files cannot be used.
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


def load_weights(model, ref):
    """Loads a checkpoint's weights into a model.

    Args:
        model: a `BertEncoder`, or a model that has one as `encoder`.
        ref: a folder or `pkg://package/path` in the layout of Hugging Face, Google or KerasHub.

    Returns:
        A `LoadReport`; printing it says what was loaded, left over and newly made.

    Raises:
        InputError: the files cannot be used, a tensor of the encoder is missing, or one has
            another shape than the model's variable. The model is then as it was, unless the
            tensors' data turn out to be damaged halfway.
    """
    with open_checkpoint(ref) as checkpoint:
        return copy_weights(checkpoint, model)


def copy_weights(checkpoint, model):
    """Does what `load_weights` does, from an open checkpoint."""
    found = check_shapes(checkpoint, model.config, model.heads)
    twice = check_tied(checkpoint, found)
    loaded, newly_made = [], []
    for weight, name in found.items():
        if name is None:
            newly_made.append(weight.ours)
        else:
            mapping.variable(model, weight).assign(read(checkpoint, weight, name))
            loaded.append(weight.ours)
    left_over = sorted(set(checkpoint.shapes) - set(found.values()) - twice)
    return LoadReport(str(checkpoint.location), tuple(loaded), tuple(left_over), tuple(newly_made))


def read(checkpoint, weight, name):
    """Reads a variable's tensor, turned as our variable is.

    Args:
        checkpoint: an open checkpoint.
        weight: a `Weight`.
        name: what the tensor is called there.

    Returns:
        A float32 array of the weight's shape.
    """
    value = checkpoint.read(name)
    return value.T if checkpoint.layout in weight.transposed_in else value


def check_tied(checkpoint, found):
    """Checks that what a file holds twice is twice the same.

    Args:
        checkpoint: an open checkpoint.
        found: what `check_shapes` returned.

    Returns:
        The names of the second copies, a set.

    Raises:
        InputError: the output embedding is another than the word embedding, and our models have
            one for both.
    """
    first = {weight.ours: name for weight, name in found.items()}
    if not first.get("masked_lm/bias"):
        return set()  # it is left over, as the rest of that head
    twice = set(names.TIED) & set(checkpoint.shapes)
    for name in sorted(twice):
        other = first[names.TIED[name]]
        if not np.array_equal(checkpoint.read(name), checkpoint.read(other)):
            raise InputError(
                f"{checkpoint.location}: tensor {name} is another than {other}: an output embedding "
                "that is not tied to the word embedding is not supported."
            )
    return twice


def check_shapes(checkpoint, config, heads=None):
    """Finds each variable's tensor, and whether it fits, before any memory is taken for it.

    Args:
        checkpoint: an open checkpoint.
        config: the `BertConfig` of the model that is to take the weights.
        heads: those of the model; see `mapping.weights`.

    Returns:
        A dict of tensor name by `Weight`, None for those that are to be newly made.

    Raises:
        InputError: a tensor is missing or has another shape.
    """
    found = {}
    for weight in mapping.weights(config, heads):
        name = next(iter(_names_there(checkpoint, weight)), None)
        if name is None and weight.part not in mapping.OPTIONAL:
            called = weight.names_in(checkpoint.layout)
            raise InputError(f"{checkpoint.location}: expected a tensor {called[0]}, found none.")
        if name is not None:
            expected = weight.shape_in(checkpoint.layout)
            if checkpoint.shapes[name] != expected:
                raise InputError(
                    f"{checkpoint.location}: tensor {name} has the shape "
                    f"{list(checkpoint.shapes[name])}, where the config asks for {list(expected)}."
                )
        found[weight] = name
    for part in mapping.OPTIONAL:
        parts = [name for weight, name in found.items() if weight.part == part]
        if any(parts) and not all(parts):
            present = next(name for name in parts if name)
            raise InputError(
                f"{checkpoint.location}: holds {present} and not the rest of the {part}."
            )
    return found


def classifier_size(checkpoint, head):
    """Finds how many classes the classifier in a checkpoint has.

    Args:
        checkpoint: an open checkpoint.
        head: its name, "classifier", "mean_classifier" or "token_classifier".

    Returns:
        The number, or None where it holds no such classifier.
    """
    _, bias = mapping.head_weights(checkpoint.config, {head: {"num_classes": 0}})
    for name in _names_there(checkpoint, bias):
        shape = checkpoint.shapes[name]
        if len(shape) == 1 and shape[0] > 0:
            return shape[0]
    return None


def choose_classes(checkpoint, found, asked, model):
    """Tells how many classes a model made from a checkpoint has.

    Args:
        checkpoint: an open checkpoint.
        found: the classes of its own head, or None, see `classifier_size`.
        asked: those that were asked for, or None for its own.
        model: the model's class, for the message.

    Returns:
        The number.

    Raises:
        InputError: the two differ, or there is neither.
    """
    if asked is None and found is None:
        raise InputError(
            f"{checkpoint.location}: holds no head of a {model.__name__}, so num_classes must be "
            "given."
        )
    if None not in (asked, found) and asked != found:
        raise InputError(
            f"{checkpoint.location}: its classifier has {found} classes and {asked} were asked for; "
            f"to start from its encoder alone, make a {model.__name__} and call load_weights on "
            "its encoder."
        )
    return found if asked is None else asked


def heads_in(checkpoint):
    """Finds what a checkpoint holds beside an encoder.

    Args:
        checkpoint: an open checkpoint.

    Returns:
        A dict as `mapping.weights` takes it.
    """
    heads = {}
    for head in names.HEADS:
        if head.endswith("classifier"):
            size = classifier_size(checkpoint, head)
            if size:
                heads[head] = {"num_classes": size}
        else:
            weights = mapping.head_weights(checkpoint.config, {head: {}})
            if any(_names_there(checkpoint, weight) for weight in weights):
                heads[head] = {}
    return heads


def _names_there(checkpoint, weight):
    """The names by which a checkpoint holds a weight, most often one or none."""
    if weight.part in checkpoint.not_held:
        return []
    return [name for name in weight.names_in(checkpoint.layout) if name in checkpoint.shapes]


def contents_of(checkpoint):
    """Reads all of a checkpoint, whatever heads it has.

    Args:
        checkpoint: an open checkpoint.

    Returns:
        A `Contents`.

    Raises:
        InputError: a tensor is missing, has another shape than the config says, or is damaged.
    """
    heads = heads_in(checkpoint)
    found = check_shapes(checkpoint, checkpoint.config, heads)
    check_tied(checkpoint, found)
    values = {weight.ours: read(checkpoint, weight, name) for weight, name in found.items() if name}
    return Contents(checkpoint.config, heads, values)


def check_vocabulary(vocabulary, config, ref):
    """Checks that a vocabulary and a word embedding belong together.

    Args:
        vocabulary: a list of tokens, or a tokenizer, which has one as `vocabulary`.
        config: the `BertConfig`.
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


def announce(report):
    """Prints a report where it does not mix with a script's results."""
    print(report, file=sys.stderr)
