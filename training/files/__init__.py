"""Files that are whole or not there, settings from TOML, a trained network as a model's files."""
