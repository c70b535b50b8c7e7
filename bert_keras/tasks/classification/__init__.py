"""One label, several labels, or a number for a text, two texts, or two entities of a text."""
