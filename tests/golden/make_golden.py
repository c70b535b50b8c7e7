"""Makes the golden arrays: what Hugging Face's PyTorch BERT answers on random weights.

Run with torch and transformers installed, neither of which the tests need:

    python tests/golden/make_golden.py

It writes, beside itself, `huggingface/` (config.json and model.safetensors as transformers saves
them) and `outputs.npz` (inputs and outputs; for the exact GELU, and under `tanh_` for its
approximation with the same weights).
"""

import pathlib

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

HERE = pathlib.Path(__file__).parent
LENGTHS = (11, 4, 7, 1)  # ragged
LENGTH = max(LENGTHS)


def randomize(model):
    """Spreads the weights: with BERT's own 0.02, attention would hardly differ from uniform."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if "LayerNorm.weight" in name:
                weight.copy_(1 + 0.3 * noise)
            else:
                weight.copy_((0.1 if weight.ndim == 1 else 0.25) * noise)


def run(model, inputs):
    with torch.no_grad():
        encoded = model.bert(**inputs)
        logits = model(**inputs).logits
    return {
        "sequence_output": encoded.last_hidden_state.numpy(),
        "pooled_output": encoded.pooler_output.numpy(),
        "logits": logits.numpy(),
    }


def main():
    config = BertConfig(
        vocab_size=100,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=48,
        num_labels=3,
        attn_implementation="eager",
    )
    model = BertForSequenceClassification(config).eval()
    randomize(model)

    random = np.random.default_rng(1)
    mask = (np.arange(LENGTH) < np.array(LENGTHS)[:, None]).astype(np.int64)
    inputs = {
        "input_ids": random.integers(0, 100, mask.shape) * mask,
        "attention_mask": mask,
        "token_type_ids": (random.random(mask.shape) < 0.5) * mask,
    }
    tensors = {name: torch.tensor(value) for name, value in inputs.items()}
    exact = run(model, tensors)

    model.save_pretrained(HERE / "huggingface")
    config.hidden_act = "gelu_new"
    tanh_model = BertForSequenceClassification(config).eval()
    tanh_model.load_state_dict(model.state_dict())
    tanh = {f"tanh_{name}": value for name, value in run(tanh_model, tensors).items()}
    np.savez_compressed(HERE / "outputs.npz", **inputs, **exact, **tanh)


if __name__ == "__main__":
    main()
