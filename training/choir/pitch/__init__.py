"""What the pitch network is fed, what is right, its loss."""
