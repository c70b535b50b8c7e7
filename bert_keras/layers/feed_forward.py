"""The position-wise feed-forward network and its activations."""

from collections.abc import Callable

import keras
from keras import ops

from bert_keras.layers.custom_gradient import Gradient, custom_gradient
from bert_keras.layers.dense import Dense
from bert_keras.layers.execution import Compile
from bert_keras.layers.types import LayerConfig, Shape, Tensor


def gelu(x: Tensor, approximate: bool = False, jit: Compile | None = None) -> Tensor:
    """x Φ(x), with Φ the normal distribution function (Hendrycks and Gimpel, arXiv 1606.08415).

    It is computed in float32 under every dtype policy: TensorFlow's bfloat16 kernels are less exact
    and slower than this, casts included. The slope, Φ(x) + x φ(x) with φ the density, is computed
    with the value, and it alone is kept for the gradient, in x's dtype. Differentiating operation
    by operation would keep three float32 arrays.

    Args:
        x: a tensor.
        approximate: whether to use the paper's tanh form, as google-research/bert does.
        jit: compiles a function, or None. Operation by operation about fourteen arrays pass through
            memory; compiled, three do.

    Returns:
        A tensor of x's shape and dtype.
    """
    if approximate:
        return ops.cast(ops.gelu(_widened(x), approximate=True), x.dtype)

    @custom_gradient
    def apply(x: Tensor) -> tuple[Tensor, Gradient]:
        value, slope = (jit(_gelu_and_slope) if jit else _gelu_and_slope)(x)
        return value, lambda upstream: upstream * slope

    return apply(x)


def _gelu_and_slope(x: Tensor) -> tuple[Tensor, Tensor]:
    wide = _widened(x)
    cumulative = 0.5 + 0.5 * ops.erf(wide * 0.5**0.5)
    density = ops.exp(-0.5 * ops.square(wide)) * 0.3989422804014327  # 1 / √(2π)
    return ops.cast(wide * cumulative, x.dtype), ops.cast(cumulative + wide * density, x.dtype)


def _widened(x: Tensor) -> Tensor:
    return ops.cast(x, keras.backend.result_type(x.dtype, "float32"))


def fusible_gelu(x: Tensor) -> Tensor:
    """The exact GELU in the form that graph optimizers recognize and fuse with the product before.

    TensorFlow with oneDNN then computes it on the product's float32 sums, LiteRT as one operation.
    Where nothing is fused, as in eager mode, it computes in x's own dtype. It is for inference:
    a gradient needs the tensor between the two.

    Args:
        x: a tensor, the sum of a product and a bias.

    Returns:
        A tensor of x's shape and dtype.
    """
    return 0.5 * x * (1.0 + ops.erf(x * 0.5**0.5))


def _tanh_gelu(x: Tensor) -> Tensor:
    return gelu(x, approximate=True)


ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "gelu": gelu,
    "gelu_new": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "relu": ops.relu,
    "silu": ops.silu,
}


@keras.saving.register_keras_serializable(package="bert_keras")
class FeedForward(keras.layers.Layer):
    """Two linear maps with an activation between them, applied to each token.

    Vaswani et al. 2017 (arXiv 1706.03762), section 3.3, with BERT's activation in place of ReLU
    (Devlin et al. 2018, arXiv 1810.04805, appendix A.2):

        FFN(x) = GELU(x W_1 + b_1) W_2 + b_2

    Args:
        intermediate_size: width between the two maps.
        hidden_act: "gelu" (exact), "gelu_new" or "gelu_pytorch_tanh" (its tanh approximation, which
            differs by up to 5e-4), "relu" or "silu".
        initializer_range: standard deviation of the truncated normal that fills the kernels.
        **kwargs: `name`, `dtype`.
    """

    def __init__(
        self,
        intermediate_size: int,
        hidden_act: str = "gelu",
        initializer_range: float = 0.02,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.intermediate_size = intermediate_size
        self.hidden_act = hidden_act
        self.initializer_range = initializer_range

    def build(self, input_shape: Shape) -> None:
        hidden = input_shape[-1]
        self.intermediate = self._dense(hidden, self.intermediate_size, "intermediate")
        self.output_projection = self._dense(self.intermediate_size, hidden, "output_projection")

    def _dense(self, width_in: int | None, width_out: int | None, name: str) -> Dense:
        dense = Dense(
            width_out,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=self.initializer_range),
            dtype=self.dtype_policy,
            name=name,
        )
        dense.build((None, width_in))
        return dense

    def call(
        self, hidden_states: Tensor, training: bool = False, jit: Compile | None = None
    ) -> Tensor:
        """Transforms each token independently.

        Args:
            hidden_states: [batch, length, hidden].
            training: whether gradients will be computed.
            jit: see `gelu`; used in training.

        Returns:
            [batch, length, hidden].
        """
        shape = ops.shape(hidden_states)
        tokens = ops.reshape(hidden_states, (-1, shape[-1]))  # [batch * length, hidden]
        inside = self.intermediate(tokens)  # [batch * length, intermediate]
        if self.hidden_act == "gelu":
            inside = gelu(inside, jit=jit) if training else fusible_gelu(inside)
        else:
            inside = ACTIVATIONS[self.hidden_act](inside)
        return ops.reshape(self.output_projection(inside), shape)  # [batch, length, hidden]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> LayerConfig:
        return super().get_config() | {
            "intermediate_size": self.intermediate_size,
            "hidden_act": self.hidden_act,
            "initializer_range": self.initializer_range,
        }
