"""Asks an exported classifier about headlines, as a server would: with TensorFlow and nothing else.

python demo/ask.py runs/demo/export "Your own headline"
"""

import pathlib
import sys

import tensorflow as tf

HEADLINES = [
    "Central bank holds interest rates as inflation slows for a third month",
    "Striker scores twice as the visitors come from behind to win the cup final",
    "Minister resigns over leaked letter ahead of the budget vote",
    "New phone chip promises a week of battery life, its designers say",
    "Director's first film takes the top prize at the festival",
]


def main(export, *headlines):
    newest = max(pathlib.Path(export).glob("[0-9]*"), key=lambda version: int(version.name))
    served = tf.saved_model.load(str(newest)).signatures["serving_default"]
    headlines = headlines or HEADLINES
    answers = served(text=tf.constant(headlines))
    for headline, label, score in zip(
        headlines, answers["label"].numpy(), answers["score"].numpy(), strict=True
    ):
        print(f"{score:6.1%}  {label.decode():14} {headline}")
    assert "bert_keras" not in sys.modules


if __name__ == "__main__":
    main(*sys.argv[1:])
