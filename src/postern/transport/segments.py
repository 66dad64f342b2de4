"""Bodies: append-only segment files, `NNNNNNNN.segment` in the queue's folder.

A frame is a head (magic, the message's number, the body's length), the body, and a CRC-32 of the body behind it. A segment is
never appended to after a restart, so a torn tail lies behind everything that an envelope points at and needs no repair. A segment
whose messages are all done is deleted. Used by the committer's thread alone, but for `read`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from postern.model.mail import Chunks, Content
from postern.transport.files import Files
from postern.transport.queued import Location

HEAD = struct.Struct("<4sQQ")
TAIL = struct.Struct("<I")
MAGIC = b"PSTN"
CHUNK = 262_144
WRITE_SIZE = 1_048_576
"""Bytes collected before a write."""
SEGMENT_SIZE = 67_108_864
SPARSE = 16


_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN})
"""Errors that keep a process from reading any file; all others concern this file alone."""


class DamagedBody(Exception):
    """A frame does not hold what was written there, or cannot be read: the disk, or a hand, changed it."""


class SegmentChunks(Chunks):
    """A body's bytes read from its segment as they are asked for, CHUNK at a time. Reading them in order raises DamagedBody at
    the end if they are not what was written: a body that changed while it waited is never sent whole."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._path = path
        self._offset = offset
        self._size = size

    def __len__(self) -> int:
        return max(1, -(-self._size // CHUNK))

    def chunk(self, number: int) -> bytes:
        start = number * CHUNK
        if len(self) > 1:
            return _read(self._path, self._offset + start, min(CHUNK, self._size - start))
        data = _read(self._path, self._offset, self._size + TAIL.size)
        body = data[: self._size]
        self._compare(zlib.crc32(body), data[self._size :])
        return body

    def __iter__(self) -> Iterator[bytes]:
        checksum = 0
        for index in range(len(self)):
            chunk = self[index]
            checksum = zlib.crc32(chunk, checksum)
            yield chunk
        if len(self) > 1:
            self._compare(checksum, _read(self._path, self._offset + self._size, TAIL.size))

    def _compare(self, checksum: int, tail: bytes) -> None:
        if tail != TAIL.pack(checksum):
            raise DamagedBody(f"the checksum of the body at {self._offset - HEAD.size} in {self._path.name} is wrong")

    def remains(self) -> bytes:
        """The octets that can still be read, without a check: for a person to look at."""
        try:
            return _pread(self._path, self._offset, self._size)
        except DamagedBody:
            return b""


def _read(path: Path, offset: int, size: int) -> bytes:
    data = _pread(path, offset, size)
    if len(data) != size:
        raise DamagedBody(f"{path.name} ends within a body")
    return data


def _pread(path: Path, offset: int, size: int) -> bytes:
    """Reads a part of a file. Raises DamagedBody where this very file cannot be read, OSError where no file can be."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _SHORTAGES:
            raise
        raise DamagedBody(f"{path.name} cannot be read: {error.strerror}") from error


def path_of(folder: Path, number: int) -> Path:
    return folder / f"{number:08d}.segment"


def body(folder: Path, location: Location) -> SegmentChunks:
    """A body of the queue in `folder`, for readers that do not hold the queue."""
    return SegmentChunks(path_of(folder, location.segment), location.offset + HEAD.size, location.size)


class Segments:
    """The segments of one queue. `add` writes a batch, `sync` makes it safe, `undo` takes it back."""

    def __init__(self, folder: Path, files: Files, live: dict[int, int], size: int = SEGMENT_SIZE) -> None:
        """`live` says how many messages each segment holds; a segment that is not in it is a left-over and is deleted."""
        self._folder = folder
        self._files = files
        self._size = size
        self._live = dict(live)
        self._current = 0
        """The segment that is appended to; 0: none."""
        self._descriptor = -1
        self._length = 0
        self._mark = 0
        """The offset at which the last batch begins."""
        self._damaged: set[int] = set()
        """Segments with a body that could not be read: they are left as they are."""
        numbers = {int(path.stem) for path in folder.glob("*.segment")}
        self._next = max(numbers | live.keys(), default=0) + 1
        for number in numbers - live.keys():
            files.remove(self.path(number))

    def path(self, number: int) -> Path:
        return path_of(self._folder, number)

    def content(self, location: Location) -> Content:
        """The body as bytes that are read when they are asked for."""
        return Content(body(self._folder, location), location.size)

    def add(self, bodies: Iterable[tuple[int, Content]]) -> list[Location]:
        """Appends bodies, each with its message's number, to one segment. Raises OSError, or ValueError for a content that is
        not as long as it says; then call `undo`."""
        if not self._current or self._length >= self._size:
            self._start()
        self._mark = self._length
        locations: list[Location] = []
        buffers: list[bytes] = []
        waiting = 0
        for message, content in bodies:
            locations.append(Location(self._current, self._length, content.size))
            buffers.append(HEAD.pack(MAGIC, message, content.size))
            checksum = size = 0
            for chunk in content.chunks:
                checksum = zlib.crc32(chunk, checksum)
                buffers.append(chunk)
                size += len(chunk)
                waiting += len(chunk)
                if waiting >= WRITE_SIZE:
                    self._files.write(self._descriptor, buffers)
                    buffers = []
                    waiting = 0
            buffers.append(TAIL.pack(checksum))
            if size != content.size:
                raise ValueError("content is not as long as it says")
            self._length += HEAD.size + size + TAIL.size
        self._files.write(self._descriptor, buffers)
        return locations

    def sync(self) -> None:
        """Makes all added bodies safe. Raises OSError; then call `undo`."""
        self._files.sync(self._descriptor)

    def undo(self) -> None:
        """Takes the last batch back. After a failed write or sync nobody knows what the disk holds, so this segment is not
        appended to again; cutting it short only gives the space back."""
        if self._current:
            with contextlib.suppress(OSError):
                self._files.truncate(self._descriptor, self._mark)
            self._finish()

    def abandon(self) -> None:
        """Leaves this segment as it is until the next start: its bodies are safe, but the commit of their envelopes failed, and
        nobody knows whether it is on the disk."""
        if self._current:
            self._live[self._current] = self._live.get(self._current, 0) + 1
            self._finish()

    def keep(self, location: Location) -> None:
        """Counts a message whose body lies here, now that it is committed."""
        self._live[location.segment] = self._live.get(location.segment, 0) + 1

    def release(self, location: Location) -> None:
        """Uncounts a message that is done, now that this is committed. Its segment goes with the last one."""
        left = self._live[location.segment] - 1
        self._live[location.segment] = left
        if left == 0 and (location.segment != self._current or self._length >= self._size):
            if location.segment == self._current:
                self._finish()
            else:
                self._remove(location.segment)

    def sparse(self) -> list[tuple[int, int]]:
        """Closed segments with so few live messages that moving them may free most of the file: (segment, messages)."""
        left_alone = self._damaged | {self._current}
        return [(n, count) for n, count in self._live.items() if n not in left_alone and 0 < count <= SPARSE]

    def verify(self, message: int, location: Location) -> None:
        """Reads a frame through and compares. A damaged head in front of a body whose checksum is right harms nothing, unless it
        is whole and names another message. Raises DamagedBody, OSError."""
        path = self.path(location.segment)
        try:
            magic, number, size = HEAD.unpack(_read(path, location.offset, HEAD.size))
            if (magic, size) == (MAGIC, location.size) and number != message:
                raise DamagedBody(f"{path.name} has no message {message:x} at {location.offset}")
            for _ in self.content(location).chunks:
                pass
        except DamagedBody:
            self._damaged.add(location.segment)
            raise

    def close(self) -> None:
        if self._current:
            self._finish()

    def _start(self) -> None:
        if self._current:
            self._finish()
        self._descriptor = self._files.create(self.path(self._next))
        self._current = self._next
        self._next += 1
        self._length = self._mark = 0
        self._files.sync_folder(self._folder)

    def _finish(self) -> None:
        self._files.close(self._descriptor)
        finished, self._current = self._current, 0
        if not self._live.get(finished):
            self._remove(finished)

    def _remove(self, number: int) -> None:
        self._live.pop(number, None)
        self._damaged.discard(number)
        self._files.remove(self.path(number))
