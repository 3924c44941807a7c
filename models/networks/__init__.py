"""Networks in torch: what is trained, and exported for the stage."""
