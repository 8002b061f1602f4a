"""Sphinx configuration: ``make docs``."""

import tomllib
from pathlib import Path

metadata = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]

project = metadata["name"]
copyright = "the mathnet contributors"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
html_theme = "alabaster"
myst_heading_anchors = 3
