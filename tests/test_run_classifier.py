"""The script as a person calls it, but in this process, where TensorFlow has started."""

import json
import pathlib
import shutil
import struct
import subprocess
import sys

import calling
import pytest

from bert_keras.errors import InputError

run_classifier = calling.load("run_classifier")

SCRIPT = pathlib.Path(run_classifier.__file__)


def call(*arguments):
    return calling.call(run_classifier, *arguments)


def run(*arguments):
    """Runs the script in a process of its own."""
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True
    )


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# The good path.


@pytest.fixture(scope="module")
def finished(tiny_checkpoint, samples, tmp_path_factory):
    """A run that did all there is to do, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    text = (samples / "reviews.tsv").read_text(encoding="utf-8")
    train_file = folder / "train.tsv"
    train_file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    done = call(
        *("--do_train", "--do_eval", "--do_predict", "--do_export"),
        f"--output_dir={folder / 'run'}",
        f"--init_checkpoint={tiny_checkpoint}",
        f"--train_file={train_file}",
        f"--predict_file={samples / 'unlabelled.tsv'}",
        *("--max_seq_length=32", "--num_train_epochs=1", "--train_batch_size=16"),
    )
    assert done.code == 0, done.err
    done.folder = folder / "run"
    return done


def test_all_in_one_call(finished, samples):
    assert {path.name for path in finished.folder.iterdir()} == {
        *("flags.json", "scores.json", "eval_results.json", "predictions.tsv"),
        *("config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"),
        *(".lock", "checkpoints", "train", "eval", "export"),
    }
    scores = json.loads((finished.folder / "eval_results.json").read_text())
    assert scores == json.loads((finished.folder / "scores.json").read_text())["scores"]
    assert list(scores) == ["accuracy", "f1", "f1_macro", "matthews"]
    assert f"accuracy {scores['accuracy']:.4f}" in finished.out
    assert str(finished.folder / "export" / "1") in finished.out
    assert (finished.folder / "export" / "1" / "saved_model.pb").is_file()
    # The mark and the line ends of the file are not part of its names and labels.
    config = json.loads((finished.folder / "config.json").read_text())
    assert config["id2label"] == {"0": "negative", "1": "positive"}

    header, *rows = (samples / "unlabelled.tsv").read_text().splitlines()
    written = (finished.folder / "predictions.tsv").read_text().splitlines()
    assert written[0] == header + "\tlabel\tscore\tp(negative)\tp(positive)"
    assert [line.rsplit("\t", 4)[0] for line in written[1:]] == rows
    assert {line.split("\t")[2] for line in written[1:]} <= {"negative", "positive"}


def test_predicting_later_needs_no_other_flags(finished, tmp_path):
    long = "soup " * 1_050_000  # over 5 MB
    path = tmp_path / "new.csv"
    path.write_text(f'text\n"Warm, rich soup"\n{long}\nnothing\n', encoding="utf-8")
    before = contents(finished.folder)
    done = call("--do_predict", f"--output_dir={finished.folder}", f"--predict_file={path}")
    assert done.code == 0, done.err
    assert "1 of 3 texts are longer than 32 tokens and were cut" in done.err
    lines = (finished.folder / "predictions.csv").read_text().splitlines()
    assert lines[0] == "text,label,score,p(negative),p(positive)"
    assert lines[1].startswith('"Warm, rich soup",')
    assert lines[2].startswith(long) and lines[3].startswith("nothing,")
    assert contents(finished.folder).items() >= before.items()


@pytest.mark.long
def test_relations_between_entities(marking_checkpoint, samples, tmp_path):
    rows = (samples / "relations.jsonl").read_text(encoding="utf-8").splitlines()[::8]
    (tmp_path / "rows.jsonl").write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    asked = [f"--output_dir={tmp_path / 'run'}", f"--predict_file={tmp_path / 'rows.jsonl'}"]
    done = call(
        *("--do_train", "--entity_columns=head,tail", "--max_seq_length=24", "--dev_fraction=0"),
        *("--num_train_epochs=1", f"--init_checkpoint={marking_checkpoint}", *asked),
        f"--train_file={tmp_path / 'rows.jsonl'}",
    )
    assert done.code == 0, done.err
    done = call("--do_predict", *asked)  # the run remembers the columns
    assert done.code == 0, done.err
    lines = (tmp_path / "run" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    labels = sorted({json.loads(row)["label"] for row in rows})
    for line, row in zip(lines, map(json.loads, rows), strict=True):
        found = json.loads(line)
        assert found.items() >= row.items() and found["predicted_label"] in labels
        assert sum(found[f"p({label})"] for label in labels) == pytest.approx(1, abs=1e-4)


def test_evaluating_on_another_file(finished, samples):
    done = call("--do_eval", f"--output_dir={finished.folder}", f"--dev_file={samples}/reviews.csv")
    assert done.code == 0, done.err
    table = done.out.split("per class")[1].splitlines()[2:4]
    assert sum(int(line.split()[-1]) for line in table) == 20
    flags = json.loads((finished.folder / "flags.json").read_text())
    assert flags["dev_file"] == ""


def test_training_again_says_that_it_has_ended(finished):
    before = contents(finished.folder)
    done = call("--do_train", f"--output_dir={finished.folder}")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"{finished.folder}: training has ended already.\n"
    assert contents(finished.folder) == before


def test_a_run_of_another_script(finished, samples):
    before = contents(finished.folder)
    done = calling.call(
        calling.load("run_tagger"),
        *("--do_predict", f"--output_dir={finished.folder}"),
        f"--predict_file={samples}/entities.jsonl",
    )
    assert (done.code, done.err) == (
        1,
        f"--output_dir: {finished.folder} is a run of run_classifier, expected one of "
        "run_tagger, or a new folder.\n",
    )
    assert contents(finished.folder) == before


def test_help_fits_a_screen():
    shown = run("--help")
    assert shown.returncode == 0 and shown.stderr == ""
    lines = shown.stdout.splitlines()
    assert len(lines) <= 50 and max(map(len, lines)) <= 100
    assert lines[0].startswith("Fine-tunes BERT")
    for flag in ("--do_train", "--output_dir", "--train_file", "--init_checkpoint", "--debug"):
        assert any(line.startswith(f"  {flag}") for line in lines)


# Bad input.

ROWS = ["text\tlabel", "soup\tgood", "bread\tbad", "lamp\tgood", "chair\tbad"]


def tsv(*lines):
    return "\n".join(lines) + "\n"


def edit_weights(path, change):
    """Writes a safetensors file again, its header changed."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = change(json.loads(data[8 : 8 + size]))
    encoded = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data[8 + size :])


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_lines(path, change):
    path.write_text("".join(f"{line}\n" for line in change(path.read_text().splitlines())))


