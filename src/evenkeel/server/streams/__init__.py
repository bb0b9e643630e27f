"""The WebSocket stream: snapshots, contiguous deltas, resume."""
