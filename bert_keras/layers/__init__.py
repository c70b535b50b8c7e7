"""The layers of BERT, one family a file, in keras.ops only, so any Keras backend runs them."""
