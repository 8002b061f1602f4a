import os

import pytest
from hypothesis import settings
from runner_kernels import kernels  # noqa: F401  (a fixture)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MATHNET_EXAMPLES bounds how many examples a test draws, for builds that run slowly (tools/check_kernels)."""
    limit = int(os.environ.get("MATHNET_EXAMPLES") or 0)
    for item in items if limit else ():
        test = getattr(item, "obj", None)
        drawn = getattr(test, "_hypothesis_internal_use_settings", None)
        if drawn is not None:
            few = settings(drawn, max_examples=min(limit, drawn.max_examples))
            test._hypothesis_internal_use_settings = few
