"""The header of a safetensors file, for writers that hold one tensor at a time in memory."""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# By the name of NumPy's dtype, or of ml_dtypes', which adds some.
DTYPES = {
    **{"bool": "BOOL", "bfloat16": "BF16", "float16": "F16", "float32": "F32", "float64": "F64"},
    **{"int8": "I8", "int32": "I32", "int64": "I64", "uint8": "U8", "uint32": "U32"},
    "uint64": "U64",
}


def safetensors_header(
    tensors: Mapping[str, tuple[np.dtype, Sequence[int]]], metadata: Mapping[str, str]
) -> bytes:
    """Returns the header of a safetensors file, which the tensors' bytes follow.

    Source: https://huggingface.co/docs/safetensors, "Format".

    Args:
        tensors: dtype and shape by name, in the order in which the tensors' bytes follow.
        metadata: text by name. It comes first in the header, in the order given.

    Returns:
        The header, its length included; a multiple of 8 bytes.
    """
    entries: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name, (dtype, shape) in tensors.items():
        size = dtype.itemsize
        for length in shape:
            size *= length
        start, end = end, end + size
        entries[name] = {
            "dtype": DTYPES[dtype.name],
            "shape": list(shape),
            "data_offsets": [start, end],
        }
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header
