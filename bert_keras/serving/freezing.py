"""A model whose weights are constants in its graph, as in a served model."""

from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from bert_keras.checkpoints.heads import MASKED_LM
from bert_keras.errors import InputError
from bert_keras.models.bert_model import BertModel

_MOST_BYTES = 2**31 - 2**24  # of a graph, without what is not a weight
_TABLE = "word/embeddings"


def freeze(model: BertModel) -> Callable[..., tf.Tensor | dict[str, tf.Tensor]]:
    """Makes a function of a model in which the weights are constants.

    A server then computes once, when it loads the graph, what depends on constants only, such as a
    kernel in bfloat16 or the three projections side by side, and matrix products keep their
    weights in the layout that is fastest. A graph with several functions holds the weights once.

    TensorFlow copies constants many times while it writes them. So the word embedding, half of a
    small model, stays a variable if it is only used for lookups, which need nothing precomputed.

    Args:
        model: the model.

    Returns:
        A function of a dict of inputs, which may have further entries, that returns the model's
        outputs. It accepts `training=False`, as a model does.

    Raises:
        InputError: the weights do not fit into a graph of at most 2 GiB.
    """
    multiplies_table = MASKED_LM.name in model.heads
    trainable, others = (
        [_value(variable, multiplies_table) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    needed = sum(value.nbytes for value in trainable + others if isinstance(value, np.ndarray))
    if needed > _MOST_BYTES:
        raise InputError(
            f"The model's weights take {needed / 2**30:.1f} GiB; a graph holds less than 2 GiB."
        )
    spec = {name: tf.TensorSpec(each.shape, each.dtype, name) for name, each in model.input.items()}

    @tf.function(input_signature=[spec], autograph=False)
    def call(inputs: dict[str, tf.Tensor]) -> tf.Tensor | dict[str, tf.Tensor]:
        values = [[tf.convert_to_tensor(each) for each in group] for group in (trainable, others)]
        return model.stateless_call(*values, inputs, training=False)[0]

    def frozen(
        inputs: Mapping[str, tf.Tensor], training: bool = False
    ) -> tf.Tensor | dict[str, tf.Tensor]:
        assert not training
        return call({name: inputs[name] for name in spec})

    return frozen


def _value(variable: keras.Variable, multiplies_table: bool) -> np.ndarray | tf.Variable:
    """A variable's value: an array, which becomes a constant, or a copy of the variable."""
    is_table = variable.path.endswith(_TABLE) and not multiplies_table
    return tf.Variable(variable.value, trainable=False) if is_table else variable.numpy()
