import sys

import tensorflow as tf

from bert_keras.serving.warmup import write_warmup


@tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
def lengths(text):
    return {"length": tf.strings.length(text)}


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None], tf.int32, name) for name in ("token_ids", "segment_ids")
    ]
)
def sums(token_ids, segment_ids):
    return {"sum": tf.reduce_sum(token_ids + segment_ids, axis=1)}


@tf.function(
    input_signature=[
        tf.TensorSpec([None], tf.string, "text"),
        tf.TensorSpec([None], tf.int32, "start"),
    ]
)
def ends(text, start):
    return {"end": tf.strings.length(text) - start}


def test_every_signature_can_answer_its_requests(tmp_path):
    from tensorflow_serving.apis import prediction_log_pb2

    functions = {"serving_default": lengths, "token_ids": sums, "ends": ends}
    assert write_warmup(functions, tmp_path)
    file = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    asked = []
    for record in tf.data.TFRecordDataset(str(file)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        answer = functions[request.model_spec.signature_name](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        (values,) = answer.values()
        assert values.shape[0] == len(next(iter(inputs.values()))) > 0
        asked.append(request.model_spec.signature_name)
    assert set(asked) == set(functions)


def test_without_the_extra_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    monkeypatch.delitem(sys.modules, "tensorflow_serving.apis", raising=False)
    assert not write_warmup({"serving_default": lengths}, tmp_path)
    assert list(tmp_path.iterdir()) == []
