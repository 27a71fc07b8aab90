"""Several processes that train one network together: each on batches of its own."""
