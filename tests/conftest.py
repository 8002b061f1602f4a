"""Settings of all tests."""

import os
import signal

from hypothesis import settings

# Timings say nothing on a shared machine; in CI every run draws the same examples.
settings.register_profile("mathnet", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("mathnet")

# A shell starts its background jobs with interrupts ignored; the tests of interrupts need them.
signal.signal(signal.SIGINT, signal.default_int_handler)
