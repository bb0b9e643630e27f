"""What a portfolio comes to beside the engine: round trips, totals over several, and how several have gone together."""
