"""The measurements behind every published figure; see README.md.

Run a module from the root of the repository: `.venv/bin/python -m benchmarks.speed.training_step`.
"""
