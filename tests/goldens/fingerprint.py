"""Prints the fingerprint that crates/core/src/fingerprint.rs tests against, by its definition, with hashlib.

    python tests/goldens/fingerprint.py
"""

import hashlib
import json
import struct


def shard(header: str, length: int) -> bytes:
    return struct.pack("<Q", len(header)) + header.encode() + bytes(i * 7 % 251 for i in range(length))


FILES = [
    shard(
        '{"a":{"dtype":"U8","shape":[20000],"data_offsets":[0,20000]},'
        '"b":{"dtype":"BF16","shape":[4096],"data_offsets":[20000,28192]}}',
        28192,
    ),
    shard('{"c":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}', 0),
]


def shard_digest(file: bytes) -> bytes:
    start = 8 + struct.unpack("<Q", file[:8])[0]
    digest = hashlib.sha256(file[:start])
    entries = json.loads(file[8:start])
    for begin, end in sorted(entry["data_offsets"] for entry in entries.values()):
        data = file[start + begin : start + end]
        digest.update(data if len(data) <= 8192 else data[:4096] + data[-4096:])
    return digest.digest()


digests = sorted(shard_digest(file) for file in FILES)
print(hashlib.sha256(b"stethoscope.fingerprint/1\n" + struct.pack("<Q", len(FILES)) + b"".join(digests)).hexdigest())
