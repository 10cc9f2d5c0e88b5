"""The contract of `Store` as tests.

class TestMine(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        opened = MyStore(tmp_path)
        yield opened
        opened.close()

A store whose time doesn't pass by itself overrides `let_pass` as well.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import pytest

from tunewright.errors import InvalidInput, JobExists, LeaseLost, NotFound
from tunewright.interfaces import Fence, Store
from tunewright.queries import (
    AllSeries,
    Checkpoints,
    Commands,
    Decisions,
    Events,
    Executions,
    Jobs,
    Points,
    Query,
    Trials,
)
from tunewright.records import (
    Action,
    Change,
    Checkpoint,
    Command,
    Counts,
    Decision,
    JobState,
    Report,
    Reports,
    SpecChange,
    Status,
    Wanted,
)
from tunewright.testing.store_examples import (
    LEASE,
    SHORT_LEASE,
    TEXTS,
    a_job,
    a_trial,
    an_execution,
    claimed,
    everything,
    numbers,
)
from tunewright.testing.store_records import RecordsContract


class StoreContract(RecordsContract):
    """Every store passes these; a subclass gives the fixture `store`, an empty store."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        raise NotImplementedError("a subclass of StoreContract gives the fixture `store`")

    @pytest.fixture
    def fence(self, store: Store) -> Fence:
        """The right to write a job called "job"."""
        store.create(a_job())
        return claimed(store)

    def let_pass(self, store: Store, seconds: float) -> None:  # a subclass may need the store
        """Lets time pass for the store."""
        time.sleep(seconds)

    # --- jobs ---

    def test_a_new_job_comes_back_as_it_was_given(self, store: Store) -> None:
        store.create(a_job(kind="autopilot", folder="/data/jobs/job", created=1234.5, wanted=Wanted.PAUSE))
        (job,) = store.read(Jobs())
        assert (job.name, job.kind, job.folder, job.created) == ("job", "autopilot", "/data/jobs/job", 1234.5)
        assert (job.wanted, job.state, job.namespace) == (Wanted.PAUSE, JobState(), "local")
        assert (job.owner, job.lease_until, job.fence) == (None, None, 0)

    def test_a_job_without_a_time_gets_the_stores(self, store: Store) -> None:
        store.create(a_job())
        (job,) = store.read(Jobs())
        (event,) = store.read(Events("job"))
        assert job.created == event.at > 0

    def test_a_specification_survives(self, store: Store) -> None:
        spec = {"texts": list(TEXTS), "nested": {"a": [1, 2.5, None, True, {"b": []}]}, "large": 2**80, "tiny": 5e-324}
        store.create(a_job(spec=MappingProxyType(spec)))
        (job,) = store.read(Jobs())
        assert job.spec == spec

    def test_a_specification_that_is_no_json_is_refused(self, store: Store) -> None:
        with pytest.raises(InvalidInput, match="spec"):
            store.create(a_job(spec={"function": print}))
        assert not [*store.read(Jobs())]

    def test_a_name_can_be_taken_once(self, store: Store) -> None:
        store.create(a_job(spec={"first": True}))
        with pytest.raises(JobExists, match="'job'"):
            store.create(a_job(spec={"first": False}))
        (job,) = store.read(Jobs())
        assert job.spec == {"first": True}

    def test_jobs_are_read_newest_first(self, store: Store) -> None:
        for name in ("a", "b", "Ä", "d"):
            store.create(a_job(name))
        assert [job.name for job in store.read(Jobs())] == ["d", "Ä", "b", "a"]
        assert [job.name for job in store.read(Jobs(limit=2))] == ["d", "Ä"]
        assert [job.name for job in store.read(Jobs(names=("a", "Ä", "nobody")))] == ["Ä", "a"]
        assert not [*store.read(Jobs(names=()))]

    def test_a_job_that_is_not_there_is_said_so(self, store: Store) -> None:
        store.create(a_job("other"))
        kinds = (Trials, Executions, Points, AllSeries, Checkpoints, Decisions, Commands, Events)
        queries: list[Query[Any]] = [kind("job") for kind in kinds]
        for query in queries:
            with pytest.raises(NotFound, match="'job'"):
                store.read(query)
        for attempt in (
            lambda: store.claim("job", "me", LEASE),
            lambda: store.commit((), Fence("job", 1, LEASE)),
            lambda: store.request("job", Command("stop")),
            lambda: store.wait("job", 0, 0.0),
        ):
            with pytest.raises(NotFound, match="'job'"):
                attempt()

    def test_what_a_controller_says_of_a_job_survives(self, store: Store, fence: Fence) -> None:
        state = JobState(
            Status.FAILED, "trials_failed", "went wrong: ü", Counts(1, 2, 3, 4, 5, 6, 7), 3, (0.1, -math.inf), 12.25, 1e9, 2e9
        )  # fmt: skip
        store.commit([state], fence)
        (job,) = store.read(Jobs())
        assert job.state == state
        store.commit([JobState(Status.IN_PROGRESS), JobState(Status.COMPLETED)], fence)
        (job,) = store.read(Jobs())
        assert job.state == JobState(Status.COMPLETED)

    def test_a_specification_is_replaced(self, store: Store, fence: Fence) -> None:
        store.commit([SpecChange({"max_trials": 9})], fence)
        (job,) = store.read(Jobs())
        assert job.spec == {"max_trials": 9}

    # --- control ---

    def test_one_controller_at_a_time(self, store: Store) -> None:
        store.create(a_job())
        first = claimed(store, "a")
        assert (first.job, first.ttl) == ("job", LEASE)
        assert store.claim("job", "b", LEASE) is None
        assert store.claim("job", "a", LEASE) is None, "the same owner again is another controller"
        assert store.claim("job", "b", LEASE, evict="c") is None
        (job,) = store.read(Jobs())
        assert job.owner == "a"
        assert job.fence == first.number
        assert job.lease_until is not None

    def test_a_dead_owner_is_taken_over_at_once(self, store: Store, fence: Fence) -> None:
        other = store.claim("job", "b", LEASE, evict="a")
        assert other is not None
        assert other.number > fence.number
        self.check_lost(store, fence, "b")
        store.commit([a_trial(0)], other)

    def test_a_lease_that_ran_out_is_taken_over(self, store: Store) -> None:
        store.create(a_job())
        first = claimed(store, ttl=SHORT_LEASE)
        self.let_pass(store, 2 * SHORT_LEASE)
        second = claimed(store, "b")
        assert second.number > first.number
        self.check_lost(store, first, "b")

    def test_a_lease_that_ran_out_still_holds_while_nobody_wants_it(self, store: Store) -> None:
        store.create(a_job())
        fence = claimed(store, ttl=SHORT_LEASE)
        self.let_pass(store, 2 * SHORT_LEASE)
        store.commit([a_trial(0)], fence)
        assert [trial.number for trial in store.read(Trials("job"))] == [0]

    @pytest.mark.parametrize("changes", [[], [JobState(Status.IN_PROGRESS)]])
    def test_a_commit_renews_the_lease(self, store: Store, changes: Sequence[Change]) -> None:
        store.create(a_job())
        fence = claimed(store)
        (before,) = store.read(Jobs())
        self.let_pass(store, SHORT_LEASE)
        store.commit(changes, fence)
        (after,) = store.read(Jobs())
        assert before.lease_until is not None
        assert after.lease_until is not None
        assert after.lease_until > before.lease_until

    def test_a_commit_of_nothing_is_no_event(self, store: Store, fence: Fence) -> None:
        last = store.commit([a_trial(0)], fence)
        assert store.commit((), fence) == last
        assert [*store.read(Events("job"))][-1].number == last

    def test_control_is_given_up(self, store: Store, fence: Fence) -> None:
        store.release(fence)
        (job,) = store.read(Jobs())
        assert job.owner is None
        self.check_lost(store, fence, "nobody")
        assert claimed(store, "b").number > fence.number

    def test_control_that_was_lost_is_not_given_up(self, store: Store, fence: Fence) -> None:
        other = store.claim("job", "b", LEASE, evict="a")
        assert other is not None
        store.release(fence)
        store.release(Fence("job", fence.number - 1, LEASE))
        (job,) = store.read(Jobs())
        assert job.owner == "b"
        store.commit([a_trial(0)], other)

    # --- deleting ---

    def test_a_deleted_job_is_gone_with_all_that_was_stored_of_it(self, store: Store, fence: Fence) -> None:
        store.create(a_job("other"))
        other = store.claim("other", "b", LEASE)
        assert other is not None
        for name, held in (("job", fence), ("other", other)):
            report = Reports(0, 1, 0, [Report(1, {"m": 1.0}, 1.0)])
            rest: list[Change] = [Checkpoint(0, 1, 1, "c", 1.0), Decision(Action.STOP, "bad", trial=0)]
            store.commit([a_trial(0), an_execution(0), report, *rest], held)
            store.request(name, Command("enqueue", {"params": {}}))
        store.release(fence)
        before = everything(store, "other")
        assert store.delete("job")
        assert [job.name for job in store.read(Jobs())] == ["other"]
        assert everything(store, "other") == before
        for query in (Trials("job"), Points("job"), Events("job")):
            with pytest.raises(NotFound):
                store.read(query)
        with pytest.raises(NotFound):
            store.delete("job")

    def test_a_name_is_free_again_after_its_job_was_deleted(self, store: Store, fence: Fence) -> None:
        store.commit([a_trial(0), an_execution(0), Reports(0, 1, 0, [Report(1, {"m": 1.0}, 1.0)])], fence)
        store.request("job", Command("enqueue", {"params": {}}))
        store.release(fence)
        assert store.delete("job")
        store.create(a_job())
        assert [*store.read(Trials("job")), *store.read(Points("job")), *store.read(Commands("job"))] == []
        again = claimed(store)
        store.commit([a_trial(0)], again)
        with pytest.raises((LeaseLost, NotFound)):
            store.commit([a_trial(1)], Fence("job", again.number + 7, LEASE))

    def test_a_job_is_deleted_under_no_living_owner(self, store: Store, fence: Fence) -> None:
        assert not store.delete("job")
        assert not store.delete("job", evict="b")
        store.commit([a_trial(0)], fence)
        assert store.delete("job", evict="a")
        with pytest.raises((LeaseLost, NotFound)):
            store.commit([a_trial(1)], fence)

    def check_lost(self, store: Store, fence: Fence, owner: str) -> None:
        """A commit under this fence is refused, names who owns the job, and writes nothing."""
        before = everything(store)
        with pytest.raises(LeaseLost, match=owner):
            store.commit([a_trial(77), JobState(Status.FAILED)], fence)
        with pytest.raises(LeaseLost, match=owner):
            store.commit((), fence)
        assert everything(store) == before

    # --- what holds for all of it ---

    def test_jobs_do_not_mix(self, store: Store, fence: Fence) -> None:
        store.create(a_job("other"))
        other = store.claim("other", "b", LEASE)
        assert other is not None

        def changes(value: float) -> list[Change]:
            report = Report(1, {"m": value}, 1.0)
            of_trial: list[Change] = [
                Reports(0, 1, 0, [report]),
                Checkpoint(0, 1, 1, str(value), 1.0),
                Decision(Action.STOP, "bad", trial=0),
            ]
            return [a_trial(0, objectives=(value,)), an_execution(0), *of_trial]

        store.commit(changes(1.0), fence)
        store.request("job", Command("enqueue", {"params": {}}))
        before = everything(store)
        store.commit([*changes(2.0), JobState(Status.FAILED)], other)
        store.request("other", Command("stop"))
        assert everything(store) == before
        assert [point.value for point in store.read(Points("other"))] == [2.0]

    def test_an_answer_is_of_one_moment(self, store: Store, fence: Fence) -> None:
        store.commit([a_trial(n) for n in range(2500)], fence)
        answer = store.read(Trials("job"))
        next(answer)
        store.commit([a_trial(n, step=1) for n in range(2400, 2600)], fence)
        rest = [*answer]
        assert numbers(rest) == [*range(1, 2500)]
        assert {trial.step for trial in rest} == {0}

    def test_any_text_is_taken(self, store: Store, fence: Fence) -> None:
        """Null characters, and lone surrogates, which no database takes, may come back as U+FFFD."""
        for text in (*TEXTS, "zero\0byte", "half \ud83d of a pair"):
            store.commit([a_trial(0, reason=text, params={"x": text})], fence)
            (trial,) = store.read(Trials("job"))
            for found in (trial.reason, trial.params["x"]):
                assert found in (text, text.replace("\ud83d", "\ufffd"), text.replace("\0", "\ufffd"))

    def test_threads_write_and_read_at_once(self, store: Store) -> None:
        names = ["a", "b", "c"]
        for name in names:
            store.create(a_job(name))

        def write(name: str) -> None:
            fence = store.claim(name, name, LEASE)
            assert fence is not None
            for number in range(40):
                report = Reports(number, 1, 0, [Report(1, {"loss": 1.0}, 1.0)])
                store.commit([a_trial(number), an_execution(number), report], fence)
                store.request(name, Command("enqueue", {"params": {}}))

        def read(name: str) -> None:
            seen = 0
            while seen < 40:
                trials = [*store.read(Trials(name))]
                assert len(trials) >= seen
                seen = len(trials)

        with ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(work, name) for work in (write, read) for name in names]:
                done.result(timeout=LEASE)
        for name in names:
            assert len([*store.read(Points(name))]) == len([*store.read(Commands(name))]) == 40
            events = [event.number for event in store.read(Events(name))]
            assert events == [*range(1, 2 + 4 * 40 + 1)]

    def test_closing_twice_is_closing_once(self, store: Store, fence: Fence) -> None:  # with a connection open
        store.close()
        store.close()
