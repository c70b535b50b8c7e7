"""Hugging Face's layout, in and out: config.json and model.safetensors."""

import json
import pathlib

import numpy as np
import safetensors

from bert_keras.checkpoints.contents import from_model
from bert_keras.checkpoints.heads import CLASSIFIER, TOKEN_CLASSIFIER, architecture
from bert_keras.checkpoints.tensors_file import beginning
from bert_keras.config import BertConfig, read_json
from bert_keras.errors import InputError
from bert_keras.files import atomic_write

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
_FLOATS = ("F32", "F16", "BF16")


class HuggingFaceCheckpoint:
    """A folder in Hugging Face's layout, open for reading.

    Opening reads and checks the header alone: safetensors refuses a header that is longer than
    the file or than 100 MB, is no JSON, or whose tensors overlap, leave the file, or take other
    bytes than their dtype and shape say. Tensors are read one at a time.

    Attributes:
        layout: "huggingface".
        location: the tensors' file, for messages.
        config: the `BertConfig`.
        shapes: a shape by tensor name.
        not_held: heads that it has not, although a tensor of that name is there: transformers
            gives the classifiers of texts and of tokens the same names, and `architectures` in
            config.json says whose they are.
    """

    layout = "huggingface"

    def __init__(self, folder):
        self.config = BertConfig.from_file(folder / CONFIG)
        architectures = read_json(folder / CONFIG).get("architectures")
        of_tokens = architectures == [TOKEN_CLASSIFIER.architecture]
        self.not_held = (CLASSIFIER.name if of_tokens else TOKEN_CLASSIFIER.name,)
        self.location = folder / WEIGHTS
        if not self.location.is_file():
            raise InputError(_why_no_weights(folder))
        try:
            self._file = safetensors.safe_open(self.location, "numpy")
        except (safetensors.SafetensorError, OSError) as error:
            raise InputError(f"{self.location}: expected a safetensors file: {error}.") from error
        names = self._file.keys()
        self.shapes = {name: tuple(self._file.get_slice(name).get_shape()) for name in names}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.__exit__(None, None, None)

    def read(self, name):
        """Reads a tensor.

        Args:
            name: one of `shapes`.

        Returns:
            A float32 array; float16 and bfloat16 are converted.

        Raises:
            InputError: it is of another dtype.
        """
        dtype = self._file.get_slice(name).get_dtype()
        if dtype not in _FLOATS:
            raise InputError(
                f"{self.location}: tensor {name} is {dtype}, expected one of {', '.join(_FLOATS)}."
            )
        return self._file.get_tensor(name).astype(np.float32)


def _why_no_weights(folder):
    if (folder / "pytorch_model.bin").is_file():
        return (
            f"{folder / 'pytorch_model.bin'}: not read, because it is a pickle and reading one "
            f"runs the code in it; convert it to {WEIGHTS}."
        )
    return f"{folder / WEIGHTS}: expected the weights here, found no such file."


def write_huggingface(model, folder, labels=None, extra=None):
    """Writes a model so that transformers and `from_pretrained` load it, with equal outputs.

    Args:
        model: a `BertEncoder` (for BertModel), a `BertClassifier` (for
            BertForSequenceClassification), a `BertTokenClassifier` (for
            BertForTokenClassification), a `BertPretrainer` (for BertForPreTraining, or
            BertForMaskedLM without the sentence head), a `BertQuestionAnswering` (for
            BertForQuestionAnswering), or a `Contents`. The output embedding of a pretrainer is
            tied to the word embedding, so it is not written a second time.
        folder: where config.json and model.safetensors go, made if it is not there. Each file
            appears whole or not at all.
        labels: the classes' names in order, for `id2label` and `label2id`.
        extra: a dict of further entries for config.json, such as `problem_type`.

    Raises:
        InputError: the model has sinusoidal positions, which transformers' BERT has not.
    """
    contents = from_model(model)
    config, heads = contents.config, contents.heads
    if config.position_embedding_type == "sinusoidal":
        raise InputError("Hugging Face's BERT has no sinusoidal positions.")
    for sizes in heads.values():
        if labels is None and "num_classes" in sizes:
            labels = [f"LABEL_{index}" for index in range(sizes["num_classes"])]
    values = config.to_dict() | {"model_type": "bert", "architectures": [architecture(heads)]}
    if labels is not None:
        values["id2label"] = {str(index): label for index, label in enumerate(labels)}
        values["label2id"] = {label: index for index, label in enumerate(labels)}

    tensors = {}
    for weight in contents.known():
        prefix = "bert." if heads and not weight.is_of_head else ""
        shape = weight.shape_in("huggingface")
        tensors[prefix + weight.huggingface] = np.dtype(np.float32), shape

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / WEIGHTS, "wb") as file:
        file.write(beginning(tensors, {"format": "pt"}))
        for weight, value in contents.weights():
            value = value.T if "huggingface" in weight.transposed_in else value
            file.write(np.ascontiguousarray(value))
    with atomic_write(folder / CONFIG) as file:
        json.dump(values | (extra or {}), file, indent=2, ensure_ascii=False)
        file.write("\n")
