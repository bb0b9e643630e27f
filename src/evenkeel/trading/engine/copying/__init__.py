"""Copy links in the engine: their standing, and what each of the master's events makes of the follower's orders."""
