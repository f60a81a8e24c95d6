"""The writing end of the pipe to an encoder: pictures are lent to it, not copied.

A write into a pipe copies every byte into fresh pages of the kernel, which the reader copies out of again.
``vmsplice(2)`` puts the picture's own pages into the pipe instead, which takes a third off the whole way to the encoder
(decision 0002). The price: a picture must stay as it is until the reader has taken its last byte.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
import termios
from collections import deque
from collections.abc import Callable
from typing import IO

from edgeseg.frames import Canvas

# Fewer wake-ups per frame; some kernels allow less than a megabyte to an ordinary user.
_PIPE_BYTES = 1 << 20
_NUMBER = struct.Struct("=i")
# What a kernel, a sandbox or another C library says that has no vmsplice for us.
_REFUSALS = {errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EINVAL}


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class RawPipe:
    """Writes to a pipe, blocking. ``write`` and ``picture`` belong to one thread, ``unread_bytes`` to any.

    Args:
        end: the writing end, unbuffered. Somebody else closes it.
        recycle: gets each canvas back when the reader has read it to its last byte.
        lend: whether pictures may be lent; else they are copied.
    """

    def __init__(self, end: IO[bytes], recycle: Callable[[Canvas], None], *, lend: bool = True) -> None:
        self._end = end
        self._fd = end.fileno()
        self._recycle = recycle
        self._taken: deque[tuple[int, Canvas]] = deque()  # with the byte of the pipe that each ends before
        self._vmsplice = _vmsplice() if lend else None
        self.written_bytes = 0
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def unread_bytes(self) -> int:
        """How much lies in the pipe; 0 when it is closed."""
        try:
            answer = fcntl.ioctl(self._end.fileno(), termios.FIONREAD, _NUMBER.pack(0))
        except (OSError, ValueError):
            return 0
        return int(_NUMBER.unpack(answer)[0])

    def write(self, *parts: bytes) -> None:
        """Copy ``parts`` into the pipe.

        Raises:
            OSError: the reader is gone.
        """
        for part in parts:
            done = os.write(self._fd, part)  # at once, as what is not a picture is short
            self.written_bytes += done
            if done < len(part):
                self._copy(memoryview(part)[done:])

    def picture(self, head: bytes, canvas: Canvas) -> None:
        """Write ``head`` and the bytes of ``canvas``, which nobody may touch until it is recycled.

        Raises:
            OSError: the reader is gone; ``release`` recycles what it has not read.
        """
        self._taken.append((self.written_bytes + len(head) + canvas.buffer.nbytes, canvas))
        self.write(head)
        lent = self._lend(canvas)
        if lent < canvas.buffer.nbytes:
            self._copy(canvas.buffer.data[lent:])
        read_bytes = self.written_bytes - self.unread_bytes()
        while self._taken and self._taken[0][0] <= read_bytes:
            self._recycle(self._taken.popleft()[1])

    def release(self) -> None:
        """Recycle all canvases: the reader has ended, and the thread that writes as well."""
        with contextlib.suppress(IndexError):  # two threads may meet here
            while True:
                self._recycle(self._taken.popleft()[1])

    def _copy(self, left: memoryview) -> None:
        while left:
            done = os.write(self._fd, left)
            self.written_bytes += done
            left = left[done:]

    def _lend(self, canvas: Canvas) -> int:
        """How many bytes of ``canvas`` could be lent: all, or none of what is left once the kernel refuses."""
        address, size, done = canvas.buffer.__array_interface__["data"][0], canvas.buffer.nbytes, 0
        while self._vmsplice is not None and done < size:
            vector = _Vector(address + done, size - done)
            count = self._vmsplice(self._fd, ctypes.byref(vector), 1, 0)
            if count >= 0:
                done += count
                self.written_bytes += count
            elif (code := ctypes.get_errno()) in _REFUSALS:
                self._vmsplice = None
            elif code != errno.EINTR:
                raise OSError(code, os.strerror(code))
        return done


def _vmsplice() -> Callable[..., int] | None:
    call = getattr(ctypes.CDLL(None, use_errno=True), "vmsplice", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.POINTER(_Vector), ctypes.c_size_t, ctypes.c_uint)
        call.restype = ctypes.c_ssize_t
    return call
