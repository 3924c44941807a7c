<<<<<<< HEAD
"""Networks in torch: what is trained, and exported for the stage."""
=======
"""The networks as torch modules, how they are exported, and what a source-filter network's numbers mean
(`source_filter_physics`).
"""
>>>>>>> main
