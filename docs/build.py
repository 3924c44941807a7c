"""`make docs`: the API reference from the docstrings, with the glossary and the formulas, as pages.

`python docs/build.py FOLDER`. Public names load on first use, so they are looked up before pdoc reads the
package.
"""

import sys
from pathlib import Path

import pdoc

import rtsep


def build(folder: Path) -> None:
    """Writes `index.html` and the page of `rtsep` into `folder`; MathJax draws the formulas, online."""
    for name in rtsep.__all__:
        setattr(rtsep, name, getattr(rtsep, name))
    pdoc.render.configure(docformat="google", math=True, show_source=False)
    pdoc.pdoc("rtsep", output_directory=folder)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
