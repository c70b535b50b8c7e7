"""Pretraining with transformers on PyTorch: the data, the model and a step."""

import pathlib
import random

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
        for start in range(0, len(lines), _LINES):
            encoded = tokenizer._tokenizer.encode_batch(
                lines[start : start + _LINES], add_special_tokens=False
            )
            ids += [token for line in encoded for token in line.ids]
        if left == 0:
            break
    inside = length - 2  # without [CLS] and [SEP]
    blocks = torch.tensor(ids[: len(ids) // inside * inside]).reshape(-1, inside)
    ends = torch.tensor([[tokenizer.cls_token_id, tokenizer.sep_token_id]]).expand(len(blocks), 2)
    return torch.cat([ends[:, :1], blocks, ends[:, 1:]], 1)


def make_model(args, vocab_size):
    """A new BERT with the heads of the flags."""
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


def batches(blocks, collator, args):
    """Masked batches without end, in a new order in every epoch."""
    rng = random.Random(args.seed)
    while True:
        order = rng.sample(range(len(blocks)), len(blocks))
        for start in range(0, len(order) - args.train_batch_size + 1, args.train_batch_size):
            rows = order[start : start + args.train_batch_size]
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
