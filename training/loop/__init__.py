"""Training of any network: steps, checkpoints, processes, averaged weights, the screen."""
