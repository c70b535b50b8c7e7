"""Files to rows, rows to packed batches."""
