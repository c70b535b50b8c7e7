import base64
import re

import numpy as np
import tensorflow as tf

from bert_keras.notebook import evaluation_html, run_html, table_html
from bert_keras.training.task import Evaluation, Table

HOSTILE = "<script>alert(1)</script> & <img src=x onerror=alert(1)>"


def test_an_evaluation_shows_scores_tables_and_pictures():
    image = np.zeros((2, 3, 3), np.uint8)
    shown = evaluation_html(
        Evaluation({"f1": 0.25}, {"per class": Table(["class"], [["good"]])}, {"matrix": image})
    )
    assert "<th>f1</th>" in shown and "<td>0.2500</td>" in shown
    assert "<h4>per class</h4>" in shown and "<td>good</td>" in shown
    (png,) = re.findall('base64,([^"]+)', shown)
    decoded = tf.io.decode_png(base64.b64decode(png))
    assert decoded.shape[:2] == (2, 3)


def test_hostile_texts_are_texts():
    evaluation = Evaluation({HOSTILE: 1.0}, {HOSTILE: Table([HOSTILE], [[HOSTILE]])})
    shown = evaluation_html(evaluation)
    assert "<script" not in shown and "<img" not in shown
    assert shown.count("&lt;script&gt;") == 4


def test_long_tables_and_cells_are_cut():
    shown = table_html(Table(["text"], [["x" * 500]] * 25))
    assert shown.count("<tr>") == 21 and "5 more rows" in shown
    assert "x" * 199 + "…" in shown and "x" * 200 not in shown


def test_a_run_shows_its_curves(tmp_path):
    assert "<img" not in run_html(tmp_path, {"task": HOSTILE})
    for name, tag in (("train", "train/loss"), ("eval", "eval/f1")):
        with tf.summary.create_file_writer(str(tmp_path / name)).as_default():
            for step in (1, 2):
                tf.summary.scalar(tag, 1.0 / step, step=step)
    shown = run_html(tmp_path, {"task": HOSTILE})
    assert shown.count('<img src="data:image/png;base64,') == 1
    assert "<script" not in shown