@pytest.fixture
def call_badly(tiny_checkpoint, tmp_path, monkeypatch):
    """Asks for a training with something wrong; returns the sentence that was shown."""
    monkeypatch.chdir(tmp_path)
    checkpoint = shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint")

    def call_badly(*arguments, spoil=None, **files):
        if spoil:
            spoil(checkpoint)
        for name, content in ({"train": tsv(*ROWS), "dev": tsv(*ROWS)} | files).items():
            if isinstance(content, str):
                content = content.encode()
            if content is not None:
                (tmp_path / f"{name}.tsv").write_bytes(content)
        before = contents(tmp_path)
        shown = call(
            *("--do_train", "--output_dir=run", "--init_checkpoint=checkpoint"),
            *("--train_file=train.tsv", "--dev_file=dev.tsv", "--max_seq_length=16"),
            *arguments,
        )
        assert shown.code != 0
        assert shown.out == ""
        assert "Traceback" not in shown.err
        (sentence,) = shown.err.splitlines()
        assert contents(tmp_path) == before and not (tmp_path / "run").exists()
        return sentence

    return call_badly


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "train.tsv: there is no such file; . holds checkpoint, dev.tsv."),
        ("", "train.tsv: expected rows, found an empty file."),
        ("text\tlabel\n", "train.tsv: expected rows, found a header alone."),
        (
            tsv("text\tkind", "soup\tgood"),
            "train.tsv:1: the column 'label' is not in the first line, 'text', 'kind': name yours "
            "with --text_column, --pair_column and --label_column, or, if that line is a row "
            "and not a header, give the columns by number, from 0.",
        ),
        (
            tsv(*ROWS[1:]),
            "train.tsv:1: the column 'text' is not in the first line, 'soup', 'good': name yours "
            "with --text_column, --pair_column and --label_column, or, if that line is a row "
            "and not a header, give the columns by number, from 0.",
        ),
        (tsv(*ROWS).replace("lamp", "la\0mp"), "train.tsv:4: expected text, found a NUL byte."),
        (
            tsv(*ROWS).replace("lamp", "lámp").encode("latin-1"),
            "train.tsv:4: expected UTF-8, found the byte 0xe1.",
        ),
        (tsv(*ROWS, "\tgood"), "train.tsv:6: expected text in 'text', found nothing."),
        (tsv(*ROWS, "  \tgood"), "train.tsv:6: expected text in 'text', found nothing."),
        (tsv(*ROWS, "table\t"), "train.tsv:6: expected a label, found nothing."),
        (
            tsv(*ROWS, "a\ttable\tgood"),
            "train.tsv:6: expected 2 columns, as in the first line, found 3.",
        ),
        (
            tsv(*ROWS[:2]),
            "train.tsv:2: expected rows of several labels, found 'good' alone.",
        ),
    ],
)
def test_rows_that_cannot_be_used(call_badly, content, sentence):
    assert call_badly(train=content) == sentence
    if content is not None and "several labels" not in sentence:  # the same holds for dev
        assert call_badly(dev=content) == sentence.replace("train.tsv", "dev.tsv")


