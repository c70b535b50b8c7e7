"""What several tasks use: scores, functions to serve, examples of rows, opening a tokenizer."""
