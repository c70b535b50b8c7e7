"""The layers are keras.ops alone, so that any Keras backend runs them."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]

# Needs nothing that is TensorFlow's: the weights are Hugging Face's, the arrays NumPy's.
GOLDEN_RUN = """
import sys, numpy as np, keras
from bert_keras.config import BertConfig
from bert_keras.checkpoints.load import load_weights
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.pretrainer import BertPretrainer

golden = sys.argv[1]
arrays = np.load(golden + "/outputs.npz")
mask = arrays["attention_mask"].astype("int32")
inputs = {
    "token_ids": arrays["input_ids"].astype("int32"),
    "segment_ids": arrays["token_type_ids"].astype("int32"),
    "position_ids": np.tile(np.arange(mask.shape[1], dtype="int32"), (len(mask), 1)),
    "example_ids": mask,
}
encoder = BertEncoder(BertConfig.from_file(golden + "/huggingface/config.json"))
load_weights(encoder, golden + "/huggingface")
outputs = encoder(inputs)
for name, where in (("sequence_output", mask > 0), ("pooled_output", slice(None))):
    found = keras.ops.convert_to_numpy(outputs[name])
    assert np.abs(found - arrays[name])[where].max() < 1e-5, name
dropped = encoder(inputs, training=True)["sequence_output"]
assert (keras.ops.convert_to_numpy(dropped) != keras.ops.convert_to_numpy(
    outputs["sequence_output"])).any()

arrays = np.load(golden + "/pretraining.npz")
outputs = BertPretrainer.from_pretrained(golden + "/pretraining")({
    "token_ids": arrays["input_ids"].astype("int32"),
    "segment_ids": arrays["token_type_ids"].astype("int32"),
    "position_ids": inputs["position_ids"],
    "example_ids": mask,
    "masked": arrays["masked"].astype("int32"),
})
for name, values in outputs.items():
    assert np.abs(keras.ops.convert_to_numpy(values) - arrays[name]).max() < 1e-4, name
assert keras.backend.backend() == sys.argv[2]
assert "tensorflow" not in sys.modules or sys.argv[2] == "tensorflow"
"""

# The gradients of a model with dropout, computed with and without recomputation from equal seeds.
RECOMPUTED_RUN = """
import sys, numpy as np, keras
from bert_keras.config import BertConfig
from bert_keras.layers.execution import Execution
from bert_keras.models.encoder import BertEncoder

sizes = dict(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
encoder = BertEncoder(BertConfig(vocab_size=50, max_position_embeddings=8, **sizes))
example_ids = np.array([[1, 1, 1, 2, 2, 0], [1, 1, 1, 1, 1, 1]], "int32")
inputs = {
    "token_ids": np.arange(12, dtype="int32").reshape(2, 6),
    "segment_ids": example_ids * 0,
    "position_ids": np.tile(np.arange(6, dtype="int32"), (2, 1)),
    "example_ids": example_ids,
}
trained = [v.value for v in encoder.trainable_variables]
seeds = [keras.ops.convert_to_numpy(v.value).copy() for v in encoder.non_trainable_variables]

def loss_of(outputs):
    factors = keras.ops.arange(8, dtype="float32")
    return keras.ops.sum(outputs["sequence_output"] ** 2 * factors)

def gradients():
    if sys.argv[1] == "jax":
        import jax
        call = lambda trained: encoder.stateless_call(trained, seeds, inputs, training=True)[0]
        return list(map(np.asarray, jax.grad(lambda trained: loss_of(call(trained)))(trained)))
    for variable, seed in zip(encoder.non_trainable_variables, seeds):
        variable.assign(seed)
    for value in trained:
        value.grad = None
    loss_of(encoder(inputs, training=True)).backward()
    return [value.grad.numpy() for value in trained if value.grad is not None]

kept = gradients()
encoder.execution = Execution(recompute=True)
for one, other in zip(kept, gradients(), strict=True):
    assert np.abs(one - other).max() < 1e-5 * max(np.abs(value).max() for value in kept)
assert len(kept) > 30

# The gradients that layers tell of themselves, of a bias and of GELU, are what differences say.
from bert_keras.layers.feed_forward import FeedForward

layer = FeedForward(6)
layer.build((1, 2, 4))
inputs = np.random.default_rng(0).normal(size=(1, 2, 4)).astype("float32")
bias = layer.intermediate.bias
ahead = np.full(6, 1e-2, "float32")

def loss_at(value):
    bias.assign(value)
    return keras.ops.sum(layer(inputs, training=True))

expected = float(loss_at(ahead)) - float(loss_at(-ahead))
if sys.argv[1] == "jax":
    import jax
    of_all = jax.grad(lambda t: layer.stateless_call(t, [], inputs, training=True)[0].sum())
    bias.assign(np.zeros(6, "float32"))
    trained = [v.value for v in layer.trainable_variables]
    position = [v is bias for v in layer.trainable_variables].index(True)
    found = np.asarray(of_all(trained)[position])
else:
    loss_at(np.zeros(6, "float32")).backward()
    found = bias.value.grad.numpy()
assert abs(found @ (2 * ahead) - expected) < 1e-3 * abs(expected), (found @ (2 * ahead), expected)
"""


@pytest.mark.parametrize("path", sorted((ROOT / "bert_keras/layers").glob("*.py")), ids=str)
def test_layers_import_keras_and_each_other_alone(path):
    imports = re.findall(r"^\s*(?:from|import) (\S+)", path.read_text(encoding="utf-8"), re.M)
    backend = [name for name in imports if name.split(".")[0] not in sys.stdlib_module_names]
    assert all(name == "keras" or name.startswith("bert_keras.layers.") for name in backend)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_golden_outputs_under_another_backend(backend):
    check(backend, GOLDEN_RUN, str(ROOT / "tests/golden"), backend)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_recomputed_gradients_under_another_backend(backend):
    check(backend, RECOMPUTED_RUN, backend)


def check(backend, program, *arguments):
    """Runs a program in a process whose Keras has another backend."""
    pytest.importorskip(backend)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
