"""A model as a host sees it: what it must do (`mask_model`), what it tells (`voice_report`), its card,
which models there are (`registry`), from a name to code (`build`), which processor runs it (`backends`).
"""
