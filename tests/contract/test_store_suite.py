"""The shipped contract of stores finds what it is there to find: each broken store fails the test that is named."""

from __future__ import annotations

import re
from textwrap import indent

import pytest

from tunewright.testing.store_records import RecordsContract
from tunewright.testing.stores import StoreContract

HEAD = """
from dataclasses import replace
import math
import pytest
from tunewright.errors import LeaseLost, NotFound
from tunewright.queries import *
from tunewright.records import *
from tunewright.store.memory import MemoryStore
from tunewright.testing.clock import FakeClock
from tunewright.testing.stores import StoreContract

class Base(MemoryStore):
    def read(self, query):
        return iter([self.altered(row) for row in super().read(self.asked(query))])

    def asked(self, query):
        return query

    def altered(self, row):
        return row

    def commit(self, changes, fence):
        return super().commit(self.kept(list(changes)), fence)

    def kept(self, changes):
        return changes
"""

STORE = """
class Broken{index}(Base):
{body}

class Test{index}(StoreContract):
    @pytest.fixture
    def store(self):
        self.clock = FakeClock()
        return Broken{index}(self.clock)

    def let_pass(self, store, seconds):
        self.clock.advance(seconds)
"""


def altered(kind: str, change: str) -> str:
    """A store that gives out the rows of one kind changed."""
    return f"def altered(self, row):\n    return replace(row, {change}) if isinstance(row, {kind}) else row"


def asked(kind: str, change: str) -> str:
    """A store that passes over a part of the queries of one kind."""
    return f"def asked(self, query):\n    return replace(query, {change}) if isinstance(query, {kind}) else query"


def kept(kind: str, condition: str) -> str:
    """A store that forgets changes of one kind unless a condition holds."""
    return f"def kept(self, changes):\n    return [c for c in changes if not isinstance(c, {kind}) or {condition}]"


CLAIM = "def claim(self, job, owner, ttl, *, evict=None):\n    return super().claim("

