"""Places that keep bars."""
