"""The yardstick of training_step.py: a step of transformers on PyTorch, in turns with others."""

import argparse

import torch
import transformers
import turns

flags = argparse.ArgumentParser(description=__doc__)
flags.add_argument("--rows", type=int, default=32)
flags.add_argument("--length", type=int, default=128)
flags.add_argument("--precision", default="bfloat16")
flags.add_argument("--attention", default="sdpa")
flags.add_argument("--hidden_size", type=int, default=384)
flags.add_argument("--layers", type=int, default=6)
flags.add_argument("--heads", type=int, default=12)
args = flags.parse_args()

torch.manual_seed(0)
config = transformers.BertConfig(
    hidden_size=args.hidden_size,
    num_hidden_layers=args.layers,
    num_attention_heads=args.heads,
    intermediate_size=4 * args.hidden_size,
    attn_implementation=args.attention,
)
model = transformers.BertForSequenceClassification(config).train()
optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.01, fused=True)
shape = args.rows, args.length
batch = {
    "input_ids": torch.randint(0, config.vocab_size, shape),
    "attention_mask": torch.ones(shape, dtype=torch.long),
    "labels": torch.randint(0, 2, (args.rows,)),
}


def step():
    with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bfloat16"):
        loss = model(**batch).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    loss.item()


turns.answer(step)
