import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing import (
    data_provider,
    plugin_event_accumulator,
    plugin_event_multiplexer,
)
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from tensorboard.plugins.hparams import metadata as hparams_metadata

from bert_keras.tensorboard.writer import RunWriter
from bert_keras.training.task import Evaluation, Table


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def read(run):
    return plugin_event_accumulator.EventAccumulator(str(run)).Reload()


def points(run, tag):
    """The (step, value) of each of a tag's points."""
    events = read(run).Tensors(tag)
    return [(event.step, tf.make_ndarray(event.tensor_proto).tolist()) for event in events]


def plugin(run, tag):
    return read(run).SummaryMetadata(tag).plugin_data.plugin_name


def evaluation(**scores):
    return Evaluation(scores)


def test_training(folder):
    writer = RunWriter(folder)
    writer.training(10, {"loss": 2.0, "learning_rate": np.float32(0.5)})
    writer.training(20, {"loss": tf.constant(1.0), "learning_rate": 0.25})
    # Nothing is closed: what a method wrote can be read when it returns.
    assert points(folder / "train", "train/loss") == [(10, 2.0), (20, 1.0)]
    assert points(folder / "train", "train/learning_rate") == [(10, 0.5), (20, 0.25)]
    assert plugin(folder / "train", "train/loss") == "scalars"
    writer.close()


def test_evaluation(folder):
    image = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
    positive = np.array([True, True, False, False, False])
    probability = np.array([0.9, 0.4, 0.6, 0.1, 0.0], np.float64)
    writer = RunWriter(folder)
    writer.evaluation(
        7,
        Evaluation(
            scores={"accuracy": 0.5},
            tables={"most wrong": Table(["text", "truth"], [["a|b\nc", "sport"]])},
            images={"confusion": image},
            curves={"sport": (positive, probability)},
        ),
    )
    writer.close()
    run = folder / "eval"

    assert points(run, "eval/accuracy") == [(7, 0.5)]

    [(step, [width, height, png])] = points(run, "eval/confusion")
    assert (step, width, height) == (7, b"20", b"30")
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(png))), image)
    assert plugin(run, "eval/confusion") == "images"

    [(step, text)] = points(run, "tables/most wrong")
    assert step == 7
    assert text.decode() == "| text | truth |\n| --- | --- |\n| a&#124;b c | sport |"
    assert plugin(run, "tables/most wrong") == "text"

    [(step, curve)] = points(run, "curves/sport/pr_curves")
    assert step == 7
    curve = np.array(curve)
    assert curve.shape == (6, 201)
    at_0, at_half, at_1 = curve[:, 0], curve[:, 100], curve[:, 200]
    # Rightly and wrongly called positive, rightly and wrongly negative, precision, recall.
    np.testing.assert_allclose(at_0, [2, 3, 0, 0, 2 / 5, 1])
    np.testing.assert_allclose(at_half, [1, 1, 2, 1, 1 / 2, 1 / 2])
    np.testing.assert_allclose(at_1, [0, 0, 3, 2, 0, 0])
    assert plugin(run, "curves/sport/pr_curves") == "pr_curves"
    assert read(run).SummaryMetadata("curves/sport/pr_curves").display_name == "sport"


@pytest.mark.filterwarnings("error")
def test_an_evaluation_of_a_run_that_diverged(folder):
    nothing = np.full(3, np.nan)
    writer = RunWriter(folder)
    curves = {"sport": (np.array([True, False, False]), nothing)}
    writer.evaluation(1, Evaluation({"mse": float("nan")}, curves=curves))
    writer.close()
    [(_, score)] = points(folder / "eval", "eval/mse")
    assert np.isnan(score)


def test_another_evaluation_is_a_run_of_its_own(folder):
    writer = RunWriter(folder)
    writer.evaluation(3, evaluation(f1=0.25), name="test")
    writer.close()
    assert points(folder / "test", "test/f1") == [(3, 0.25)]
    assert not (folder / "eval").exists()


def test_graph_shows_the_layers_and_runs_nothing(folder):
    runs = []
    dense = tf.keras.layers.Dense(4, name="pooler")

    def call(inputs):
        tf.py_function(lambda: runs.append(1), [], [])
        return dense(tf.cast(inputs["token_ids"], tf.float32))

    writer = RunWriter(folder)
    writer.graph(call, {"token_ids": tf.TensorSpec([None, 3], tf.int32)})
    writer.close()
    names = [node.name for node in read(folder / "train").Graph().node]
    assert any(name.startswith("pooler") and name.endswith("MatMul") for name in names)
    assert not runs


def test_graph_of_a_tf_function_is_not_wrapped_again(folder):
    function = tf.function(lambda x: tf.square(x, name="squared"), [tf.TensorSpec([None])])
    writer = RunWriter(folder)
    writer.graph(function)
    writer.close()
    assert "squared" in [node.name for node in read(folder / "train").Graph().node]


