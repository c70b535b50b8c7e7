import dataclasses
import logging
from typing import Literal

import pytest
from absl import flags as absl_flags

from bert_keras.cli.flags import FlagFormatter, Flags
from bert_keras.errors import InputError
from bert_keras.options import option


@dataclasses.dataclass(frozen=True)
class Settings:
    train: str = option("", "The file to train on.", name="train_file")
    epochs: float = option(3.0, "Passes; see `batch_size`.", name="num_train_epochs", minimum=0)
    batch_size: int = option(32, "Examples a step.", name="train_batch_size", minimum=1)
    files: tuple[str, ...] = option((), "Some files.", name="input_file")
    mode: Literal["fast", "slow"] | None = option(None, "How.")
    quiet: bool = option(False, "Whether.")


@pytest.fixture
def flags():
    flags = Flags()
    flags.define_options(Settings, {"train_batch_size": 8})
    return flags


def test_flags_are_made_from_the_settings(flags):
    rest = flags.parse(
        ["script", "--num_train_epochs=2", "--input_file=a,b", "--mode=slow", "--quiet", "more"]
    )
    assert rest == ["script", "more"]
    assert flags.given() == {
        "num_train_epochs": 2.0,
        "input_file": ["a", "b"],
        "mode": "slow",
        "quiet": True,
    }
    assert flags.values() == flags.given() | {"train_file": "", "train_batch_size": 8}


@pytest.mark.parametrize(
    "argument", ["--train_batch_size=0", "--mode=quick", "--num_train_epochs=x", "--nothing=1"]
)
def test_what_a_flag_cannot_be(flags, argument):
    with pytest.raises(absl_flags.Error):
        flags.parse(["script", argument])


def test_two_scripts_have_flags_of_their_own(flags):
    other = Flags()
    other.define("train_file", str, "other", "Another.")
    other.parse(["script"])
    flags.parse(["script", "--train_file=mine"])
    assert (flags["train_file"], other["train_file"]) == ("mine", "other")


def test_messages_name_flags(flags):
    assert flags.in_flags("`batch_size`=8 or `epochs`; not `else`") == (
        "--train_batch_size=8 or --num_train_epochs; not `else`"
    )
    error = InputError("expected less than `epochs`, found 9.", field="batch_size")
    assert flags.sentence(error) == (
        "--train_batch_size: expected less than --num_train_epochs, found 9."
    )
    assert flags.sentence(InputError("a.tsv:3: expected text.")) == "a.tsv:3: expected text."
    assert flags.sentence(InputError("is odd.", field="else")) == "else: is odd."
    record = logging.LogRecord("x", logging.INFO, "", 0, "cut (`%s`)", ("batch_size",), None)
    assert FlagFormatter(flags).format(record) == "cut (--train_batch_size)"


def test_help_has_a_line_for_each_flag(flags):
    lines = flags.help().splitlines()
    assert len(lines) == 6
    assert lines[1].split() == ["--num_train_epochs=3.0", "Passes;", "see", "--train_batch_size."]
    assert "--train_batch_size=8" in lines[2] and "--quiet " in lines[5]
