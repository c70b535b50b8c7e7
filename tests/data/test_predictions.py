import json

import numpy as np
import pytest

from bert_keras.data.predictions import write_predictions
from bert_keras.data.rows import Columns, read_rows

ADDED = {"label": ["x", "y"], "score": [np.float32(0.75), 1e-9]}


def predict(tmp_path, name, content, columns=None, added=ADDED, **how):
    source, target = tmp_path / name, tmp_path / f"predictions-{name}"
    source.write_text(content, encoding="utf-8", newline="")
    rows = read_rows(source, columns=columns, labelled=False, **how)
    write_predictions(target, rows, added)
    return target


def test_tsv_with_header(tmp_path):
    path = predict(tmp_path, "r.tsv", '\ufeffid\ttext\r\n1\t"a\r\n2\tb é\r\n')
    assert path.read_bytes().decode() == (
        'id\ttext\tlabel\tscore\n1\t"a\tx\t0.75\n2\tb é\ty\t1e-09\n'
    )


def test_tsv_without_header_gets_none(tmp_path):
    path = predict(tmp_path, "r.tsv", "a\t1\nb\t2\n", columns=Columns("0"))
    assert path.read_text() == "a\t1\tx\t0.75\nb\t2\ty\t1e-09\n"


def test_tsv_stays_whole_whatever_is_added(tmp_path):
    added = {"a\tb": ["x\ty", "line\nend"]}
    path = predict(tmp_path, "r.tsv", "text\none\ntwo\n", added=added)
    assert path.read_text() == "text\ta b\none\tx y\ntwo\tline end\n"


def test_csv_keeps_its_fields(tmp_path):
    text, other = 'one,\ntwo "three"', "lone\rreturn"
    quoted = '"' + text.replace('"', '""') + '"'
    path = predict(tmp_path, "r.csv", f'id,text\n1,{quoted}\n2,"{other}"\n')
    rows = read_rows(path)
    assert rows.header == ["id", "text", "label", "score"]
    assert rows.texts == [text, other]
    assert rows.labels == ["x", "y"]


def test_json_lines_keep_their_keys(tmp_path):
    source = [{"text": "a\tb\n", "id": 1}, {"text": "é", "nested": [{"deep": None}]}]
    path = predict(
        tmp_path,
        "r.jsonl",
        "".join(json.dumps(record) + "\n" for record in source),
        added=ADDED | {"labels": [["x", "y"], []], "n": [np.int64(3), 4]},
    )
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        source[0] | {"label": "x", "score": 0.75, "labels": ["x", "y"], "n": 3},
        source[1] | {"label": "y", "score": 1e-9, "labels": [], "n": 4},
    ]


def test_names_that_are_taken(tmp_path):
    path = predict(tmp_path, "r.tsv", "text\tlabel\na\tp\nb\tq\n")
    assert path.read_text().splitlines()[:2] == [
        "text\tlabel\tpredicted_label\tscore",
        "a\tp\tx\t0.75",
    ]
    path = predict(tmp_path, "r.jsonl", '{"text": "a"}\n{"text": "b", "score": 1}\n')
    assert json.loads(path.read_text().splitlines()[0])["predicted_score"] == 0.75


def test_several_labels_in_a_table(tmp_path):
    added = {"labels": [["x", "y"], []]}
    path = predict(tmp_path, "r.tsv", "text\na\nb\n", added=added)
    assert path.read_text() == "text\tlabels\na\tx,y\nb\t\n"


def test_a_folder_gives_its_files_names(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in ("1.txt", "2.txt"):
        (folder / name).write_text("one\ttext\nover lines")
    write_predictions(tmp_path / "p.tsv", read_rows(folder, labelled=False), ADDED)
    assert (tmp_path / "p.tsv").read_text() == (
        f"file\tlabel\tscore\n{folder}/1.txt\tx\t0.75\n{folder}/2.txt\ty\t1e-09\n"
    )


def test_none_missing_or_nothing_written(tmp_path):
    with pytest.raises(ValueError):
        predict(tmp_path, "r.tsv", "text\na\nb\nc\n")
    assert [path.name for path in tmp_path.iterdir()] == ["r.tsv"]
