"""Other programs on the same bars and rule: measured in turn with ours, and their results recorded."""
