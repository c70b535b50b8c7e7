"""The peer of a training step: transformers on PyTorch; it takes turns by `compare_time`."""

from benchmarks.harness import arguments, compare_time


def training_step(args):
    """A function that takes one step on one batch."""
    import torch
    import transformers

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

    return step


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--rows", type=int, default=32, help="rows of a step")
    flags.add_argument("--length", type=int, default=128, help="tokens of a row")
    flags.add_argument("--precision", default="bfloat16")
    flags.add_argument("--attention", default="sdpa", help="transformers' implementation")
    flags.add_argument("--hidden_size", type=int, default=384)
    flags.add_argument("--layers", type=int, default=6)
    flags.add_argument("--heads", type=int, default=12)
    compare_time.take_turns(training_step(flags.parse_args()))


if __name__ == "__main__":
    main()
