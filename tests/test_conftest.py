"""The suite's own options."""

from __future__ import annotations

from pathlib import Path

import pytest

SKIPS = """
import pytest

def test_works():
    assert True

@pytest.mark.skip(reason="missing: podman")
def test_marked():
    raise AssertionError

def test_inside():
    pytest.skip("missing: psycopg")

def test_other():
    pytest.skip("not on this system")
"""


@pytest.fixture(autouse=True)
def _same_conftest(pytester: pytest.Pytester) -> None:
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())


def test_a_missing_part_skips_its_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SKIPS)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1, skipped=3)


def test_no_missing_makes_such_a_skip_fail(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SKIPS)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--no-missing")
    result.assert_outcomes(passed=1, skipped=1, failed=1, errors=1)  # a marked skip happens in set-up
    result.stdout.fnmatch_lines(["*missing: podman, and this run allows nothing to be missing*"])


def test_no_missing_sees_a_whole_file_that_is_skipped(pytester: pytest.Pytester) -> None:
    pytester.makepyfile('import pytest\npytest.skip("missing: ray", allow_module_level=True)')
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--no-missing")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*missing: ray, and this run allows nothing to be missing*"])


def test_no_missing_sees_what_can_not_be_imported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile('import pytest\npytest.importorskip("no_such_package")')
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--no-missing")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*could not import 'no_such_package'*nothing to be missing*"])
