"""Installs bert_keras: `pip install .`, with extras in brackets, as in `pip install .[test]`."""

import pathlib
import re

import setuptools

HERE = pathlib.Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "bert_keras/__init__.py").read_text())[1]

setuptools.setup(
    name="bert_keras",
    version=VERSION,
    description="BERT in Keras 3, from text to a served model",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=setuptools.find_packages(include=["bert_keras", "bert_keras.*"]),
    package_data={"bert_keras": ["py.typed"]},
    py_modules=[
        "convert_checkpoint",
        "run_classifier",
        "run_embeddings",
        "run_pretraining",
        "run_qa",
        "run_tagger",
        "run_vocabulary",
        "run_workers",
    ],
    install_requires=[
        "absl-py>=2.0",
        "keras>=3.15,<4",
        "matplotlib>=3.8",  # the confusion matrix in TensorBoard
        "numpy>=1.26",
        "safetensors>=0.5",
        "scikit-learn>=1.4",  # scores
        "scipy>=1.11",  # correlations
        "tensorboard>=2.21,<2.22",
        "tensorflow>=2.21,<2.22",
    ],
    extras_require={
        "pretraining": [
            "sentencex>=1.0.32",  # sentences of plain text
            "tensorflow-datasets>=4.9.10",
            "importlib_resources>=6.0",  # which it needs and does not declare
            "tokenizers>=0.20",  # learns vocabularies
        ],
        "beam": ["apache-beam>=2.77"],  # beside pretraining's, to prepare beyond one machine
        "datasets": ["tensorflow-datasets>=4.9.10", "importlib_resources>=6.0"],
        "docs": ["mkdocs-material>=9.5", "mkdocstrings[python]>=0.27"],
        "keras_hub": ["keras-nlp>=0.32"],  # KerasHub by its other name; presets are read without it
        "litert": ["ai-edge-litert>=2.3"],  # answers with what --export_format=litert writes
        "serving": ["tensorflow-serving-api>=2.21,<2.22"],
        "test": [
            "ai-edge-litert>=2.3",
            "apache-beam>=2.77",
            "hypothesis>=6.100",
            "keras-nlp>=0.32",
            "mypy>=1.15",
            "pytest>=8.0",
            "pytest-xdist>=3.6",
            "PyYAML>=6.0",
            "ruff>=0.8",
            "sentencex>=1.0.32",
            "tensorflow-datasets>=4.9.10",
            "importlib_resources>=6.0",
            "tensorflow-serving-api>=2.21,<2.22",
            "tokenizers>=0.20",
        ],
        "peers": [
            "accelerate>=1.10",  # without it transformers has no Trainer
            "ai-edge-litert>=2.3",
            "onnx>=1.17",
            "onnxruntime>=1.20",
            "onnxscript>=0.3",  # which torch.onnx needs
            "sentence-transformers>=6.0",
            "seqeval>=1.2",
            "torch>=2.6",
            "transformers>=5.0",
        ],
    },
)
