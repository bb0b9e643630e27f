"""Who holds something: a process, told apart from another one that was later given the same pid."""

import os
import socket
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct


class Holder(Struct, frozen=True):
    """One process. `machine` names the host since its last boot and its process table, where they can be known."""

    pid: int
    host: str
    machine: str = ""
    started: str = ""

    def encode(self) -> str:
        return msgspec.json.encode(self).decode()

    @property
    def is_gone(self) -> bool:
        """True when this process certainly no longer runs: it was on this machine, and its pid is free or another's."""
        return bool(self.machine) and self.machine == _machine() and _started(self.pid) != self.started


def decode_holder(text: str) -> Holder | None:
    """The holder written in a lock file or lease; None when there is none to be read."""
    try:
        return msgspec.json.decode(text, type=Holder)
    except msgspec.MsgspecError:
        return None


def this_process() -> Holder:
    pid = os.getpid()
    return Holder(pid=pid, host=socket.gethostname(), machine=_machine(), started=_started(pid))


@cache
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """The kernel's start time of a process, empty where there is none or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]
