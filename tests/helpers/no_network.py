"""Run a Python program that the kernel kills as soon as it asks for the network, to prove that it never does.

`python -m tests.helpers.no_network FILE ARGUMENTS…` installs a filter for system calls (seccomp) and becomes that
program. A socket of the internet's families, which a look-up of a name needs as well, ends the process, or the child of
it that asked, with SIGSYS. Sockets of the display and of D-Bus are of another family. No rights are needed.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from typing import Final

# From linux/audit.h and the tables of system calls: what marks the architecture, and the number of `socket`.
_MACHINES: Final = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
AVAILABLE: Final = sys.platform == "linux" and platform.machine() in _MACHINES
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_KILL_PROCESS, _ALLOW = 0x80000000, 0x7FFF0000
_AF_INET, _AF_INET6 = 2, 10


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def forbid_network() -> None:
    """Have this process killed, and each that it starts, when it makes a socket for IPv4 or IPv6.

    Raises:
        OSError: the kernel takes no filter here.
    """
    architecture, number = _MACHINES[platform.machine()]
    # Where in the kernel's description of a call the architecture, the number and the first argument lie.
    steps = [
        (_LOAD, 0, 0, 4),
        (_JUMP_IF_EQUAL, 0, 6, architecture),
        (_LOAD, 0, 0, 0),
        (_JUMP_IF_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, 16),
        (_JUMP_IF_EQUAL, 1, 0, _AF_INET),
        (_JUMP_IF_EQUAL, 0, 1, _AF_INET6),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    library = ctypes.CDLL(None, use_errno=True)
    program = _Program(len(steps), code)
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program)):
        sent = [ctypes.byref(one) if isinstance(one, _Program) else ctypes.c_ulong(one) for one in arguments]
        if library.prctl(*sent):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))


if __name__ == "__main__":
    try:
        forbid_network()
    except OSError as refusal:
        sys.exit(f"no filter: {refusal}")
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
