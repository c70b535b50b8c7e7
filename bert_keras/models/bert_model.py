"""The base of all models: an encoder, or an encoder with heads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Self

import keras

from bert_keras.checkpoints import load
from bert_keras.checkpoints.heads import Heads
from bert_keras.config import BertConfig
from bert_keras.layers.execution import Execution
from bert_keras.layers.transformer_block import TransformerBlock


class BertModel(keras.Model):
    """A functional-API graph on a `BertConfig`.

    A subclass makes its graph in `__init__`. The arguments are `config`, its own `options`,
    `dtype`, `name` and `trainable`; it sets `config`, `dtype_policy` and, if it has heads,
    `encoder`.

    `compile`, `fit` and `.keras` files work as for any Keras model. Such a file keeps which layers
    are trainable, and the optimizer's state. It loads with `keras.saving.load_model`, without
    custom objects, wherever the model's class has been imported. `keras.models.clone_model` gives
    a plain functional model with the same layers.
    """

    config: BertConfig
    _execution = Execution()

    @classmethod
    def heads_for(cls, **options: Any) -> Heads:
        """Returns the heads of a model with these options; see `checkpoints.heads.Heads`."""
        return {}

    @property
    def heads(self) -> Heads:
        """The heads of the model."""
        return self.heads_for(**self.options)

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of the constructor that other models do not have, by name."""
        return {}

    @property
    def uses_first_token_only(self) -> bool:
        """Whether the head uses the first token of each example and no other."""
        return False

    @property
    def blocks(self) -> list[TransformerBlock]:
        """The Transformer blocks, the first one first."""
        encoder: keras.Model = getattr(self, "encoder", self)
        return [layer for layer in encoder.layers if isinstance(layer, TransformerBlock)]

    @property
    def execution(self) -> Execution:
        """How the layers are executed. To be set before the model is traced; in no config."""
        return self._execution

    @execution.setter
    def execution(self, value: Execution) -> None:
        self._execution = value
        for layer in self._flatten_layers(include_self=False):
            if hasattr(layer, "execution"):
                layer.execution = value

    @classmethod
    def _load(cls, ref: str | os.PathLike[str], dtype: Any, **options: Any) -> Self:
        """Does what each model's `from_pretrained` does.

        Args:
            ref: the checkpoint.
            dtype: see the constructor.
            **options: the model's `options`, None where the checkpoint decides.
        """
        with load.open_checkpoint(ref) as checkpoint:
            config, options = cls._choose(checkpoint, **options)
            load.check_shapes(checkpoint, config, cls.heads_for(**options))
            model = cls(config, **options, dtype=dtype)
            load.announce(load.copy_weights(checkpoint, model))
        return model

    @classmethod
    def _choose(
        cls, checkpoint: load.Checkpoint, **options: Any
    ) -> tuple[BertConfig, dict[str, Any]]:
        """Returns the constructor's config and options for a checkpoint; see `_load`."""
        return checkpoint.config, options

    def get_config(self) -> dict[str, Any]:
        return {
            "config": self.config.to_dict(),
            **self.options,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "name": self.name,
            "trainable": self.trainable,
            "trainable_layers": _trainable_layers(self),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: object = None) -> Self:
        config = config | {"config": BertConfig.from_dict(config["config"])}
        # Files from before there was such an entry do not say it.
        trainable_layers = config.pop("trainable_layers", None)
        model = cls(**config)
        if trainable_layers is not None:
            model.trainable = config["trainable"]
            # Set in each: an assignment that changes nothing does not reach the layers inside.
            for path, layer, parent in _inner_layers(model):
                layer.trainable = trainable_layers.get(path, parent.trainable)
        return model


def _trainable_layers(model: BertModel) -> dict[str, bool]:
    """`trainable` by path, of each inner layer where it differs from the layer around it."""
    return {
        path: layer.trainable
        for path, layer, parent in _inner_layers(model)
        if layer.trainable != parent.trainable
    }


def _inner_layers(
    layer: keras.layers.Layer, prefix: str = ""
) -> Iterator[tuple[str, keras.layers.Layer, keras.layers.Layer]]:
    """Yields the path of each inner layer, the layer, and the layer around it.

    A layer comes before those inside of it, because setting its `trainable` may set theirs.
    """
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        path = f"{prefix}{inner.name}"
        yield path, inner, layer
        yield from _inner_layers(inner, f"{path}/")
