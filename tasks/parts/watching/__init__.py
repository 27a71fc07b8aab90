"""The page of --task watch: what the runs' files say, served to a browser."""
