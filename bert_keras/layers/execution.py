"""How the layers are executed, apart from what they compute."""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import keras
from keras import ops

from bert_keras.layers.types import Tensor

# Weights, hidden states, attention mask, positions and seeds to hidden states; see `on_weights`.
BlockFunction: TypeAlias = Callable[
    [list[Tensor], Tensor, Tensor, Tensor | None, list[Tensor | None]], Tensor
]
# A `TransformerBlock`, its hidden states and attention mask to hidden states.
InferenceBlock: TypeAlias = Callable[[keras.layers.Layer, Tensor, Tensor], Tensor]
Compile: TypeAlias = Callable[[Callable[..., Tensor]], Callable[..., Tensor]]


@dataclasses.dataclass(frozen=True)
class Execution:
    """How the layers of a model are executed.

    The result is the same up to rounding; time, memory and the kinds of operations differ. Set it
    with `model.execution = Execution(...)` before the model is traced: a `tf.function` keeps the
    execution that it was traced with. It is in no config, so a `.keras` file or a clone starts
    with the default.

    Attributes:
        recompute: whether training keeps only the input of each block and computes the inside of
            the block a second time for the gradients (Chen et al. 2016, arXiv 1604.06174). It
            takes less memory and more time.
        shared_block: a function that computes any block of the model in training, given the weights
            of that block. It is traced once for all blocks. None traces each block.
        compile_activation: compiles a function (with XLA). The activation of the feed-forward
            network is compiled where all tokens are computed, so that the shapes are known. None
            compiles nothing.
        inference_block: replaces the computation of a block, for example by operations that a
            converter to another runtime recognizes. None uses the layer's own.
        one_example_a_row: whether each row holds exactly one example, from its first token on.
            Pooling then searches for no boundaries, so its output shape follows from the input
            shapes.
        replica: returns the index of the replica that calls it, an int or an int scalar. Replicas
            hold copies of one seed; the index makes their dropout masks differ. Those of replica 0
            are the masks without replicas. None if there are no replicas.
    """

    recompute: bool = False
    shared_block: BlockFunction | None = None
    compile_activation: Compile | None = None
    inference_block: InferenceBlock | None = None
    one_example_a_row: bool = False
    replica: Callable[[], Tensor] | None = None

    def run(
        self,
        block: keras.layers.Layer,
        hidden_states: Tensor,
        attention_mask: Tensor,
        positions: Tensor | None,
        training: bool,
    ) -> Tensor:
        """Executes a `TransformerBlock`; the arguments are those of its `call`."""
        if self.inference_block is not None:
            return self.inference_block(block, hidden_states, attention_mask)

        # Drawn outside of `run`: the second computation must drop the same elements.
        seeds = [dropout.draw_seed() if training else None for dropout in block.dropouts]

        # The mask and the seeds are not arguments, so no gradient of theirs is computed.
        def run(hidden_states: Tensor) -> Tensor:
            if training and self.shared_block is not None:
                weights = [ops.cast(weight, weight.dtype) for weight in block.weights]
                return self.shared_block(weights, hidden_states, attention_mask, positions, seeds)
            return block.compute(hidden_states, attention_mask, positions, training, seeds)

        return (keras.remat(run) if training and self.recompute else run)(hidden_states)


def on_weights(block: keras.layers.Layer) -> BlockFunction:
    """Makes a function that computes a block for training on weights that are given.

    Args:
        block: a built `TransformerBlock`; all blocks of a model differ in their weights only.

    Returns:
        A function of a tensor for each of the block's `weights`, the hidden states, the attention
        mask and the positions of `TransformerBlock.call`, and a seed for each of its `dropouts`.
    """

    def compute(
        weights: list[Tensor],
        hidden_states: Tensor,
        attention_mask: Tensor,
        positions: Tensor | None,
        seeds: list[Tensor | None],
    ) -> Tensor:
        mapping = list(zip(block.weights, weights, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            mask = ops.stop_gradient(attention_mask)
            return block.compute(hidden_states, mask, positions, True, seeds)

    return compute
