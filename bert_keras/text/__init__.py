"""The tokenizer: strings to token ids and back, in core TensorFlow ops."""