FAULTS = {
    # jobs
    "test_a_new_job_comes_back_as_it_was_given": altered("TuningJob", "folder=None"),
    "test_a_job_without_a_time_gets_the_stores": altered("TuningJob", "created=0.0"),
    "test_a_specification_survives": altered("TuningJob", "spec={**row.spec, 'large': 0}"),
    "test_a_specification_that_is_no_json_is_refused": "def create(self, job):\n    super().create(replace(job, spec={}))",
    "test_a_name_can_be_taken_once": "def create(self, job):\n    self._jobs.pop(job.name, None)\n    super().create(job)",
    "test_jobs_are_read_newest_first": "def read(self, query):\n    return reversed([*super().read(query)])",
    "test_a_job_that_is_not_there_is_said_so": "def wait(self, job, since, timeout):\n    return 0",
    "test_what_a_controller_says_of_a_job_survives": altered("TuningJob", "state=replace(row.state, reason=None)"),
    "test_a_specification_is_replaced": kept("SpecChange", "False"),
    # control
    "test_one_controller_at_a_time": f"{CLAIM}job, owner, ttl, evict=owner)",
    "test_a_dead_owner_is_taken_over_at_once": f"{CLAIM}job, owner, ttl)",
    "test_a_lease_that_ran_out_is_taken_over": f"{CLAIM}job, owner, 1000 * ttl, evict=evict)",
    "test_a_lease_that_ran_out_still_holds_while_nobody_wants_it": (
        "def commit(self, changes, fence):\n"
        "    if self._jobs[fence.job].lease_until < self._clock.now():\n"
        "        raise LeaseLost('a')\n"
        "    return super().commit(changes, fence)"
    ),
    "test_a_commit_renews_the_lease": (
        "def commit(self, changes, fence):\n"
        "    until = self._jobs[fence.job].lease_until\n"
        "    last = super().commit(changes, fence)\n"
        "    self._jobs[fence.job].lease_until = until\n"
        "    return last"
    ),
    "test_a_commit_of_nothing_is_no_event": "def kept(self, changes):\n    return changes or [JobState()]",
    "test_control_is_given_up": "def release(self, fence):\n    pass",
    "test_control_that_was_lost_is_not_given_up": "def release(self, fence):\n    self._jobs[fence.job].owner = None",
    # deleting
    "test_a_deleted_job_is_gone_with_all_that_was_stored_of_it": "def delete(self, job, *, evict=None):\n    return True",
    "test_a_name_is_free_again_after_its_job_was_deleted": (
        "def delete(self, job, *, evict=None):\n"
        "    self.old = self._jobs[job].trials\n"
        "    return super().delete(job, evict=evict)\n"
        "def create(self, job):\n"
        "    super().create(job)\n"
        "    self._jobs[job.name].trials.update(getattr(self, 'old', {}))"
    ),
    "test_a_job_is_deleted_under_no_living_owner": (
        "def delete(self, job, *, evict=None):\n    return super().delete(job, evict=self._jobs[job].owner)"
    ),
    # records
    "test_a_trial_survives": altered("Trial", "origin=''"),
    "test_parameters_keep_their_types": altered("Trial", "params={k: 1.0 if v == 1 else v for k, v in row.params.items()}"),
    "test_numbers_survive_to_the_last_bit": altered("Series", "last=float(f'{row.last:.15g}')"),
    "test_a_record_replaces_the_one_with_its_key": kept("Execution", "c.status is ExecutionStatus.LAUNCHING"),
    "test_trials_are_chosen": asked("Trials", "limit=None"),
    "test_trials_that_changed_are_read_from_an_event_on": asked("Trials", "since=0"),
    "test_an_execution_survives": altered("Execution", "handle=None"),
    "test_executions_are_chosen": asked("Executions", "open_only=False"),
    "test_the_order_in_a_commit_is_free": (
        "def kept(self, changes):\n"
        "    if isinstance(changes[0], Reports):\n"
        "        raise NotFound('trial', 'must come first')\n"
        "    return changes"
    ),
    "test_a_change_of_what_is_not_there_undoes_the_commit": (
        "def commit(self, changes, fence):\n    return [super(Base, self).commit([change], fence) for change in changes][-1]"
    ),
    "test_reports_become_points_and_series": altered("Series", "count=row.count + 1"),
    "test_a_series_passes_over_nan": altered("Series", "minimum=math.nan"),
    "test_reports_that_are_read_again_add_nothing": (
        "held = 0\n"
        "def kept(self, changes):\n"
        "    for i, c in enumerate(changes):\n"
        "        if isinstance(c, Reports):\n"
        "            changes[i] = replace(c, first=self.held)\n"
        "            self.held += len(c.reports)\n"
        "    return changes"
    ),
    "test_reports_that_are_missing_are_noticed": (
        "def kept(self, changes):\n    return [replace(c, first=0) if isinstance(c, Reports) else c for c in changes]"
    ),
    "test_a_reported_value_must_be_a_number": kept("Reports", "False"),
    "test_checkpoints": altered("Checkpoint", "at=0.0"),
    "test_decisions": altered("Decision", "until=None"),
    "test_commands": altered("Command", "answer=None"),
    "test_a_command_says_what_is_wanted": altered("TuningJob", "wanted=Wanted.RUN"),
    "test_a_command_to_another_job_is_not_handled": kept("CommandHandled", "False"),
    "test_events_are_numbered_without_a_gap": altered("Event", "number=2 * row.number"),
    "test_events_are_chosen": asked("Events", "limit=None"),
    "test_waiting_ends_with_the_next_event": "def wait(self, job, since, timeout):\n    return since",
    # the whole
    "test_jobs_do_not_mix": "def request(self, job, command):\n    return super().request('job', command)",
    "test_an_answer_is_of_one_moment": (
        "def read(self, query):\n"
        "    def now(row):\n"
        "        return self._jobs['job'].trials[row.number].trial if isinstance(row, Trial) else row\n"
        "    return map(now, super().read(query))"
    ),
    "test_any_text_is_taken": (
        "def kept(self, changes):\n    for change in changes:\n        change.reason.encode()\n    return changes"
    ),
    "test_threads_write_and_read_at_once": (
        "def request(self, job, command):\n"
        "    lost = job == 'c' and command.kind == 'enqueue'\n"
        "    return 1 if lost else super().request(job, command)"
    ),
    "test_closing_twice_is_closing_once": "open = True\ndef close(self):\n    assert self.open\n    self.open = False",
}


def test_every_test_of_the_suite_has_its_fault() -> None:
    tests = {name for part in (StoreContract, RecordsContract) for name in vars(part) if name.startswith("test_")}
    assert tests == set(FAULTS)


@pytest.mark.slow
def test_every_fault_is_found(pytester: pytest.Pytester) -> None:
    source = [HEAD]
    source += [STORE.format(index=index, body=indent(body, "    ")) for index, body in enumerate(FAULTS.values())]
    source.append(STORE.format(index="Sound", body="    pass"))
    path = pytester.makepyfile(test_broken="\n".join(source))
    chosen = [f"{path}::Test{index}::{test}" for index, test in enumerate(FAULTS)]
    result = pytester.runpytest_subprocess("-q", "-W", "error", "-rf", "--tb=no", *chosen, f"{path}::TestSound")
    failed = {
        re.sub(r"\[.*", "", line.split("::", 1)[1].split(" ")[0]) for line in result.outlines if line.startswith("FAILED")
    }
    assert failed == {f"Test{index}::{test}" for index, test in enumerate(FAULTS)}
    assert "errors" not in result.parseoutcomes()
