"""A run's life: its folders, sessions, checkpoints, history and samples."""
