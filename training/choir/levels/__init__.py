"""What the levels network is fed, three ways to teach it, its losses, masks and voices in torch."""
