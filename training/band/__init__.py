"""Training of the band model: one shared encoder, a decoder per stem, databases that know only some stems."""
