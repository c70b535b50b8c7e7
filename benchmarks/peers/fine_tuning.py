"""Fine-tuning with transformers on PyTorch, from the weights of a folder.

The recipe is ordinary BERT fine-tuning, and as fast as plain PyTorch makes it: bfloat16 autocast,
the fused AdamW, batches of rows of similar length padded to their longest.
"""

import random
import resource
import sys
import time

import torch
import transformers
from torch.nn.utils.rnn import pad_sequence

# Batches are cut from rows sorted by length within a chunk of this many batches.
CHUNK_BATCHES = 50
# The target of a token without a label, by PyTorch's cross entropy.
NO_LABEL = -100


def load_tokenizer(folder):
    """The fast tokenizer of a checkpoint's folder."""
    return transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]"
    )


def load_model(model_class, folder, **settings):
    """A model with the folder's encoder and a new head."""
    return model_class.from_pretrained(
        folder,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        dtype=torch.float32,
        # PyTorch has no fused attention with dropout on a CPU, and its fallback is the slower.
        attn_implementation="eager",
        **settings,
    )


def collate(examples, pad_id):
    """The model's inputs for a batch, padded to its longest example.

    An example is a dict of lists, with an entry for each token, and of numbers of the example.
    """
    padding = {"input_ids": pad_id, "labels": NO_LABEL}
    batch = {}
    for name, value in examples[0].items():
        rows = [torch.tensor(example[name]) for example in examples]
        if isinstance(value, list):
            padded = pad_sequence(rows, batch_first=True, padding_value=padding.get(name, 0))
            batch[name] = padded  # [batch, length]
        else:
            batch[name] = torch.stack(rows)  # [batch]
    ones = [torch.ones(len(example["input_ids"]), dtype=torch.long) for example in examples]
    return batch | {"attention_mask": pad_sequence(ones, batch_first=True)}  # [batch, length]


def _shuffled_batches(examples, batch_size, rng):
    """An epoch's batches: rows shuffled, grouped by length within chunks, the batches shuffled."""
    examples = rng.sample(examples, len(examples))
    chunk = CHUNK_BATCHES * batch_size
    batches = []
    for start in range(0, len(examples), chunk):
        rows = sorted(examples[start : start + chunk], key=lambda row: len(row["input_ids"]))
        batches += [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    rng.shuffle(batches)
    return batches


def make_optimizer(model, learning_rate):
    """BERT's AdamW: weight decay on all but the biases and the LayerNorms."""
    decayed, plain = [], []
    for name, parameter in model.named_parameters():
        kept = name.endswith("bias") or "LayerNorm" in name
        (plain if kept else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, learning_rate, betas=(0.9, 0.999), eps=1e-6, fused=True)


def _train_epoch(model, batches, optimizer, schedule, pad_id, bf16, watch, evaluations):
    """Trains on the batches once; returns the mean loss of a batch."""
    model.train()
    total = 0.0
    due = {len(batches) * number // evaluations for number in range(1, evaluations + 1)}
    for number, batch in enumerate(batches, 1):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = model(**collate(batch, pad_id)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        total += loss.item()
        if number in due:
            watch(schedule.last_epoch)
            model.train()
    return total / len(batches)


def train(model, examples, pad_id, args, watch=None, evaluations=0):
    """Fine-tunes by the flags; returns the settings, times and memory.

    Calls `watch` with the number of steps done, `evaluations` times an epoch.
    """
    rng = random.Random(args.seed)
    optimizer = make_optimizer(model, args.learning_rate)
    steps = -(-len(examples) // args.train_batch_size) * int(args.num_train_epochs)
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, int(steps * args.warmup_proportion), steps
    )
    started = time.perf_counter()
    for epoch in range(int(args.num_train_epochs)):
        batches = _shuffled_batches(examples, args.train_batch_size, rng)
        loss = _train_epoch(
            model, batches, optimizer, schedule, pad_id, args.bf16, watch, evaluations
        )
        seconds = time.perf_counter() - started
        print(f"epoch {epoch + 1}: loss {loss:.4f}, {seconds:.0f} s", file=sys.stderr, flush=True)
    tokens = sum(len(row["input_ids"]) for row in examples)
    return {
        "train_rows": len(examples),
        "train_tokens": tokens,
        "steps": steps,
        "train_seconds": round(seconds, 2),
        # Padding is not counted: these are tokens of the text, [CLS] and [SEP] included.
        "tokens_per_second": round(tokens * args.num_train_epochs / seconds, 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


@torch.inference_mode()
def infer(model, examples, pad_id, args, bf16=False):
    """The model's outputs: for each example a dict of NumPy arrays, without padding."""
    model.eval()
    order = sorted(range(len(examples)), key=lambda i: len(examples[i]["input_ids"]))
    outputs = [None] * len(examples)
    for start in range(0, len(order), args.train_batch_size):
        indices = order[start : start + args.train_batch_size]
        batch = collate([examples[i] for i in indices], pad_id)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            batch_outputs = model(**batch)
        sizes = batch["attention_mask"].sum(1).tolist()
        for row, (index, size) in enumerate(zip(indices, sizes, strict=True)):
            outputs[index] = {
                name: value[row, :size].float().numpy()
                for name, value in batch_outputs.items()
                if name.endswith("logits")
            }
    return outputs
