"""Times and memory of one machine, most of them beside those of other libraries."""
