import numpy as np
import pytest
import safetensors

from bert_keras.checkpoints.safetensors_header import safetensors_header


@pytest.mark.parametrize("dtype", ["bool", "float16", "float32", "int64", "uint8"])
def test_the_library_reads_what_is_written(tmp_path, dtype):
    tensors = {"b": np.arange(6).reshape(2, 3), "a": np.array(1), "none": np.zeros([0, 4])}
    tensors = {name: values.astype(dtype) for name, values in tensors.items()}
    kinds = {name: (values.dtype, values.shape) for name, values in tensors.items()}
    header = safetensors_header(kinds, {"format": "pt"})
    assert len(header) % 8 == 0
    path = tmp_path / "a.safetensors"
    path.write_bytes(header + b"".join(values.tobytes() for values in tensors.values()))
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata() == {"format": "pt"}
        for name, values in tensors.items():
            tensor = file.get_tensor(name)
            assert tensor.dtype == values.dtype and np.array_equal(tensor, values)
