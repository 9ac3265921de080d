"""Prints in which order examples are learnt, and in which blocks, for a seed and an epoch: `Order` by its definition.

Numbers are drawn as `stethoscope_core::random` describes: Philox4x32-10 (Salmon et al., 2011), keyed by SHA-256. Needs Python alone.
`crates/lm/src/training/data/tests/ordering.rs` has what it prints.

    python tests/goldens/training_order.py
"""

import hashlib
import struct

MASK = 0xFFFFFFFF


def philox(counter, key):
    (a, b, c, d), (k, l) = counter, key
    for _ in range(10):
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (right >> 32) ^ b ^ k, right & MASK, (left >> 32) ^ d ^ l, left & MASK
        k, l = (k + 0x9E3779B9) & MASK, (l + 0xBB67AE85) & MASK
    return a, b, c, d


def words(seed, name):
    digest = hashlib.sha256(b"stethoscope.random/1\0" + struct.pack("<Q", seed) + name.encode()).digest()
    key = struct.unpack("<II", digest[:8])
    quad = 0
    while True:
        yield from philox((quad & MASK, quad >> 32, 0, 0), key)
        quad += 1


def shuffle(items, draws):
    for last in range(len(items) - 1, 0, -1):
        other = next(draws) * (last + 1) >> 32
        items[last], items[other] = items[other], items[last]


def blocks(lengths, block, seed, epoch):
    draws = words(seed, f"freeze.order/{epoch}")
    order = list(range(len(lengths)))
    shuffle(order, draws)
    packed = []
    for example in order:
        room = lambda one: block - sum(lengths[other] for other in one)
        fitting = [one for one in packed if room(one) >= lengths[example]]
        if fitting:
            fitting[0].append(example)
        else:
            packed.append([example])
    shuffle(packed, draws)
    return packed


for epoch in range(2):
    print(blocks([5, 3, 8, 2, 7, 4, 1, 6, 9, 2], 10, 42, epoch))
