"""What the bytes of an audio file say before libsndfile is asked: headers, and files joined by `cat`."""
