"""Proves that a change changed no number: trains every task a little and hashes what comes out.

    .venv/bin/python tests/equality.py --write=/tmp/before.json --runs=/tmp/before   # before it
    .venv/bin/python tests/equality.py --compare=/tmp/before.json                    # after it
    .venv/bin/python tests/equality.py --resume=/tmp/before                          # after it

Each case runs a script on tiny weights and the files of data/, with `--deterministic`, and records
hashes of the final weights, the checkpoint, the curves, the predictions, the scores and the answers
of the exports. `--compare` expects each of them to be equal, bit for bit, and exits with 1 if one
is not. `--resume` takes the runs that another version began, cuts each back to its first
checkpoint, goes on with this version, and expects the same end. Everything is done through the
scripts, so that the proof does not depend on what is inside. Hashes are those of one machine and
one TensorFlow.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import string
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
_SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
}
_TRAIN = ("--do_train", "--do_eval", "--do_export", "--deterministic", "--seed=3")
_FEW = ("--train_batch_size=8", "--num_train_epochs=2", "--learning_rate=1e-3")
# Flags that say how a call is done, which no run records.
_OF_CALL = ("--predict_file", "--cpu_devices", "--export_precision", "--query", "--do_")
_CHECKPOINTS = ("--save_checkpoints_steps=2", "--keep_checkpoints=100")
_RELATION = {
    "text": ["Ada Holm lives in Bergen."],
    "head_start": [0],
    "head_end": [8],
    "tail_start": [18],
    "tail_end": [24],
}
_TEXTS = {"text": ["A waste of money.", "Better than I expected, and quick.", ""]}

# Of each case: the script, its flags, what the export is asked.
CASES = {
    "classes": (
        "run_classifier",
        [f"--train_file={DATA}/reviews.tsv", f"--predict_file={DATA}/unlabelled.tsv"],
        _TEXTS,
    ),
    "classes_mean_weighted": (
        "run_classifier",
        [
            f"--train_file={DATA}/topics",
            *("--pooling=mean", "--class_weights=balanced", "--early_stopping=f1_macro"),
            "--train_rows_per_class=4",
        ],
        _TEXTS,
    ),
    "classes_two_devices_micro_batches": (
        "run_classifier",
        [
            f"--train_file={DATA}/reviews.csv",
            *("--cpu_devices=2", "--gradient_accumulation_steps=2", "--recompute"),
            *("--optimizer=lamb", "--learning_rate_decay=cosine"),
        ],
        _TEXTS,
    ),
    "classes_bfloat16": (
        "run_classifier",
        [
            f"--train_file={DATA}/reviews.jsonl",
            *("--precision=bfloat16", "--export_precision=bfloat16"),
        ],
        _TEXTS,
    ),
    "several_labels": (
        "run_classifier",
        [
            f"--train_file={DATA}/multi.jsonl",
            *("--label_kind=multi", "--label_column=labels"),
            f"--predict_file={DATA}/unlabelled.tsv",
        ],
        _TEXTS,
    ),
    "numbers_of_pairs": (
        "run_classifier",
        [
            f"--train_file={DATA}/scores.tsv",
            *("--label_kind=number", "--label_column=score"),
            *("--text_column=sentence1", "--pair_column=sentence2"),
        ],
        {"text": ["It rains.", "a"], "text_pair": ["The sun shines.", "b"]},
    ),
    "glue": (
        "run_classifier",
        ["--task_name=SST-2", f"--data_dir={DATA}/glue", "--do_predict"],
        _TEXTS,
    ),
    "relations": (
        "run_classifier",
        [
            f"--train_file={DATA}/relations.jsonl",
            *("--entity_columns=head,tail", "--dev_fraction=0.25"),
            f"--predict_file={DATA}/relations.jsonl",
        ],
        _RELATION,
    ),
    "entities": (
        "run_tagger",
        [
            f"--train_file={DATA}/entities.conll",
            f"--dev_file={DATA}/entities.jsonl",
            f"--predict_file={DATA}/entities.jsonl",
            "--max_seq_length=16",
        ],
        {"text": ["Jonas met Elena Ruiz in Tarnby.", "nobody", ""]},
    ),
    "entities_of_words": (
        "run_tagger",
        [f"--train_file={DATA}/entities.conll", f"--predict_file={DATA}/entities.conll"],
        {"text": ["Jonas met Elena Ruiz in Tarnby."]},
    ),
    "questions": (
        "run_qa",
        [
            f"--train_file={DATA}/questions.json",
            f"--predict_file={DATA}/questions.json",
            *("--dev_fraction=0.25", "--doc_stride=16", "--max_query_length=16"),
        ],
        {"question": ["When does the mill open?"], "context": ["The mill opens at ten. " * 9]},
    ),
    "paraphrases": (
        "run_embeddings",
        [
            f"--train_file={DATA}/paraphrases.tsv",
            f"--predict_file={DATA}/sentences.txt",
            *("--dev_fraction=0.3", "--query=Will it be wet?"),
        ],
        _TEXTS,
    ),
    "scored_pairs": (
        "run_embeddings",
        [
            f"--train_file={DATA}/scores.tsv",
            *("--text_column=sentence1", "--pair_column=sentence2", "--dev_fraction=0.3"),
            *("--pooling=max", "--layer=1", "--nonormalize", "--cpu_devices=2"),
        ],
        _TEXTS,
    ),
    "pretraining": (
        "run_pretraining",
        [
            f"--input_file={DATA}/reports.txt",
            *("--layout=sentences", "--dev_fraction=0.3"),
            *("--objective=nsp", "--masking=word", "--short_seq_length=32"),
            f"--predict_file={DATA}/gaps.txt",
        ],
        {"text": ["The [MASK] is [MASK].", "no mask"]},
    ),
    "pretraining_order": (
        "run_pretraining",
        [
            f"--input_file={DATA}/articles.jsonl",
            *("--dev_fraction=0.3", "--objective=sop", "--masking=span"),
            "--gradient_accumulation_steps=2",
        ],
        {"text": ["The [MASK] is [MASK]."]},
    ),
}
_LITERT = {"classes", "paraphrases"}

_ASK = """
import json, sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
found = {}
for name, values in json.loads(sys.argv[2]).items():
    found[name] = tf.constant(values)
