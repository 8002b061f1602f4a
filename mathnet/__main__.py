"""``python -m mathnet`` is the command ``mathnet``."""

import sys

from mathnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
