from bert_keras.cli.console import format_table
from bert_keras.training.task import Table, format_scores


def test_scores_in_a_line():
    assert format_scores({"f1": 0.5, "loss": 2}) == "f1 0.5000  loss 2.0000"


def test_a_table_is_cut_to_what_fits():
    table = Table(["text", "n"], [["word " * 30, str(number)] for number in range(25)])
    header, *rows = format_table(table).splitlines()
    assert header.split() == ["text", "n"] and len(rows) == 21
    assert rows[0].endswith("…  0") and max(map(len, rows)) <= 65
    assert rows[0].index("0") == header.index("n") and rows[-1] == "(5 more)"