answers = model.signatures["serving_default"](**found)
for name in sorted(answers):
    value = answers[name].numpy()
    content = value.tolist() if value.dtype == object else value.tobytes().hex()
    print(name, value.dtype, value.shape, content)
"""

_ASK_LITERT = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
run = Interpreter(sys.argv[1], num_threads=1).get_signature_runner()
answers = run(token_ids=np.array([[2, 9, 8, 3], [2, 7, 3, 0]], np.int32),
              segment_ids=np.zeros((2, 4), np.int32))
for name in sorted(answers):
    print(name, answers[name].dtype, answers[name].shape, answers[name].tobytes().hex())
"""

_CURVES = """
import glob, sys
from tensorboard.backend.event_processing import event_accumulator
import numpy as np
lines = {}
for run in ("train", "eval"):
    found = event_accumulator.EventAccumulator(f"{sys.argv[1]}/{run}", {"tensors": 0})
    found.Reload()
    for tag in sorted(found.Tags()["tensors"]):
        if "per_second" in tag or "_hparams" in tag:
            continue
        for event in found.Tensors(tag):
            content = event.tensor_proto.SerializeToString().hex()
            content = content if len(content) < 200 else hash_of(content)
            lines[f"{run} {tag} {event.step} {content}"] = None
for line in lines:  # a run that went on has its last points twice: they must be the same
    print(line)
"""
_CURVES = "import hashlib\nhash_of = lambda t: hashlib.sha256(t.encode()).hexdigest()\n" + _CURVES


