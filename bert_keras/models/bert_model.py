"""What every model here is: an encoder, or one with heads beside it."""

import functools

import keras

from bert_keras.config import BertConfig
from bert_keras.layers.dropout import Dropout
from bert_keras.layers.pooling import ExamplePooling
from bert_keras.layers.transformer_block import TransformerBlock
from bert_keras.serving.litert_block import block_on_rows


class BertModel(keras.Model):
    """A functional-API graph on a `BertConfig`.

    Subclasses make their graph in `__init__`, whose arguments are `config`, those of their heads,
    `dtype`, `name` and `trainable`, and set `dtype_policy` and `config`.
    """

    @property
    def heads(self):
        """What the model has beside an encoder, as `checkpoints.mapping.weights` wants it."""
        return {}

    @property
    def reads_first_token_alone(self):
        """Whether the last block's vectors are read at the first token of each example alone."""
        return False

    @property
    def recompute(self):
        """Whether training computes the blocks' insides twice, to keep them in memory once.

        See `TransformerBlock.recompute`. To be set before the first training step is traced; it
        is in no config, so no file of the model tells how it was trained.
        """
        return any(block.recompute for block in _blocks_of(self))

    @recompute.setter
    def recompute(self, value):
        for block in _blocks_of(self):
            block.recompute = value

    def expect_one_example_a_row(self):
        """Has the model read rows of one example each, from the first token on, as they are.

        It is for runtimes that want to know all shapes beforehand: what is found by searching in
        packed rows has none. The blocks compute in forms that suit such runtimes, the last of them
        for the first token alone where no other is read. To be called before the model is traced.
        """
        for layer in [*self.layers, *_encoder_of(self).layers]:
            if isinstance(layer, ExamplePooling):
                layer.one_a_row = True
        blocks = _blocks_of(self)
        for block in blocks:
            last = block is blocks[-1]
            block.stand_in = functools.partial(
                block_on_rows, first_alone=last and self.reads_first_token_alone
            )

    def share_blocks(self, trace, jit, whole=False):
        """Has training make a function of one block, and call it for each with that one's weights.

        What is traced for one does for all then, which is most of a step's graph.

        Args:
            trace: a function that makes a traced function of one.
            jit: a function that makes a compiled function of one, and makes it once, or None.
                Activations are compiled; their shapes are to be known beforehand.
            whole: whether all that is in a block is compiled, where shapes are known beforehand.
        """
        blocks = _blocks_of(self)
        inside = blocks[0].with_weights
        traced, compiled = trace(inside), jit(inside) if whole else None

        def shared(weights, hidden_states, attention_mask, positions, seeds):
            # See `TransformerBlock` for why not where some tokens are read alone.
            function = compiled if whole and positions is None else traced
            return function(weights, hidden_states, attention_mask, positions, seeds)

        for block in blocks:
            block.shared, block.jit = shared, jit

    def tell_replicas_apart(self, replica):
        """Has every replica of a distributed training draw dropout masks of its own.

        Args:
            replica: a function without arguments that gives the number of the replica that calls
                it. The masks of number 0 are those of a training on one device.
        """
        for layer in [*self.layers, _encoder_of(self).get_layer("embeddings").dropout]:
            if isinstance(layer, Dropout):
                layer.stream = replica
        for block in _blocks_of(self):
            for dropout in block.dropouts:
                dropout.stream = replica

    def get_config(self):
        return {
            "config": self.config.to_dict(),
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**(config | {"config": BertConfig.from_dict(config["config"])}))


# No properties: Keras saves what it finds under each attribute, and would go round in circles.
def _encoder_of(model):
    return getattr(model, "encoder", model)


def _blocks_of(model):
    return [layer for layer in _encoder_of(model).layers if isinstance(layer, TransformerBlock)]
