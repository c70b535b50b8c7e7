"""Reads and writes Hugging Face's layout: config.json and model.safetensors."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import safetensors

from bert_keras.checkpoints.contents import Contents, from_model
from bert_keras.checkpoints.heads import CLASSIFIER, TOKEN_CLASSIFIER, architecture
from bert_keras.checkpoints.safetensors_header import safetensors_header
from bert_keras.config import BertConfig, read_json
from bert_keras.errors import InputError
from bert_keras.files import atomic_write

if TYPE_CHECKING:
    import keras

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
_FLOATS = ("F32", "F16", "BF16")


class HuggingFaceCheckpoint:
    """A folder in Hugging Face's layout, open for reading.

    Opening it reads and checks the header alone. The safetensors library rejects a header that is
    longer than the file or than 100 MB, is not JSON, or has tensors that overlap, exceed the file,
    or have another size than their dtype and shape require. Tensors are read one at a time.

    Args:
        folder: the folder.

    Attributes:
        layout: "huggingface".
        location: the file of the tensors, for error messages.
        config: the config.
        shapes: the shape of each tensor by name.
        not_held: heads that the checkpoint does not have although it has tensors of their names:
            transformers gives the classifiers of texts and of tokens the same names, and
            `architectures` in config.json distinguishes the two.

    Raises:
        InputError: a file is missing or damaged, or the config is not supported.
    """

    layout = "huggingface"

    def __init__(self, folder: pathlib.Path) -> None:
        self.config = BertConfig.from_file(folder / CONFIG)
        architectures = read_json(folder / CONFIG).get("architectures")
        of_tokens = architectures == [TOKEN_CLASSIFIER.architecture]
        missing = CLASSIFIER if of_tokens else TOKEN_CLASSIFIER
        self.not_held: tuple[str, ...] = (missing.name,)
        self.location = folder / WEIGHTS
        if not self.location.is_file():
            raise InputError(_no_weights_message(folder))
        try:
            self._file = safetensors.safe_open(self.location, "numpy")
        except (safetensors.SafetensorError, OSError) as error:
            raise InputError(f"{self.location}: expected a safetensors file: {error}.") from error
        names = self._file.keys()
        self.shapes: dict[str, tuple[int, ...]] = {
            name: tuple(self._file.get_slice(name).get_shape()) for name in names
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.__exit__(None, None, None)

    def read(self, name: str) -> np.ndarray:
        """Reads a tensor.

        Args:
            name: a name in `shapes`.

        Returns:
            A float32 array; float16 and bfloat16 are converted.

        Raises:
            InputError: the tensor has another dtype.
        """
        dtype = self._file.get_slice(name).get_dtype()
        if dtype not in _FLOATS:
            raise InputError(
                f"{self.location}: tensor {name} is {dtype}, expected one of {', '.join(_FLOATS)}."
            )
        return self._file.get_tensor(name).astype(np.float32)


def _no_weights_message(folder: pathlib.Path) -> str:
    if (folder / "pytorch_model.bin").is_file():
        return (
            f"{folder / 'pytorch_model.bin'}: not read, because it is a pickle and reading one "
            f"runs the code in it; convert it to {WEIGHTS}."
        )
    return f"{folder / WEIGHTS}: expected the weights here, found no such file."


def write_huggingface(
    model: keras.Model | Contents,
    folder: str | os.PathLike[str],
    labels: Sequence[str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Writes a model that transformers and `from_pretrained` load, with equal outputs.

    Args:
        model: a `BertEncoder` (for BertModel), `BertClassifier` (BertForSequenceClassification),
            `BertTokenClassifier` (BertForTokenClassification), `BertPretrainer`
            (BertForPreTraining, or BertForMaskedLM without the sentence head),
            `BertQuestionAnswering` (BertForQuestionAnswering), or a `Contents`. The output
            embedding of a pretrainer is tied to the word embedding and not written twice.
        folder: the folder for config.json and model.safetensors; created if it does not exist. Each
            file is written atomically.
        labels: the names of the classes in order, for `id2label` and `label2id`. Default: LABEL_0,
            LABEL_1 and so on, as in transformers.
        extra: further entries for config.json, such as `problem_type`.

    Raises:
        InputError: the model has sinusoidal positions, which transformers' BERT does not support.
        OSError: a file cannot be written.
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
        file.write(safetensors_header(tensors, {"format": "pt"}))
        for weight, value in contents.weights():
            value = value.T if "huggingface" in weight.transposed_in else value
            file.write(np.ascontiguousarray(value))
    with atomic_write(folder / CONFIG) as file:
        json.dump(values | dict(extra or {}), file, indent=2, ensure_ascii=False)
        file.write("\n")