def make_weights(folder):
    """Writes a random BERT in Hugging Face's layout, with numpy alone; knows the samples' words."""
    import safetensors.numpy

    files = [*DATA.glob("*.tsv"), *DATA.glob("*.jsonl"), DATA / "reports.txt"]
    text = " ".join(path.read_text(encoding="utf-8") for path in sorted(files))
    words = sorted(set(re.findall(r"[a-z]+|[^\sa-z]", text.lower())) - set(string.ascii_lowercase))
    pieces = [mark + letter for mark in ("", "##") for letter in string.ascii_lowercase]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces, *"@#*^", *words]
    vocabulary = list(dict.fromkeys(vocabulary))
    random = np.random.default_rng(1)
    tensors = {}

    def linear(name, rows, columns):
        tensors[f"{name}.weight"] = random.normal(0, 0.2, (rows, columns)).astype(np.float32)
        tensors[f"{name}.bias"] = random.normal(0, 0.1, rows).astype(np.float32)

    def norm(name):
        tensors[f"{name}.weight"] = random.normal(1, 0.1, hidden).astype(np.float32)
        tensors[f"{name}.bias"] = random.normal(0, 0.1, hidden).astype(np.float32)

    hidden, inside = _SHAPE["hidden_size"], _SHAPE["intermediate_size"]
    for name, rows in (
        ("word", len(vocabulary)),
        ("position", _SHAPE["max_position_embeddings"]),
        ("token_type", _SHAPE["type_vocab_size"]),
    ):
        table = random.normal(0, 0.2, (rows, hidden)).astype(np.float32)
        tensors[f"bert.embeddings.{name}_embeddings.weight"] = table
    norm("bert.embeddings.LayerNorm")
    for layer in range(_SHAPE["num_hidden_layers"]):
        name = f"bert.encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            linear(f"{name}.attention.self.{part}", hidden, hidden)
        linear(f"{name}.attention.output.dense", hidden, hidden)
        norm(f"{name}.attention.output.LayerNorm")
        linear(f"{name}.intermediate.dense", inside, hidden)
        linear(f"{name}.output.dense", hidden, inside)
        norm(f"{name}.output.LayerNorm")
    linear("bert.pooler.dense", hidden, hidden)
    linear("cls.predictions.transform.dense", hidden, hidden)
    norm("cls.predictions.transform.LayerNorm")
    tensors["cls.predictions.bias"] = np.zeros(len(vocabulary), np.float32)
    linear("cls.seq_relationship", 2, hidden)

    folder.mkdir(parents=True)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = _SHAPE | {
        "vocab_size": len(vocabulary),
        "model_type": "bert",
        "architectures": ["BertForPreTraining"],
        "hidden_act": "gelu",
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')


def run_case(name, weights, folder):
    """Runs a case, from wherever its folder stands; returns what came out, hashes by name.

    With `weights` None a run goes on, and its own record has what it was begun with.
    """
    script, flags, question = CASES[name]
    command = [sys.executable, ROOT / f"{script}.py", *_CHECKPOINTS, f"--output_dir={folder}"]
    command += [flag for flag in _TRAIN if weights or flag.startswith("--do_")]
    command += [flag for flag in flags if weights or flag.startswith(_OF_CALL)]
    command += [*_FEW, f"--init_checkpoint={weights}"] if weights else []
    if any(flag.startswith("--predict_file") for flag in flags):
        command.append("--do_predict")
    if weights and not any(flag.startswith("--max_seq_length") for flag in flags):
        command.append("--max_seq_length=64")
    if weights and script == "run_pretraining":
        command.append(f"--prepared_dir={folder.parent / 'prepared'}")
    _call(command, folder.with_suffix(".log"))
    found = {"weights": _of_tensors(folder / "model.safetensors")}
    last = max(folder.glob("checkpoints/step-*"), key=lambda p: int(re.findall(r"\d+", p.name)[0]))
    found["checkpoint"] = f"{last.name} {_of_tensors(last)}"
    found["curves"] = _hash(_python(_CURVES, folder).encode())
    for path in sorted([*folder.glob("eval_results.json"), *folder.glob("*predictions*")]):
        found[path.name] = _hash(path.read_bytes())
    for path in sorted([*folder.glob("embeddings.npy"), folder / "config.json"]):
        found[path.name] = _hash(path.read_bytes())
    versions = sorted((folder / "export").iterdir(), key=lambda path: int(path.name))
    found["served"] = _hash(_python(_ASK, versions[-1], json.dumps(question)).encode())
    if name in _LITERT:
        _call(
            [
                *(sys.executable, ROOT / f"{script}.py", "--do_export", "--export_format=litert"),
                f"--output_dir={folder}",
            ],
            folder.with_suffix(".litert.log"),
        )
        path = max((folder / "export_litert").iterdir(), key=lambda path: int(path.name))
        found["litert"] = _hash(_python(_ASK_LITERT, path / "model.tflite").encode())
    return found


def cut_back(folder):
    """Leaves of a finished run what a kill right after its first checkpoint would have left."""
    steps = sorted(
        folder.glob("checkpoints/step-*"), key=lambda p: int(re.findall(r"\d+", p.name)[0])
    )
    for path in steps[1:]:
        path.unlink()
    for path in folder.iterdir():
        if path.name not in ("flags.json", "checkpoints", "train", "eval", ".lock"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _call(command, log):
    with open(log, "wb") as file:
        done = subprocess.run([*map(str, command)], stdout=file, stderr=file, cwd=ROOT, env=_ENV)
    if done.returncode:
        sys.exit(f"{command[1]} ended with {done.returncode}:\n{log.read_text()[-3000:]}")


def _python(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=_ENV, cwd="/"
    ).stdout


def _of_tensors(path):
    import safetensors

    with safetensors.safe_open(path, "numpy") as file:
        every = [(name, file.get_tensor(name)) for name in sorted(file.keys())]
    found = hashlib.sha256()
    for name, value in every:
        found.update(f"{name} {value.dtype} {value.shape}".encode() + value.tobytes())
    return found.hexdigest()[:16]


def _hash(content):
    return hashlib.sha256(content).hexdigest()[:16]


_ENV = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def _differences(before, after):
    return [
        f"  {key}: {before.get(key)} before, {after.get(key)} now"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=pathlib.Path, help="JSON file for the hashes")
    parser.add_argument("--compare", type=pathlib.Path, help="JSON file of the hashes to expect")
    parser.add_argument("--runs", type=pathlib.Path, help="folder to keep the runs in")
    parser.add_argument("--resume", type=pathlib.Path, help="folder of runs to go on with")
    parser.add_argument("--only", default="", help="names of cases, with commas between")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(CASES)
    found, differences = {}, 0
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary) / "runs"
        if options.resume:
            root = options.resume
            expected = json.loads((root / "hashes.json").read_text())
        else:
            root = options.runs or root
            make_weights(root / "weights")
            expected = json.loads(options.compare.read_text()) if options.compare else {}
        for name in names:
            folder = root / name
            if options.resume and any("early_stopping" in flag for flag in CASES[name][1]):
                continue  # its model may be that of a step before the checkpoint
            if options.resume:
                cut_back(folder)
            found[name] = run_case(name, None if options.resume else root / "weights", folder)
            changed = _differences(expected[name], found[name]) if name in expected else []
            differences += len(changed)
            state = "differs" if changed else "equal" if name in expected else "written"
            print(f"{name}: {state}", *changed, sep="\n", flush=True)
        if not options.resume:
            (root / "hashes.json").write_text(json.dumps(found, indent=1))
        if options.write:
            options.write.write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
