"""API v2: one file a noun, each with its ENDPOINTS."""
