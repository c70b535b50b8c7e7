import sys
import unicodedata

import numpy as np
import pytest

from bert_keras.text import characters


def look_up(table, char):
    code = ord(char) if isinstance(char, str) else char
    page = table.pages[code // characters.PAGE]
    entry = table.entries[page + (code % characters.PAGE)]
    outputs = [int(output) for output in table.outputs[entry >> characters.KIND_BITS]]
    return entry & 3, [(o >> characters.FLAG_BITS, o & 7) for o in outputs if o >= 0]


BOTH = characters.BREAK_BEFORE | characters.BREAK_AFTER


@pytest.fixture(scope="module")
def symbols():
    return {ord(char): index for index, char in enumerate("aeÉiς中,ᄒ\U0010fffd", 1)}


def test_lower_case_table(symbols):
    table = characters.character_table(True, symbols)
    expected = {
        "a": [(1, 0)],
        "A": [(1, 0)],
        "É": [(2, 0)],  # e without its accent
        "İ": [(4, 0)],  # i and a dot above, which is dropped
        "z": [(0, 0)],
        "\u0301": [],
        "\0": [],
        "\x07": [],
        "\u200d": [],
        "\ufffd": [],
        " ": [(0, BOTH | characters.SPACE)],
        "\u2028": [(0, BOTH | characters.SPACE)],
        "中": [(6, BOTH)],
        "文": [(0, BOTH)],
        ",": [(7, BOTH)],
        "\u037e": [(0, BOTH)],  # the Greek question mark becomes a semicolon
        "한": [(8, 0), (0, 0), (0, 0)],
        "\U0010fffd": [(9, 0)],
        "\U00050000": [(0, 0)],
    }
    assert {char: look_up(table, char)[1] for char in expected} == expected


def test_cased_table(symbols):
    table = characters.character_table(False, symbols)
    expected = {"É": [(3, 0)], "A": [(0, 0)], "\u0301": [(0, 0)], "\x07": [], "中": [(6, BOTH)]}
    assert {char: look_up(table, char)[1] for char in expected} == expected


def test_kinds_for_the_final_sigma(symbols):
    table = characters.character_table(True, symbols)
    kinds = {char: look_up(table, char)[0] for char in "aΣ1 中'\u0301\u200d\x07ʰ"}
    cased, uncased, skipped = characters.CASED, characters.UNCASED, characters.SKIPPED
    assert kinds == {
        **dict.fromkeys("aΣ", cased),
        **dict.fromkeys("1 中", uncased),
        **dict.fromkeys("'\u0301\u200d\x07ʰ", skipped),
    }


def test_the_planes_left_out_hold_nothing_to_describe():
    described = np.zeros(sys.maxunicode + 1, bool)
    described[list(characters._ASSIGNED)] = True
    others = {unicodedata.category(chr(code)) for code in np.flatnonzero(~described)}
    assert others == {"Cn", "Co"}
