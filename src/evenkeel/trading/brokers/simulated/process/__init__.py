"""The simulated venue as its own process: it survives the platform's death, and its book survives its own."""
