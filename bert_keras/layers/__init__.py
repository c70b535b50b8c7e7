"""One Keras layer a file, in keras.ops alone, so that any Keras backend runs them."""
