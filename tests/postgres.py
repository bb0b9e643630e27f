"""A real PostgreSQL for tests: its own cluster in a temporary folder, on a free port, with durability left on.

PostgreSQL refuses to run as root, so under root its processes get an unprivileged user. The cluster is stopped through
the process that was started, never by name.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from tests.services import pick_port

OLDEST = 15
START_SECONDS = 30
STOP_SECONDS = 30


def find_binaries() -> Path | None:
    """The newest installed PostgreSQL's folder of programs, 15 or newer; None where there is none."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    candidates = [*reversed(packaged), *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in candidates if _major(path) >= OLDEST), None)


def _major(binaries: Path) -> int:
    postgres = binaries / "postgres"
    if not postgres.exists():
        return 0
    answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True)
    return int(answer.stdout.split()[2].split(".")[0])


class PostgresCluster:
    """One running server. `database()` gives a URL of a fresh, empty database.

    With `tls`, a certificate and its key, both as PEM, it also speaks TLS.
    """

    def __init__(self, binaries: Path, *, tls: tuple[bytes, bytes] | None = None) -> None:
        self._binaries, self._tls = binaries, tls
        self._account = _unprivileged()
        self._password = secrets.token_urlsafe(12)
        self._home = Path(tempfile.mkdtemp(prefix="evenkeel-postgres-"))
        self._data = self._home / "data"
        self._server: subprocess.Popen[bytes] | None = None
        self.port = 0

    @classmethod
    def start(cls, binaries: Path, *, tls: tuple[bytes, bytes] | None = None) -> Self:
        cluster = cls(binaries, tls=tls)
        try:
            cluster._create()
            cluster._launch()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://evenkeel:{self._password}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty database, dropped at the end whoever is still connected."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url(), autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield self.url(name)
        finally:
            with psycopg.connect(self.url(), autocommit=True) as admin:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.send_signal(signal.SIGQUIT)
                self._server.wait(STOP_SECONDS)
            self._server = None
        shutil.rmtree(self._home, ignore_errors=True)

    def _create(self) -> None:
        secret = self._home / "password"
        secret.write_text(self._password)
        if self._account is not None:
            for path in (self._home, secret):
                shutil.chown(path, user=self._account)
        command: list[str | Path] = [self._binaries / "initdb", "--pgdata", self._data, "--username", "evenkeel"]
        command += ["--no-sync", "--auth", "scram-sha-256", "--pwfile", secret, "--encoding", "UTF8", "--locale", "C"]
        self._spawn(command).wait()
        if not (self._data / "postgresql.conf").exists():
            raise RuntimeError(f"initdb made no cluster: {self._log()}")

    def _launch(self) -> None:
        """Start on a free port; another process may take it in between, so try again on another one."""
        for _ in range(3):
            self.port = pick_port()
            settings = {
                "port": self.port,
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": "",
                "fsync": "on",
                "max_connections": 100,
                **self._secured(),
            }
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            self._server = self._spawn([self._binaries / "postgres", "-D", self._data, *options])
            if self._answers():
                return
        raise RuntimeError(f"PostgreSQL did not start: {self._log()}")

    def _secured(self) -> dict[str, object]:
        """The settings of TLS, once certificate and key lie where only the server may read them."""
        if self._tls is None:
            return {}
        files = {"ssl_cert_file": self._home / "server.crt", "ssl_key_file": self._home / "server.key"}
        for path, text in zip(files.values(), self._tls, strict=True):
            path.write_bytes(text)
            path.chmod(0o600)
            if self._account is not None:
                shutil.chown(path, user=self._account)
        return {"ssl": "on", **files}

    def _answers(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._server is not None and self._server.poll() is None:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return True
        return False

    def _spawn(self, command: list[str | Path]) -> subprocess.Popen[bytes]:
        with (self._home / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home,
                user=self._account,
                group=None if self._account is None else pwd.getpwnam(self._account).pw_gid,
                extra_groups=None if self._account is None else [],
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                start_new_session=True,  # Ctrl+C in the terminal must not stop it before the tests are done with it
            )

    def _log(self) -> str:
        return (self._home / "log").read_text(errors="replace")[-2000:]


def _unprivileged() -> str | None:
    """The user the server runs as: None keeps ours, and under root it is `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
