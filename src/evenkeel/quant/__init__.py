"""Numbers in, numbers out: pure functions of float64, without files, clock, database or event loop."""
