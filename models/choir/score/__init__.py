"""Following a written score: where the choir is in it, and what that says about who sings which pitch."""
