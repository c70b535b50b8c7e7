"""Other people's weights, read as data, and ours written in their layout."""
