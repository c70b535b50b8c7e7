"""Files to rows, rows to packed batches: what several tasks share."""
