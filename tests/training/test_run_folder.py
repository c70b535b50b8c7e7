import pytest
import tensorflow as tf

from bert_keras.errors import InputError
from bert_keras.training.run_folder import RunFolder


def test_a_run_from_its_beginning_to_its_end(tmp_path):
    folder = RunFolder(tmp_path / "deep" / "run")
    assert not folder.exists and not folder.finished and folder.flags == {}
    assert not (tmp_path / "deep").exists()
    folder.begin({"seed": 3, "train_file": "größe.tsv"})
    assert folder.exists and not folder.finished
    folder.keep_scores(10, {"f1": 0.5})
    assert not folder.finished
    folder.finish()

    again = RunFolder(tmp_path / "deep" / "run")
    assert again.finished and again.flags == {"seed": 3, "train_file": "größe.tsv"}
    again.begin({"seed": 4})
    assert again.flags["seed"] == 3


def test_refuses_what_is_no_run(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds files but no flags\.json"):
        RunFolder(tmp_path)
    with pytest.raises(InputError, match="is a file, expected a folder"):
        RunFolder(tmp_path / "thesis.txt")


def test_takes_an_empty_folder(tmp_path):
    RunFolder(tmp_path).begin({})
    assert RunFolder(tmp_path).exists


def test_damaged_notes(tmp_path):
    (tmp_path / "flags.json").write_text('{"seed": ')
    with pytest.raises(InputError, match=r"flags\.json: expected JSON"):
        _ = RunFolder(tmp_path).flags


def test_checkpoints(tmp_path):
    folder = RunFolder(tmp_path)
    weight, step = tf.Variable([1.0, 2.0]), tf.Variable(0)
    save = folder.checkpoints(weights=[weight], step=[step])
    assert weight.numpy().tolist() == [1, 2]
    for value in range(1, 5):
        weight.assign([value, value])
        step.assign(value)
        save()
    assert len(list((tmp_path / "checkpoints").glob("*.index"))) == 2

    weight, step = tf.Variable([0.0, 0.0]), tf.Variable(0)
    folder.checkpoints(weights=[weight], step=[step])
    assert weight.numpy().tolist() == [4, 4] and int(step) == 4


@pytest.mark.parametrize("shape", [[3], [2, 1]])
def test_a_checkpoint_of_another_training(tmp_path, shape):
    folder = RunFolder(tmp_path)
    folder.checkpoints(weights=[tf.Variable([1.0, 2.0])])()
    with pytest.raises(InputError, match="expected a checkpoint of this training"):
        folder.checkpoints(weights=[tf.Variable(tf.zeros(shape))])
    with pytest.raises(InputError, match="expected a checkpoint of this training"):
        folder.checkpoints(weights=[tf.Variable([1.0, 2.0]), tf.Variable(1.0)])
