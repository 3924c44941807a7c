"""The engine process with its hop loop, and what it tells about itself."""