def test_a_header_taken_for_a_row(call_badly):
    assert call_badly("--text_column=0", "--label_column=1") == (
        "train.tsv:1: expected a row, found what looks like a header, 'text' and 'label': give the "
        "columns by name, or remove the line."
    )


def test_entities_that_stand_nowhere(call_badly, tmp_path):
    row = {"text": "soup", "head": {"start": 0, "end": 4}, "tail": {"start": 5, "end": 9}}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row | {"label": "x"}) + "\n")
    asked = "--entity_columns=head,tail", "--train_file=rows.jsonl"
    assert call_badly(*asked) == (
        "checkpoint: expected @ and #, which mark entities, among the tokens, found no @."
    )

    def with_marks(folder):
        edit_lines(folder / "vocab.txt", lambda lines: [*lines[:-2], "@", "#"])

    assert call_badly(*asked, spoil=with_marks) == (
        "rows.jsonl:1: expected 'tail' to start and end at code points from 0 to 4 of the text, "
        """found '{"start": 5, "end": 9}'."""
    )


@pytest.mark.parametrize("flag", ["learning_rate", "num_train_epochs", "evaluations_per_epoch"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_flags_that_are_not_finite(call_badly, flag, value):
    found = call_badly(f"--{flag}={value}")
    assert found == f"--{flag}: expected a finite number, found {value}."


def test_a_label_that_train_never_had(call_badly):
    assert call_badly(dev=tsv(*ROWS, "table\tugly")) == (
        "dev.tsv:6: the label 'ugly' is none of the 2 labels of the training rows: bad, good."
    )


@pytest.mark.parametrize("score", ["high", "nan", "inf", "1,5"])
def test_scores_that_are_no_numbers(call_badly, score):
    found = call_badly("--label_kind=number", train=tsv("text\tlabel", "a\t1", f"b\t{score}"))
    assert found == f"train.tsv:3: expected a finite number, found '{score}'."


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda lines: [line for line in lines if line != "[UNK]"],
            "checkpoint/vocab.txt: expected the tokens [PAD], [UNK], [CLS], [SEP], [MASK] in the "
            "vocabulary, found no [UNK].",
        ),
        (
            lambda lines: [*lines, "a"],
            "checkpoint/vocab.txt:{more}: the token 'a' is already on line 6.",
        ),
        (
            lambda lines: [*lines, "onemore"],
            "checkpoint: the vocabulary has {more} tokens and the word embedding {size}.",
        ),
        (
            lambda lines: lines[:-1],
            "checkpoint: the vocabulary has {fewer} tokens and the word embedding {size}.",
        ),
    ],
)
def test_vocabularies_that_cannot_be_used(call_badly, tiny_checkpoint, change, sentence):
    size = len((tiny_checkpoint / "vocab.txt").read_text().splitlines())
    found = call_badly(spoil=lambda folder: edit_lines(folder / "vocab.txt", change))
    assert found == sentence.format(size=size, more=size + 1, fewer=size - 1)


