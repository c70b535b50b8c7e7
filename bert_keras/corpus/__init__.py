"""Running text: documents, sentences, passages, the prepared dataset."""
