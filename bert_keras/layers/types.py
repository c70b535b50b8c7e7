"""Names for what the layers' signatures mention: Keras ships no types of its own."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # of whichever backend Keras runs on; NumPy's arrays are accepted, too
Shape: TypeAlias = tuple[int | None, ...]
LayerConfig: TypeAlias = dict[str, Any]  # what `get_config` returns and `from_config` takes
