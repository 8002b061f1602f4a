"""The conformance kit: checks that a user, or the tests of a plugin, run on functions and on plugin objects."""

from mathnet.testing.gradient import check_gradient as check_gradient
from mathnet.testing.kit import Checked as Checked
from mathnet.testing.kit import check_op as check_op
from mathnet.testing.kit import check_plugin as check_plugin
from mathnet.testing.kit import parametrize_with_checks as parametrize_with_checks

__all__ = ["Checked", "check_gradient", "check_op", "check_plugin", "parametrize_with_checks"]
