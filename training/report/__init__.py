"""An evaluation as JSON, tables and plots; published numbers beside it."""