def trials(folder):
    """The HParams tab's rows, as its backend makes them: {trial: (hyperparameters, scores)}."""
    runs = plugin_event_multiplexer.EventMultiplexer()
    runs.AddRunsFromDirectory(str(folder)).Reload()
    provider = data_provider.MultiplexerDataProvider(runs, str(folder))
    context = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    request = RequestContext()
    hparams = context.hparams_metadata(request, "")
    experiment = context.experiment_from_metadata(request, "", True, hparams, [])
    columns = [
        api_pb2.ColParams(metric=metric.name, include_in_result=True)
        for metric in experiment.metric_infos
    ] + [
        api_pb2.ColParams(hparam=info.name, include_in_result=True)
        for info in experiment.hparam_infos
    ]
    handler = list_session_groups.Handler(
        request,
        context,
        "",
        api_pb2.ListSessionGroupsRequest(
            col_params=columns,
            allowed_statuses=[api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_RUNNING],
            slice_size=10,
        ),
    )
    rows = {}
    for group in handler.run().session_groups:
        values = {
            name: getattr(value, value.WhichOneof("kind")) for name, value in group.hparams.items()
        }
        scores = {value.name.tag: value.value for value in group.metric_values}
        rows[group.name] = (values, scores)
    return rows


def test_hyperparameters_of_a_run(folder):
    writer = RunWriter(folder)
    writer.hyperparameters(
        {"lr": np.float32(0.5), "batch": 32, "bf16": True, "init": "a/b", "layers": (1, 2)}
    )
    writer.close()
    content = read(folder / "eval").SummaryMetadata("_hparams_/session_start_info")
    info = hparams_metadata.parse_session_start_info_plugin_data(content.plugin_data.content)
    assert info.hparams["lr"].number_value == 0.5
    assert info.hparams["batch"].number_value == 32
    assert info.hparams["bf16"].bool_value is True
    assert info.hparams["init"].string_value == "a/b"
    assert info.hparams["layers"].string_value == "(1, 2)"
    assert info.group_name.startswith("run in ")


@pytest.mark.parametrize("root", ["", "mrpc"], ids=["of the parent", "of one run's folder"])
def test_runs_compare_by_their_latest_scores(tmp_path, root):
    # Two tasks with scores of their own, and runs of the same name.
    for run, lr, scores in [
        ("mrpc/seed1", 0.5, {"f1": 0.75}),
        ("mrpc/seed2", 0.5, {"f1": 0.25}),
        ("cola/seed1", 2.0, {"matthews": 0.5}),
    ]:
        writer = RunWriter(tmp_path / run)
        writer.hyperparameters({"lr": lr})
        writer.training(1, {"loss": 1.0})
        writer.evaluation(1, evaluation(**dict.fromkeys(scores, 0.0)))
        writer.evaluation(2, evaluation(**scores))
        writer.close()
    mrpc, cola = tmp_path / "mrpc", tmp_path / "cola"
    expected = {
        f"seed1 in {mrpc}": ({"lr": 0.5}, {"eval/f1": 0.75}),
        f"seed2 in {mrpc}": ({"lr": 0.5}, {"eval/f1": 0.25}),
        f"seed1 in {cola}": ({"lr": 2.0}, {"eval/matthews": 0.5}),
    }
    if root:
        expected.pop(f"seed1 in {cola}")
    assert trials(tmp_path / root) == expected


def test_a_single_run_has_its_scores(folder):
    writer = RunWriter(folder)
    writer.hyperparameters({"lr": 0.5})
    writer.evaluation(1, evaluation(f1=0.75))
    writer.close()
    assert trials(folder) == {f"run in {folder.parent}": ({"lr": 0.5}, {"eval/f1": 0.75})}


def test_going_on_from_a_checkpoint_drops_what_came_after_it(folder):
    writer = RunWriter(folder)
    writer.hyperparameters({"lr": 0.5})
    for step in (1, 2, 3, 4, 5, 6):
        writer.training(step, {"loss": float(step)})
        if step % 2 == 0:
            writer.evaluation(step, evaluation(f1=float(step)))
    # Cut off here, without a close; the last checkpoint was that of step 2.
    resumed = RunWriter(folder)
    resumed.hyperparameters({"lr": 0.5})
    for step in (3, 4):
        resumed.training(step, {"loss": 10.0 * step})
    resumed.evaluation(4, evaluation(f1=40.0))
    resumed.close()
    losses = points(folder / "train", "train/loss")
    assert losses == [(1, 1.0), (2, 2.0), (3, 30.0), (4, 40.0)]
    assert points(folder / "eval", "eval/f1") == [(2, 2.0), (4, 40.0)]
    writer.close()


def test_what_cannot_be_written(tmp_path):
    (tmp_path / "train").write_text("no folder")
    with pytest.raises(
        OSError, match=rf"^{tmp_path}/train: could not write TensorBoard's events: "
    ):
        RunWriter(tmp_path).training(1, {"loss": 1.0})
