"""What can be changed while the music plays: parameters, the way into the engine, what they mean there."""
