"""One file a task: its rows, its head, its loss and scores, its answers."""
