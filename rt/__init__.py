"""The doors: `separator` (any block in, stems out), `batch_separator` (many streams), `session` (live),
`offline` (files and pipes), `fallback` (a missing GPU), `stop` (Ctrl-C).
"""
