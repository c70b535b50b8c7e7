"""Makes the golden arrays: what Hugging Face's PyTorch BERT answers on random weights.

Run with torch and transformers installed, neither of which the tests need:

    python tests/golden/make_golden.py

It writes, beside itself, `huggingface/` (config.json and model.safetensors as transformers saves
them) and `outputs.npz` (inputs and outputs; for the exact GELU, and under `tanh_` for its
approximation with the same weights); and `pretraining/` and `pretraining.npz`, which are the same
of BertForPreTraining, with its loss on masked tokens and sentence pairs and the loss's gradients.
"""

import pathlib

import numpy as np
import torch
from transformers import BertConfig, BertForPreTraining, BertForSequenceClassification

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


def pretraining(config, inputs):
    """The loss and its gradients, where each example has as many masked tokens as it happens to."""
    model = BertForPreTraining(config).eval()  # without dropout
    randomize(model)
    random = np.random.default_rng(2)
    real = inputs["attention_mask"].numpy()
    masked = (random.random(real.shape) < 0.6) * real
    masked[1] = 0  # none at all
    labels = random.integers(0, config.vocab_size, real.shape)
    is_random = random.integers(0, 2, len(real))
    outputs = model(
        **inputs,
        labels=torch.tensor(np.where(masked, labels, -100)),  # -100: not to be told
        next_sentence_label=torch.tensor(is_random),
    )
    outputs.loss.backward()
    gradients = {f"gradient/{n}": w.grad.numpy() for n, w in model.named_parameters()}
    model.save_pretrained(HERE / "pretraining")
    np.savez_compressed(
        HERE / "pretraining.npz",
        **{name: value.numpy() for name, value in inputs.items()},
        masked=masked,
        labels=labels,
        is_random=is_random,
        token_logits=outputs.prediction_logits.detach().numpy()[masked > 0],
        sentence_logits=outputs.seq_relationship_logits.detach().numpy(),
        loss=outputs.loss.detach().numpy(),
        **gradients,
    )


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

    config.hidden_act = "gelu"
    config.num_hidden_layers = 1
    pretraining(config, tensors)


if __name__ == "__main__":
    main()
