"""Settings of all tests."""

import os

from hypothesis import settings

# Timings say nothing on a shared machine; in CI every run draws the same examples.
settings.register_profile("mathnet", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("mathnet")
