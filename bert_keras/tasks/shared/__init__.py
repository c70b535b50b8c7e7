"""What several tasks use: scores, functions to serve, opening a pretrained tokenizer."""
