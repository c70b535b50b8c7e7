"""The other libraries' side of a comparison.

The `peer_*` modules are scripts that the benchmarks start, in the Python that `--peer_python`
names. They need the packages of the extra `peers` and import nothing of bert_keras.
"""
