"""What a run may be set to, and the words that set it. No TensorFlow."""
