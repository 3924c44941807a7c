"""The mixer in a browser: HTTP and WebSocket with JSON, served by a process of its own."""
