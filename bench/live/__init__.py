"""A live run, and what it costs: through a JACK server, beside other clients, with pages, with a take."""
