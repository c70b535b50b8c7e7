"""The yardstick: transformers on PyTorch, pretraining BERT-mini with masked language modelling.

    python benchmarks/peer_pretraining.py --data_dir books --vocab_file vocab.txt --steps 100

It is the usual way to do it: the texts tokenized and cut end to end into blocks of one length, so
that nothing is padded; DataCollatorForLanguageModeling, which masks 15% of a batch;
BertForMaskedLM, or with --next_sentence BertForPreTraining, the labels of which are then made up,
for it is the arithmetic that counts; bfloat16 autocast, and the fused AdamW. It needs torch,
transformers and tokenizers, and nothing of bert_keras. Progress goes to stderr; the last line of
stdout is one JSON object with the settings and what the steps cost.
"""

import argparse
import json
import pathlib
import random
import resource
import sys
import time

import tokenizers
import torch
import transformers

_LINES = 1000  # tokenized at a time


def make_tokenizer(vocab_file, lowercase):
    """BERT's tokenizer on a vocab.txt."""
    tokenizer = tokenizers.BertWordPieceTokenizer(str(vocab_file), lowercase=lowercase)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer._tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def read_blocks(tokenizer, folder, length, max_bytes=None):
    """The text files of a folder as blocks of token ids, int64 [blocks, length]."""
    files = sorted(path for path in pathlib.Path(folder).rglob("*.txt") if path.is_file())
    if not files:
        raise SystemExit(f"{folder}: expected text files whose names end in .txt, found none.")
    ids, left = [], max_bytes
    for file in files:
        lines = file.read_bytes()[:left].decode("utf-8", "ignore").splitlines()
        left = left and max(0, left - file.stat().st_size)
        for begin in range(0, len(lines), _LINES):
            encoded = tokenizer._tokenizer.encode_batch(
                lines[begin : begin + _LINES], add_special_tokens=False
            )
            ids += [token for line in encoded for token in line.ids]
        if left == 0:
            break
    room = length - 2
    blocks = torch.tensor(ids[: len(ids) // room * room]).reshape(-1, room)
    ends = torch.tensor([[tokenizer.cls_token_id, tokenizer.sep_token_id]]).expand(len(blocks), 2)
    return torch.cat([ends[:, :1], blocks, ends[:, 1:]], 1)


def make_model(args, vocab_size):
    """BERT from scratch, with the heads asked for."""
    config = transformers.BertConfig(
        vocab_size=vocab_size,
        hidden_size=args.hidden_size,
        num_hidden_layers=args.num_hidden_layers,
        num_attention_heads=args.num_attention_heads,
        intermediate_size=4 * args.hidden_size,
        max_position_embeddings=max(512, args.max_seq_length),
        hidden_dropout_prob=args.dropout,
        attention_probs_dropout_prob=args.dropout,
        attn_implementation=args.attention,
    )
    if args.next_sentence:
        return transformers.BertForPreTraining(config)
    return transformers.BertForMaskedLM(config)


def make_optimizer(model, learning_rate):
    """BERT's AdamW: weight decay on all but the biases and the LayerNorms."""
    decayed, plain = [], []
    for name, parameter in model.named_parameters():
        kept = name.endswith("bias") or "LayerNorm" in name
        (plain if kept else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, learning_rate, betas=(0.9, 0.999), eps=1e-6, fused=True)


def batches(blocks, collator, args):
    """Masked batches without end, in another order in every epoch."""
    rng = random.Random(args.seed)
    while True:
        order = rng.sample(range(len(blocks)), len(blocks))
        for begin in range(0, len(order) - args.train_batch_size + 1, args.train_batch_size):
            rows = order[begin : begin + args.train_batch_size]
            batch = collator([{"input_ids": blocks[row]} for row in rows])
            batch["attention_mask"] = torch.ones_like(batch["input_ids"])
            if args.next_sentence:
                batch["next_sentence_label"] = torch.randint(2, [len(rows)])
            yield batch


def train_step(model, batch, optimizer, schedule, bf16):
    """One step; returns the loss."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = model(**batch).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
    return loss.item()


def run(args):
    """Trains as the flags say; returns what is to be reported."""
    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)
    tokenizer = make_tokenizer(args.vocab_file, args.lowercase)
    started = time.perf_counter()
    blocks = read_blocks(tokenizer, args.data_dir, args.max_seq_length, args.max_bytes)
    tokenize_seconds = time.perf_counter() - started
    if len(blocks) < args.train_batch_size:
        raise SystemExit(f"{args.data_dir}: expected {args.train_batch_size} blocks of text.")
    model = make_model(args, len(tokenizer)).train()
    optimizer = make_optimizer(model, args.learning_rate)
    schedule = transformers.get_constant_schedule_with_warmup(optimizer, args.warmup_steps)
    collator = transformers.DataCollatorForLanguageModeling(
        tokenizer, mlm_probability=args.mask_rate, whole_word_mask=args.whole_word_mask
    )

    source = batches(blocks, collator, args)
    for _ in range(args.warmup_steps):
        train_step(model, next(source), optimizer, schedule, args.bf16)
    losses, tokens, data_seconds = [], 0, 0.0
    started = time.perf_counter()
    cpu_started = time.process_time()
    while len(losses) < args.steps:
        if args.seconds and time.perf_counter() - started >= args.seconds:
            break
        asked = time.perf_counter()
        batch = next(source)
        data_seconds += time.perf_counter() - asked
        losses.append(train_step(model, batch, optimizer, schedule, args.bf16))
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
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--data_dir", required=True, help="a folder of .txt files")
    flags.add_argument("--vocab_file", required=True, help="a vocab.txt")
    flags.add_argument("--lowercase", action=argparse.BooleanOptionalAction, default=True)
    flags.add_argument("--max_bytes", type=int, help="read no more of the text than that")
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
    flags.add_argument("--seconds", type=float, help="time no longer than that")
    flags.add_argument("--threads", type=int, help="threads to compute with, by default all")
    flags.add_argument("--seed", type=int, default=1)
    return flags.parse_args()


if __name__ == "__main__":
    print(json.dumps(run(parse_args())), flush=True)
