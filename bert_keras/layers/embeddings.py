"""The input of the first block: the sum of word, position and segment embeddings."""

import keras
from keras import ops

from bert_keras.layers.dropout import Dropout
from bert_keras.layers.position_embedding import PositionEmbedding
from bert_keras.layers.sinusoidal_position_encoding import SinusoidalPositionEncoding
from bert_keras.layers.types import LayerConfig, Shape, Tensor


@keras.saving.register_keras_serializable(package="bert_keras")
class Embeddings(keras.layers.Layer):
    """LayerNorm(word + position + segment), then dropout.

    Devlin et al. 2018 (arXiv 1810.04805), section 3 and figure 2. The layer computes in the
    variables' dtype under mixed precision: a gather is no faster in bfloat16, casting a table of
    30,522 words at each step would cost more than it saves, and the output is the start of the
    residual stream (see `TransformerBlock`).

    With sinusoidal positions the words are first scaled by √hidden (Vaswani et al. 2017, arXiv
    1706.03762, section 3.4). Otherwise word vectors with a standard deviation of 0.02 would be
    negligible beside an encoding of amplitude 1.

    Args:
        vocab_size: number of words.
        hidden_size: width of a vector.
        max_position_embeddings: number of learned positions.
        type_vocab_size: number of segments.
        position_embedding_type: "absolute" (learned) or "sinusoidal".
        hidden_dropout_prob: share of the output that is dropped in training.
        layer_norm_eps: added to the variance in LayerNorm.
        initializer_range: standard deviation of the truncated normal that fills the tables.
        **kwargs: `name`, `dtype`.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        max_position_embeddings: int = 512,
        type_vocab_size: int = 2,
        position_embedding_type: str = "absolute",
        hidden_dropout_prob: float = 0.1,
        layer_norm_eps: float = 1e-12,
        initializer_range: float = 0.02,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.position_embedding_type = position_embedding_type
        self.hidden_dropout_prob = hidden_dropout_prob
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range

        exact = self.variable_dtype
        self.word = self._table(vocab_size, "word")
        self.segment = self._table(type_vocab_size, "segment")
        if position_embedding_type == "sinusoidal":
            self.position = SinusoidalPositionEncoding(hidden_size, dtype=exact, name="position")
        else:
            self.position = PositionEmbedding(
                max_position_embeddings,
                hidden_size,
                initializer_range,
                dtype=exact,
                name="position",
            )
        self.layer_norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_eps, dtype=exact, name="layer_norm"
        )
        self.dropout = Dropout(hidden_dropout_prob, dtype=exact, name="dropout")

    def _table(self, rows: int, name: str) -> keras.layers.Embedding:
        return keras.layers.Embedding(
            rows,
            self.hidden_size,
            embeddings_initializer=keras.initializers.TruncatedNormal(
                stddev=self.initializer_range
            ),
            dtype=self.variable_dtype,
            name=name,
        )

    def build(self, input_shape: Shape) -> None:
        for table in (self.word, self.segment, self.position):
            table.build(input_shape)
        self.layer_norm.build((*input_shape, self.hidden_size))

    def call(
        self,
        token_ids: Tensor,
        segment_ids: Tensor,
        position_ids: Tensor,
        training: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Embeds tokens.

        Args:
            token_ids: int32 [batch, length].
            segment_ids: int32 [batch, length], 0 for sentence A, 1 for sentence B.
            position_ids: int32 [batch, length], from 0 in each example.
            training: whether to apply dropout.

        Returns:
            hidden_states: [batch, length, hidden], in the variables' dtype.
            word_embeddings: [vocab, hidden], the table itself, for a head that is tied to it.
        """
        words = self.word(token_ids)  # [batch, length, hidden]
        if self.position_embedding_type == "sinusoidal":
            words = words * self.hidden_size**0.5
        summed = words + self.segment(segment_ids) + self.position(position_ids)
        hidden_states = self.dropout(self.layer_norm(summed), training=training)
        return hidden_states, ops.convert_to_tensor(self.word.embeddings)

    def compute_output_spec(
        self, token_ids: Tensor, *_: object, **__: object
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        shapes = (*token_ids.shape, self.hidden_size), (self.vocab_size, self.hidden_size)
        hidden_states, word_embeddings = (
            keras.KerasTensor(shape, self.variable_dtype) for shape in shapes
        )
        return hidden_states, word_embeddings

    def get_config(self) -> LayerConfig:
        return super().get_config() | {
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "max_position_embeddings": self.max_position_embeddings,
            "type_vocab_size": self.type_vocab_size,
            "position_embedding_type": self.position_embedding_type,
            "hidden_dropout_prob": self.hidden_dropout_prob,
            "layer_norm_eps": self.layer_norm_eps,
            "initializer_range": self.initializer_range,
        }
