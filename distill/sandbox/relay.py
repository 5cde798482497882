"""A container inherits no socket; it connects to one in a folder that it sees, and is relayed."""

import os
import selectors
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 60.0
"""Seconds in which a container must connect."""


@contextmanager
def relayed(file: int) -> Iterator[Path]:
    """A folder with a `socket`; who connects first is connected with the socket `file`.

    The folder is for mounting; on this machine nobody but this user can reach it.
    """
    with tempfile.TemporaryDirectory(prefix="distill-") as private:
        folder = Path(private, "peer")
        folder.mkdir(mode=0o755)
        near = socket.socket(fileno=os.dup(file))
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o666)
        listener.listen(1)
        listener.settimeout(PATIENCE)
        thread = threading.Thread(target=_relay, args=(listener, near), daemon=True)
        thread.start()
        try:
            yield folder
        finally:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody:
                nobody.connect(str(folder / "socket"))  # ends the wait, if it still waits
            with suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)
            thread.join()


def _relay(listener: socket.socket, near: socket.socket) -> None:
    """Copy bytes in both directions until either side ends."""
    with near, suppress(OSError):
        with listener:
            far, _ = listener.accept()
        with far, selectors.DefaultSelector() as selector:
            far.settimeout(None)
            for one, other in ((near, far), (far, near)):
                selector.register(one, selectors.EVENT_READ, other)
            while True:
                for key, _ in selector.select():
                    data = os.read(key.fd, 1 << 16)
                    if not data:
                        return
                    key.data.sendall(data)
