"""The peer of pretraining: transformers on PyTorch, a BERT-mini with masked language modelling.

    python -m benchmarks.peers.peer_pretraining --data_dir books --vocab_file vocab.txt --steps 100

It is the usual recipe: the texts tokenized and cut end to end into blocks of one length, without
padding; DataCollatorForLanguageModeling, which masks 15% of a batch; BertForMaskedLM, or with
--next_sentence BertForPreTraining with random labels, which cost as much as real ones; bfloat16
autocast, and the fused AdamW. Needs torch, transformers and tokenizers. Progress goes to standard
error. The last line of standard output is a JSON object with the settings, times and memory.
"""

import argparse
import json
import resource
import sys
import time

from benchmarks.harness import arguments


def run(args):
    """Trains by the flags; returns the JSON object."""
    import torch
    import transformers

    from benchmarks.peers import fine_tuning, pretraining

    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)
    tokenizer = pretraining.make_tokenizer(args.vocab_file, args.lowercase)
    started = time.perf_counter()
    blocks = pretraining.read_blocks(tokenizer, args.data_dir, args.max_seq_length, args.max_bytes)
    tokenize_seconds = time.perf_counter() - started
    if len(blocks) < args.train_batch_size:
        raise SystemExit(f"{args.data_dir}: expected {args.train_batch_size} blocks of text.")
    model = pretraining.make_model(args, len(tokenizer)).train()
    optimizer = fine_tuning.make_optimizer(model, args.learning_rate)
    schedule = transformers.get_constant_schedule_with_warmup(optimizer, args.warmup_steps)
    collator = transformers.DataCollatorForLanguageModeling(
        tokenizer, mlm_probability=args.mask_rate, whole_word_mask=args.whole_word_mask
    )

    source = pretraining.batches(blocks, collator, args)
    for _ in range(args.warmup_steps):
        pretraining.train_step(model, next(source), optimizer, schedule, args.bf16)
    losses, tokens, data_seconds = [], 0, 0.0
    started = time.perf_counter()
    cpu_started = time.process_time()
    while len(losses) < args.steps:
        if args.seconds and time.perf_counter() - started >= args.seconds:
            break
        requested = time.perf_counter()
        batch = next(source)
        data_seconds += time.perf_counter() - requested
        losses.append(pretraining.train_step(model, batch, optimizer, schedule, args.bf16))
        tokens += int(batch["attention_mask"].sum())
        if len(losses) % 50 == 0:
            print(f"step {len(losses)}: loss {losses[-1]:.3f}", file=sys.stderr, flush=True)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    return {
        "side": "peer",
        **vars(args),
        "vocab_size": len(tokenizer),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "blocks": len(blocks),
        "steps": len(losses),
        "tokenize_seconds": round(tokenize_seconds, 2),
        "train_seconds": round(seconds, 2),
        "data_seconds": round(data_seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "loss": round(sum(losses[-10:]) / len(losses[-10:]), 4),
        # [CLS] and [SEP] included; nothing is padded.
        "tokens_per_second": round(tokens / seconds, 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def parse_args():
    """The flags."""
    flags = arguments.parser(__doc__)
    flags.add_argument("--data_dir", required=True, help="a folder of .txt files")
    flags.add_argument("--vocab_file", required=True, help="a vocab.txt")
    flags.add_argument("--lowercase", action=argparse.BooleanOptionalAction, default=True)
    flags.add_argument("--max_bytes", type=int, help="most text to read")
    flags.add_argument("--num_hidden_layers", type=int, default=4)
    flags.add_argument("--hidden_size", type=int, default=256)
    flags.add_argument("--num_attention_heads", type=int, default=4)
    flags.add_argument("--dropout", type=float, default=0.1)
    flags.add_argument("--attention", choices=("eager", "sdpa"), default="eager")
    flags.add_argument("--next_sentence", action=argparse.BooleanOptionalAction, default=False)
    flags.add_argument("--mask_rate", type=float, default=0.15)
    flags.add_argument("--whole_word_mask", action=argparse.BooleanOptionalAction, default=False)
    flags.add_argument("--max_seq_length", type=int, default=128)
    flags.add_argument("--train_batch_size", type=int, default=32)
    flags.add_argument("--learning_rate", type=float, default=1e-4)
    flags.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    flags.add_argument("--warmup_steps", type=int, default=10, help="steps that are not timed")
    flags.add_argument("--steps", type=int, default=100, help="steps to time, at most")
    flags.add_argument("--seconds", type=float, help="most time to measure")
    flags.add_argument("--threads", type=int, help="threads to compute with, by default all")
    flags.add_argument("--seed", type=int, default=1)
    return flags.parse_args()


def main():
    print(json.dumps(run(parse_args())), flush=True)


if __name__ == "__main__":
    main()
