"""Debian's PostgreSQL on loopback, for the tests of one file: `with PostgresServer() as server: server.url`."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
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
        self._run("initdb", "-U", self.user, f"--pwfile={secret}", "-A", "scram-sha-256", "-E", "UTF8", "-N")
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

    def _run(self, program: str, *arguments: str, is_checked: bool = True) -> None:
        command = [str(self.programs / program), "-D", str(self.folder / "cluster"), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=is_checked, stdout=subprocess.DEVNULL, cwd="/", env={"PATH": os.environ["PATH"]})
