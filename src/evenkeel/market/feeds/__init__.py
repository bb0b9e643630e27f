"""Sources of market slices: stored bars replayed, and simulated ones. A feed knows no wall clock and no pace."""
