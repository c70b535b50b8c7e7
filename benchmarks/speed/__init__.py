"""Times and memory of one machine, most of them compared with those of other libraries."""
