"""Sphinx configuration: ``make docs``."""

import sys
import tomllib
from pathlib import Path

here = Path(__file__).parent
metadata = tomllib.loads((here.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = metadata["name"]
copyright = "the mathnet contributors"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["reference_pages"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1040px", "sidebar_width": "240px"}
myst_heading_anchors = 3


def setup(app):
    """Writes the reference pages before Sphinx looks for its sources."""
    sys.path.insert(0, str(here))
    from reference_pages import write

    app.connect("builder-inited", lambda app: write(here / "reference"))
