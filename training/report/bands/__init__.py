"""An evaluation of bands as JSON, tables and plots."""
