"""What gains come to where they are taxed: lots of every book, wash sales, and the tax of a rebalance."""
