"""The table that a checkpoint's index is, read and written entry by entry: for hostile ones."""

import struct
from collections.abc import Sequence

from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c

MAGIC = 0xDB4775248B80FB57
Entries = Sequence[tuple[bytes, bytes]]


def read_table(table: bytes) -> list[tuple[bytes, bytes]]:
    """All entries of a table, in order."""
    at = len(table) - 48
    numbers = []
    for _ in range(4):  # where the block about blocks is, and the index of blocks
        number, at = _read_number(table, at)
        numbers.append(number)
    entries = []
    for _, handle in _entries(table[numbers[2] : numbers[2] + numbers[3]]):
        offset, at = _read_number(handle, 0)
        size, _ = _read_number(handle, at)
        entries += _entries(table[offset : offset + size])
    return entries


def write_table(entries: Entries) -> bytes:
    """A table of one block, with checksums that are right."""
    data = _block(entries)
    table = _sealed(data)
    about = len(table), _block([])
    table += _sealed(about[1])
    index = len(table), _block([(entries[-1][0] + b"x", _number(0) + _number(len(data)))])
    table += _sealed(index[1])
    places = b"".join(_number(at) + _number(len(block)) for at, block in (about, index))
    return table + places.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return number, at


def _number(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def _entries(block: bytes) -> list[tuple[bytes, bytes]]:
    (restarts,) = struct.unpack("<I", block[-4:])
    at, end, key, entries = 0, len(block) - 4 - 4 * restarts, b"", []
    while at < end:
        shared, at = _read_number(block, at)
        own, at = _read_number(block, at)
        size, at = _read_number(block, at)
        key, at = key[:shared] + block[at : at + own], at + own
        entries.append((key, block[at : at + size]))
        at += size
    return entries


def _block(entries: Entries) -> bytes:
    out, starts = b"", []
    for key, value in entries:
        starts.append(len(out))
        out += _number(0) + _number(len(key)) + _number(len(value)) + key + value
    starts = starts or [0]
    return out + struct.pack(f"<{len(starts) + 1}I", *starts, len(starts))


def _sealed(block: bytes) -> bytes:
    crc = crc32c(block + b"\0")
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return block + b"\0" + struct.pack("<I", masked)
