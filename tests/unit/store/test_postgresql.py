"""PostgreSQL: addresses that lead nowhere, connections that break, and passwords that nobody sees."""

from __future__ import annotations

import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Thread, Timer
from urllib.parse import quote

import pytest

from tests.postgres_server import PASSWORD, Server
from tests.unit.store.cutting_proxy import Cut, CuttingProxy
from tunewright.errors import InvalidInput, StoreDamaged, StoreError, StoreUnreachable, TunewrightError
from tunewright.interfaces import Fence, Store
from tunewright.queries import Decisions, Events, Jobs, Points, Trials
from tunewright.records import Action, Command, Decision, Report, Reports, TuningJob
from tunewright.store.location import locate
from tunewright.store.opening import open_store
from tunewright.testing.store_examples import a_job, a_trial, an_execution, claimed

SECRET = "s3cr3t w0rd"


def refused(address: str) -> tuple[TunewrightError, str]:
    """The error that an address gives, and all that a traceback would show of it."""
    begun = time.monotonic()
    with pytest.raises((StoreError, InvalidInput)) as caught:
        open_store(address)
    assert time.monotonic() - begun < 30, "the limit of waiting for a server that was there is 60 s"
    return caught.value, "".join(traceback.format_exception(caught.value))


# --- addresses ---


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:s3cr3t@w0rd@host/db",
        "postgresql://me:s3cr3t/w0rd@host/db",
        "postgresql://me:s3cr3t?w0rd@host/db",
        "postgresql://me:s3cr3t#w0rd@host/db",
        "postgresql://me:s3cr3t%w0rd@host/db",
        "postgresql://me:s3cr3t@host:w0rd/db",
        "postgresql://me:s3cr3t@[host/w0rd",
    ],
)
def test_a_password_that_is_not_quoted_is_not_printed_either(address: str) -> None:
    error, shown = refused(address)
    assert isinstance(error, InvalidInput)
    assert "s3cr3t" not in shown
    assert "postgresql://me:***@" in str(error)


def test_an_unknown_option_is_named() -> None:
    error, shown = refused("postgresql://me:s3cr3t@host/db?sslmoode=require")
    assert "sslmoode" in str(error)
    assert "s3cr3t" not in shown


@pytest.mark.parametrize("value", ["soon", "-1", "inf", ""])
def test_an_option_of_ours_is_checked(value: str) -> None:
    error, _ = refused(f"postgresql://me@host/db?timeout={value}")
    assert str(error) == f"store option timeout must be a number of seconds; got {value!r}"


def test_our_options_are_told_from_those_of_libpq() -> None:
    place = locate("postgresql://me@host/db?sslmode=disable&timeout=5&application_name=x%20y")
    assert place.url == "postgresql://me@host/db?sslmode=disable&application_name=x%20y"
    assert place.options == {"timeout": "5"}
    assert locate("postgresql://me@host/db?timeout=5").url == "postgresql://me@host/db"


def test_without_its_driver_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    error, _ = refused("postgresql://me@host/db")
    assert "pip install 'tunewright[postgres]'" in str(error)


def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        error, shown = refused(f"postgresql://me:{quote(SECRET)}@127.0.0.1:{taken.getsockname()[1]}/db")
    assert isinstance(error, StoreUnreachable)
    assert "can't be reached: " in str(error)
    assert "Connection refused" in str(error)
    assert SECRET not in shown


def test_a_host_that_does_not_exist() -> None:
    error, _ = refused("postgresql://me@nowhere.invalid/db")
    assert isinstance(error, StoreUnreachable)
    assert "nowhere.invalid" in str(error)


def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"postgresql://me@127.0.0.1:{mute.getsockname()[1]}/db?connect_timeout=2"
        error, _ = refused(address)
    assert isinstance(error, StoreUnreachable)
    assert "timeout" in str(error)


