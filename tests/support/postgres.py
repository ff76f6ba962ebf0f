"""Debian's PostgreSQL on loopback, for the tests of one file: `with PostgresServer() as server: server.url`."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg2


class PostgresServer:
    """A cluster of its own in a temporary folder. PostgreSQL refuses root, so root starts it as Debian's `postgres`."""

    user = "loader"
    password = "pw-of-the-loader"

    def __enter__(self) -> PostgresServer:
        self.folder = Path(tempfile.mkdtemp(prefix="puretalk-postgres-", dir="/tmp"))  # a short path for the socket
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        secret = self.folder / "password"
        secret.write_text(self.password)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            for path in (self.folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run(
            "initdb",
            "-U",
            self.user,
            f"--pwfile={secret}",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "-N",
            "--wal-segsize=1",
        )
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def process(self) -> int:
        """The id of the process that starts one for each connection."""
        return int((self.folder / "cluster" / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off"
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop", is_checked=False)

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query, times in UTC; none for a statement without rows."""
        connection = psycopg2.connect(self.url, options="-ctimezone=UTC")
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Until its end, files of the server grow to 1 MiB: what new processes of it write beyond is refused, as on a
        full disk. A file of its write-ahead log is not longer."""
        self._execute("prlimit", "--pid", str(self.process), f"--fsize={2**20}:")
        try:
            yield
        finally:
            self._execute("prlimit", "--pid", str(self.process), "--fsize=unlimited:")

    def _run(self, program: str, *arguments: str, is_checked: bool = True) -> None:
        cluster = str(self.folder / "cluster")
        self._execute(str(self.programs / program), "-D", cluster, *arguments, is_checked=is_checked)

    def _execute(self, *command: str, is_checked: bool = True) -> None:
        """Run a program as the owner of the server."""
        if os.geteuid() == 0:
            command = ("runuser", "-u", "postgres", "--", *command)
        subprocess.run(command, check=is_checked, stdout=subprocess.DEVNULL, cwd="/", env={"PATH": os.environ["PATH"]})
