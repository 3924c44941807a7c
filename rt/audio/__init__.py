"""Files, pipes, a WAV that survives a kill, levels in dBFS, signals to test with."""