def test_no_vocabulary(call_badly):
    found = call_badly(spoil=lambda folder: (folder / "vocab.txt").unlink())
    assert found == "checkpoint/vocab.txt: expected a vocabulary file, found none."


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def cut_header(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])


def lie_about_size(folder):
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 60) + path.read_bytes()[8:])


def lie_about_shape(folder):
    def change(header):
        header["embeddings.word_embeddings.weight"]["shape"] = [1 << 40, 1 << 20]
        return header

    edit_weights(folder / "model.safetensors", change)


@pytest.mark.parametrize("spoil", [cut, cut_header, lie_about_size, lie_about_shape])
def test_weights_that_lie(call_badly, spoil):
    found = call_badly(spoil=spoil)
    assert found.startswith("checkpoint/model.safetensors: expected a safetensors file: ")


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"hidden_size": 32}, "tensor embeddings.word_embeddings.weight has the shape ["),
        ({"intermediate_size": 64}, "has the shape [32, 16], but the config requires [64, 16]."),
        ({"num_hidden_layers": 3}, "expected a tensor encoder.layer.2."),
        ({"vocab_size": 10**12}, "tokens and the word embedding 1000000000000."),
        ({"num_attention_heads": 3}, "num_attention_heads is 3, which does not divide"),
        ({"hidden_act": "swoosh"}, "config.json: hidden_act is 'swoosh', expected one of gelu"),
        ({"max_position_embeddings": 8}, "--max_seq_length: expected at most 8"),
    ],
)
def test_configs_that_say_something_else(call_badly, changes, pattern):
    found = call_badly(spoil=lambda folder: edit_json(folder / "config.json", **changes))
    assert "checkpoint" in found and pattern in found


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--early_stopping=rouge"],
            "--early_stopping: expected one of accuracy, f1, f1_macro, matthews, found 'rouge'.",
        ),
        (
            ["--max_seq_length=65"],
            "--max_seq_length: expected at most 64, the number of positions of checkpoint, "
            "found 65.",
        ),
        (
            ["--do_predict"],
            "--predict_file: expected a file, or --task_name and --data_dir, found none.",
        ),
        (
            ["--do_predict", "--predict_file=new.tsv"],
            "new.tsv: there is no such file; . holds checkpoint, dev.tsv, train.tsv.",
        ),
        (
            ["--do_predict", "--predict_file=dev.tsv", "--text_column=words"],
            "train.tsv:1: the column 'words' is not in the first line, 'text', 'label': name yours "
            "with --text_column, --pair_column and --label_column, or, if that line is a row "
            "and not a header, give the columns by number, from 0.",
        ),
        (
            ["--do_eval", "--dev_file=", "--dev_fraction=0"],
            "--do_eval: expected rows to evaluate on, found none; see --dev_file.",
        ),
        (["--dev_fraction=1"], "--dev_fraction: expected 0 or more and less than 1, found 1."),
        (
            ["--train_rows_per_class=3"],
            "train.tsv:3: expected 3 rows of the class 'bad' at least, found 2.",
        ),
        (
            ["--class_weights=balanced", "--label_kind=multi"],
            "--class_weights: expected one label a text, found the kind 'multi'.",
        ),
        (
            ["--train_file="],
            "--train_file: expected a file, or --task_name and --data_dir, found none.",
        ),
        (["--task_name=RTE"], "--data_dir: expected the folder of GLUE's tasks, found none."),
        (["--output_dir="], "Expected --output_dir, the run's folder."),
        (["--init_checkpoint="], "--init_checkpoint: expected a folder of weights to start from."),
        (
            ["--init_checkpoint=nowhere"],
            "--init_checkpoint: nowhere: expected a folder, found nothing.",
        ),
        (
            ["--init_checkpoint=pkg://no_such_package/model"],
            "--init_checkpoint: pkg://no_such_package/model: no Python package 'no_such_package' "
            "is installed.",
        ),
        (
            ["--output_dir=checkpoint"],
            "--output_dir: checkpoint holds files but no flags.json, so it is no run of this "
            "program: name a new folder.",
        ),
        (["--output_dir=train.tsv"], "--output_dir: train.tsv is a file, expected a folder."),
        (
            ["--nodo_train"],
            "Expected --do_train, --do_eval, --do_predict or --do_export; see --help.",
        ),
        (
            ["--do_export", "--export_precision=int8"],
            "The format saved_model has the precisions float32 and bfloat16, found 'int8'.",
        ),
        (
            ["--do_export", "--export_format=litert", "--export_precision=bfloat16"],
            "The format litert has the precisions float32 and int8, found 'bfloat16'.",
        ),
        (
            ["--nodo_train", "--do_eval"],
            "--output_dir: run holds no run; begin one by training.",
        ),
        (["train"], "Expected flags alone, found 'train'; see --help."),
        (["--do_tran"], "Unknown command line flag 'do_tran'. Did you mean: do_train ?"),
        (
            ["--train_batch_size=0"],
            "flag --train_batch_size=0: 0 is not a positive integer",
        ),
    ],
)
def test_flags_that_cannot_be(call_badly, arguments, sentence):
    assert call_badly(*arguments) == sentence


