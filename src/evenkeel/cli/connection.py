"""HTTP over the private socket of a home; apart from its callers, since it loads what `--help` has no use for."""

import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path

__all__ = ["Connection", "HTTPException"]


class Connection(HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
