"""From a trained model to what servers and other runtimes load: SavedModel and LiteRT."""