def test_an_output_folder_below_a_file(call_badly, tmp_path):
    assert call_badly("--output_dir=train.tsv/run") == (
        f"--output_dir: {tmp_path}/train.tsv is a file, expected a folder."
    )


def test_rows_to_predict_are_read_before_training(call_badly):
    found = call_badly("--do_predict", "--predict_file=new.tsv", new=tsv("words", "soup"))
    assert found.startswith("new.tsv:1: the column 'text' is not in the first line, 'words': ")


def test_a_run_that_was_begun_with_other_flags(finished, samples):
    before = contents(finished.folder)
    shown = call("--do_train", f"--output_dir={finished.folder}", "--seed=5", "--learning_rate=0.5")
    assert shown.code == 1
    assert shown.err == (
        f"{finished.folder} was begun with other settings (--learning_rate was 0.0001 and is 0.5; "
        "--seed was 0 and is 5): take those, or name a new --output_dir.\n"
    )
    assert contents(finished.folder) == before


def test_in_a_process_of_its_own(tmp_path):
    arguments = ["--do_train", f"--output_dir={tmp_path / 'run'}", "--init_checkpoint=nowhere"]
    shown = run(*arguments, "--train_file=none.tsv")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == "--init_checkpoint: nowhere: expected a folder, found nothing.\n"
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_where_an_error_comes_from(tmp_path):
    with pytest.raises(InputError, match="nowhere: expected a folder"):
        call(
            "--do_train",
            f"--output_dir={tmp_path / 'run'}",
            "--init_checkpoint=nowhere",
            "--train_file=none.tsv",
            "--debug",
        )
