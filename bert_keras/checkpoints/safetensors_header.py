"""Writing safetensors piece by piece, so that no more than one tensor is in memory twice."""

import json
import struct

# By NumPy's names of dtypes; those that TensorFlow has beyond NumPy's among them.
DTYPES = {
    **{"bool": "BOOL", "bfloat16": "BF16", "float16": "F16", "float32": "F32", "float64": "F64"},
    **{"int8": "I8", "int32": "I32", "int64": "I64", "uint8": "U8", "uint32": "U32"},
    "uint64": "U64",
}


def beginning(tensors, metadata):
    """Returns what stands in a file before the tensors' bytes.

    Args:
        tensors: dict of (NumPy dtype, shape) by name, in the order in which their bytes follow.
        metadata: dict of strings; it stands first, in its own order.

    Returns:
        bytes, as many as a multiple of 8.
    """
    header, end = {"__metadata__": metadata}, 0
    for name, (dtype, shape) in tensors.items():
        size = dtype.itemsize
        for length in shape:
            size *= length
        begin, end = end, end + size
        shape = list(shape)
        header[name] = {"dtype": DTYPES[dtype.name], "shape": shape, "data_offsets": [begin, end]}
    header = json.dumps(header, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header
