"""Contract suites that every implementation of an interface runs, and problems to try them on: for plugins' tests too.

The suites are pytest classes: subclass one in a test module, override its fixtures, and its tests run on yours. They need
pytest; nothing else of Tunewright imports them.
"""

import sys

if "pytest" in sys.modules:  # failing assertions then show their values
    import pytest

    for suite in ("executors", "stoppers", "store", "strategies"):
        if f"{__name__}.{suite}" not in sys.modules:
            pytest.register_assert_rewrite(f"{__name__}.{suite}")
