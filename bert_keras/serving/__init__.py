"""From a trained model to a SavedModel that any TensorFlow server loads."""