@pytest.mark.slow
class TestOfAServer:
    """What a server refuses."""

    def test_a_wrong_password(self, postgresql_server: Server) -> None:
        error, shown = refused(postgresql_server.address("postgres", password=SECRET))
        assert isinstance(error, StoreUnreachable)
        assert "password authentication failed" in str(error)
        assert "PGPASSWORD" in str(error)
        assert SECRET not in shown

    def test_no_password(self, postgresql_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PGPASSFILE", "/nonexistent")
        error, _ = refused(f"postgresql://tuner@127.0.0.1:{postgresql_server.port}/postgres")
        assert "no password supplied" in str(error)

    def test_a_database_that_does_not_exist(self, postgresql_server: Server) -> None:
        error, shown = refused(postgresql_server.address("nosuch"))
        assert 'database "nosuch" does not exist' in str(error)
        assert PASSWORD not in shown

    def test_a_database_without_tables_is_not_made_a_store_by_reading(self, postgresql: str) -> None:
        with pytest.raises(StoreDamaged, match="holds no tables of Tunewright"):
            open_store(postgresql, create=False)

    def test_a_database_of_something_else(self, postgresql_server: Server) -> None:
        address = postgresql_server.database()
        postgresql_server.execute("CREATE TABLE jobs (id int)", address.rpartition("/")[2])
        with pytest.raises(StoreDamaged, match="it is a database of something else, with the tables jobs"):
            open_store(address)

    def test_a_user_who_may_not_make_tables(self, postgresql_server: Server) -> None:
        database = postgresql_server.database().rpartition("/")[2]
        postgresql_server.execute("DO $$ BEGIN CREATE ROLE guest LOGIN PASSWORD 'guest'; EXCEPTION WHEN others THEN END $$")
        error, _ = refused(f"postgresql://guest:guest@127.0.0.1:{postgresql_server.port}/{database}")
        assert "permission denied for schema public" in str(error)
        assert "owner" in str(error)

    def test_a_store_says_where_it_is_without_the_password(self, postgresql: str) -> None:
        with closing(open_store(postgresql)) as store:
            assert store.location is not None
            assert PASSWORD not in store.location
            assert store.location.startswith("postgresql://tuner:***@127.0.0.1:")
            assert PASSWORD not in repr(store)


# --- connections that break ---


def write_some(store: Store) -> Fence:
    store.create(a_job())
    fence = claimed(store)
    store.commit([a_trial(0), an_execution(0)], fence)
    return fence


def commit_one_of_each(store: Store, fence: Fence) -> int:
    """A commit that would show if it were carried out twice."""
    reports = Reports(0, 1, 0, [Report(1, {"loss": 0.5}, 1.0)])
    return store.commit([a_trial(1), reports, Decision(Action.STOP, "bad", trial=0)], fence)


@pytest.mark.slow
class TestBrokenConnections:
    @pytest.fixture
    def proxy(self, postgresql_server: Server) -> Iterator[CuttingProxy]:
        proxy = CuttingProxy(postgresql_server.port)
        yield proxy
        proxy.close()

    @pytest.fixture
    def store(self, postgresql: str, postgresql_server: Server, proxy: CuttingProxy) -> Iterator[Store]:
        with closing(open_store(postgresql.replace(f":{postgresql_server.port}/", f":{proxy.port}/"))) as store:
            yield store

    @pytest.mark.parametrize("cut", ["before", "after", "frozen"])
    def test_a_commit_whose_connection_breaks_is_carried_out_once(self, store: Store, proxy: CuttingProxy, cut: Cut) -> None:
        fence = write_some(store)
        proxy.cut = cut
        last = commit_one_of_each(store, fence)
        assert proxy.cuts == 1
        assert [event.number for event in store.read(Events("job"))] == [*range(1, last + 1)] == [*range(1, 8)]
        assert [trial.number for trial in store.read(Trials("job"))] == [0, 1]
        assert len([*store.read(Decisions("job"))]) == len([*store.read(Points("job"))]) == 1

    @pytest.mark.parametrize("cut", ["before", "after", "frozen"])
    def test_so_are_all_other_writes(self, store: Store, proxy: CuttingProxy, cut: Cut) -> None:
        writes: list[Callable[[], object]] = [
            lambda: store.create(TuningJob("other", {})),
            lambda: store.claim("other", "me", 60.0),
            lambda: store.request("other", Command("stop")),
        ]
        for number, write in enumerate(writes, 1):
            proxy.cut = cut
            assert write() is not False
            assert proxy.cuts == number
            (job,) = store.read(Jobs())
            assert job.event == number, "every write is one event"
        assert (job.owner, job.fence) == ("me", 1)


@pytest.mark.slow
class TestRestartedServer:
    def test_a_store_waits_for_its_server(self, own_server: Server) -> None:
        with closing(open_store(own_server.database())) as store:
            fence = write_some(store)
            own_server.stop()
            back = Timer(1.5, own_server.start)
            back.start()
            readers = [Thread(target=lambda: [*store.read(Jobs())]) for _ in range(4)]
            for reader in readers:
                reader.start()
            commit_one_of_each(store, fence)
            back.join()
            for reader in readers:
                reader.join()
            assert [event.number for event in store.read(Events("job"))] == [*range(1, 8)]
            own_server.restart()  # with idle connections in the pool
            assert len([*store.read(Trials("job"))]) == 2

    def test_a_server_that_stays_away_is_given_up(self, own_server: Server) -> None:
        with closing(open_store(f"{own_server.database()}?timeout=1.5")) as store:
            fence = write_some(store)
            own_server.stop()
            begun = time.monotonic()
            with pytest.raises(StoreUnreachable, match=r"tuner:\*\*\*@.* can't be reached for 1\.5 s: .*refused"):
                commit_one_of_each(store, fence)
            waited = time.monotonic() - begun
            assert waited >= 1.5
            begun = time.monotonic()
            store.release(fence)  # says nothing: the lease ends by itself
            with pytest.raises(StoreUnreachable):
                _ = [*store.read(Jobs())]
            assert time.monotonic() - begun < 1.5, "what was given up isn't waited for again"
            own_server.start()
            commit_one_of_each(store, fence)
            own_server.restart(away=0.5)
            assert len([*store.read(Trials("job"))]) == 2, "it is waited for again once it was there"
