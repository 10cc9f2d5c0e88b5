"""Options and fixtures of the whole test suite."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import pytest

MISSING = ("missing", "could not import")  # how the reasons of such skips begin; the second is importorskip's own
AnyReport = TypeVar("AnyReport", pytest.TestReport, pytest.CollectReport)
pytest_plugins = ("pytester", "tests.gpus", "tests.postgres", "tests.s3")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-missing",
        action="store_true",
        help="fail tests that are skipped for a missing part: a reason that starts with 'missing', or importorskip's",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return _refuse_missing(report, item.config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _refuse_missing(report, collector.config)


def _refuse_missing(report: AnyReport, config: pytest.Config) -> AnyReport:
    """Turns a skip for a missing part into a failure, when the run was told that nothing may be missing."""
    if not (report.skipped and config.getoption("--no-missing") and isinstance(report.longrepr, tuple)):
        return report
    path, line, reason = report.longrepr
    reason = str(reason).removeprefix("Skipped: ")
    if reason.startswith(MISSING):
        report.outcome = "failed"
        report.longrepr = f"{path}:{line}: {reason}, and this run allows nothing to be missing"
    return report
