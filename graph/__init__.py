"""What layers and networks are made of, beneath ops.py and model.py."""
