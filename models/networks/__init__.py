"""The networks as torch modules, how they are exported, and what a source-filter network's numbers mean
(`source_filter_physics`).
"""
