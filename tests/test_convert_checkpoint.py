"""The script as a person calls it, in a process of its own: it shares flags' names with others."""

import pathlib
import subprocess
import sys

import pytest

from bert_keras.checkpoints.load import open_checkpoint
from bert_keras.text.tokenizer import BertTokenizer

SCRIPT = pathlib.Path(__file__).parents[1] / "convert_checkpoint.py"


def run(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True
    )


@pytest.mark.long
def test_it_grows_and_writes_googles_layout(tiny_checkpoint, tmp_path):
    (tmp_path / "words.txt").write_text("Glioma\n##oma\nzebrafish\n")
    done = run(
        f"--init_checkpoint={tiny_checkpoint}",
        f"--output_dir={tmp_path / 'new'}",
        "--layout=google",
        f"--add_tokens={tmp_path / 'words.txt'}",
        "--most_tokens=2",
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "2 tokens added: glioma, ##oma."
    assert lines[1].startswith(f"{tmp_path / 'new/bert_model.ckpt'}: ")
    assert lines[2] == "Heads: none."
    assert len(lines) == 3 + 5 and all(" bytes  " in line for line in lines[3:])
    assert done.stderr.startswith("The model has the exact GELU") and done.stderr.count("\n") == 1
    tokenizer = BertTokenizer.from_pretrained(tmp_path / "new")
    assert tokenizer.vocabulary[-2:] == ["glioma", "##oma"]
    with open_checkpoint(tmp_path / "new") as checkpoint:
        assert checkpoint.config.vocab_size == len(tokenizer.vocabulary)

    again = run(f"--init_checkpoint={tiny_checkpoint}", f"--output_dir={tmp_path / 'new'}")
    assert again.returncode == 1 and not again.stdout
    assert again.stderr.splitlines() == [
        f"{tmp_path / 'new'}: expected a new folder, found a folder with content."
    ]


def test_what_is_missing_is_said_at_once(tmp_path):
    done = run(f"--output_dir={tmp_path / 'new'}")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["Expected --init_checkpoint; see --help."]
