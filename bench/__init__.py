"""Does it last, is the latency exact, does it live beside JACK, how fast are kernels; the demo."""
