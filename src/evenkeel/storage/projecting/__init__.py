"""The projector in a process of its own, so that tables and orders do not wait for each other's turn at Python."""
