"""A folder a task, with the same file names inside."""
