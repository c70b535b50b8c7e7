"""Vectors as TensorBoard itself reads them."""

import json

import numpy as np
import pytest
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client

from bert_keras.tensorboard import projector


@pytest.fixture
def ask(tmp_path):
    """Asks the Projector's plugin for what a browser asks it for."""

    def ask(route, **arguments):
        multiplexer = plugin_event_multiplexer.EventMultiplexer()
        multiplexer.AddRunsFromDirectory(str(tmp_path))
        multiplexer.Reload()
        provider = data_provider.MultiplexerDataProvider(multiplexer, str(tmp_path))
        context = base_plugin.TBContext(logdir=str(tmp_path), data_provider=provider)
        app = ProjectorPlugin(context).get_plugin_apps()[route]
        return Client(app).get(query_string=arguments).data

    return ask


def test_vectors_and_labels_are_found(ask, tmp_path):
    vectors = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    labels = ["one", "x" * 300, "naïve ✓"]
    projector.write_projector(tmp_path / "run" / "predict", vectors, labels)
    run = "run/predict"
    assert json.loads(ask("/runs")) == [run]
    (embedding,) = json.loads(ask("/info", run=run))["embeddings"]
    assert embedding["tensorShape"] == [3, 4]
    name = embedding["tensorName"]
    served = np.frombuffer(ask("/tensor", run=run, name=name), np.float32).reshape(3, 4)
    np.testing.assert_allclose(served, vectors, rtol=1e-5)
    lines = ask("/metadata", run=run, name=name).decode().splitlines()
    assert lines == ["one", "x" * 200 + "…", "naïve ✓"]


def test_more_than_a_browser_draws(ask, tmp_path, monkeypatch):
    monkeypatch.setattr(projector, "MOST_POINTS", 2)
    projector.write_projector(tmp_path / "run", np.eye(3, dtype=np.float32), ["a", "b", "c"])
    assert (tmp_path / "run" / "metadata.tsv").read_text() == "a\nb\n"
    assert (tmp_path / "run" / "vectors.tsv").read_text() == "1\t0\t0\n0\t1\t0\n"
    (embedding,) = json.loads(ask("/info", run="run"))["embeddings"]
    assert embedding["tensorShape"] == [2, 3]
