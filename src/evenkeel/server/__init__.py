"""The doors: REST, WebSocket, health, metrics, documentation and the built web desk."""
