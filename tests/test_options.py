import dataclasses
import json
import pathlib
from typing import Literal

import numpy as np
import pytest

from bert_keras.errors import InputError
from bert_keras.options import check_options, from_record, option, options_of, record_of


@dataclasses.dataclass(frozen=True)
class Names:
    first: str = option("a", "The first.", name="first_name")
    second: str | None = option(None, "The second.", name="second_name")


@dataclasses.dataclass(frozen=True)
class Plain:
    names: Names | None = None
    size: int = option(3, "How many.", name="num", minimum=1, maximum=9)
    rate: float = option(0.5, "How fast.", minimum=0)
    mode: Literal["fast", "slow"] = option("fast", "How.")
    files: tuple[str, ...] = option((), "Which.")
    quiet: bool = option(False, "Whether.", of_call=True)
    kind: Literal["x", "y"] | None = option(None, "What.", of_model=True)
    not_declared: int = 7

    def __post_init__(self):
        check_options(self)


@dataclasses.dataclass(frozen=True)
class Named(Plain):
    names: Names | None = Names("one", "two")


def test_options_are_listed_in_their_order_groups_included():
    found = options_of(Plain)
    assert [(one.field, one.parent, one.name, one.kind) for one in found] == [
        ("first", "names", "first_name", str),
        ("second", "names", "second_name", str),
        ("size", None, "num", int),
        ("rate", None, "rate", float),
        ("mode", None, "mode", str),
        ("files", None, "files", tuple),
        ("quiet", None, "quiet", bool),
        ("kind", None, "kind", str),
    ]
    assert found[4].choices == ("fast", "slow") and found[7].choices == ("x", "y")
    assert [one.default for one in found[:3]] == ["", "", 3]
    assert [one.default for one in options_of(Named)[:2]] == ["one", "two"]
    assert [one.name for one in found if one.of_call] == ["quiet"]
    assert [one.name for one in found if one.of_model] == ["kind"]


@pytest.mark.parametrize("settings", [Plain, Named])
def test_a_record_gives_the_settings_back(settings):
    for given in (
        {},
        {"names": Names("b"), "size": 4, "files": ("x", "y"), "kind": "y"},
        {"rate": 1, "mode": "slow"},
    ):
        made = settings(**given)
        record = record_of(made)
        assert "quiet" not in record and "not_declared" not in record
        again = from_record(settings, record)
        assert record_of(again) == record
        if "names" not in given:
            assert again == made


def test_what_is_not_given_is_recorded_so():
    record = record_of(from_record(Plain, {"first_name": "", "second_name": "c"}))
    assert (record["first_name"], record["second_name"]) == ("", "c")
    record = record_of(from_record(Named, {"first_name": "x"}))
    assert (record["first_name"], record["second_name"]) == ("x", "two")


def test_what_a_record_lacks_or_has_beside():
    assert from_record(Plain, {}) == Plain()
    assert from_record(Plain, {"num": 5, "else": 1}, rate=0.25) == Plain(size=5, rate=0.25)
    assert from_record(Plain, {"first_name": "", "second_name": "c"}).names == Names("a", "c")
    assert from_record(Plain, {"first_name": "", "second_name": ""}).names is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 0}, "size: expected at least 1, found 0."),
        ({"size": 10}, "size: expected at most 9, found 10."),
        ({"size": 2.5}, "size: expected a whole number, found 2.5."),
        ({"size": True}, "size: expected a whole number, found True."),
        ({"size": "2"}, "size: expected a whole number, found '2'."),
        ({"rate": float("nan")}, "rate: expected a finite number, found nan."),
        ({"rate": "fast"}, "rate: expected a number, found 'fast'."),
        ({"mode": "quick"}, "mode: expected one of 'fast', 'slow', found 'quick'."),
        ({"mode": None}, "mode: expected one of 'fast', 'slow', found None."),
        ({"size": None}, "size: expected a whole number, found None."),
        ({"quiet": "false"}, "quiet: expected True or False, found 'false'."),
        ({"files": "a.txt"}, "files: expected a list of names, found 'a.txt'."),
        ({"files": ["a.txt", 3]}, "files: expected a list of names, found ('a.txt', 3)."),
        ({"names": "a"}, "names: expected Names, found 'a'."),
        ({"names": Names(3)}, "first: expected a text, found 3."),
    ],
)
def test_what_a_setting_cannot_be(given, message):
    with pytest.raises(InputError) as error:
        Plain(**given)
    assert str(error.value) == message


def test_a_value_is_kept_in_its_own_type():
    given = Plain(
        names=Names(pathlib.Path("a")),
        size=np.int64(4),
        rate=np.float32(0.5),
        files=[pathlib.Path("x"), "y"],
    )
    plain = Plain(names=Names("a"), size=4, rate=0.5, files=("x", "y"))
    assert given == plain and hash(given) == hash(plain)
    assert json.dumps(record_of(given)) == json.dumps(record_of(plain))
