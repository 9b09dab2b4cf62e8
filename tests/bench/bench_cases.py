# SPDX-License-Identifier: Apache-2.0
"""The cases: which bytes are read, by how many threads, and what the store's
limit for the same is.
"""
import random

MIB = 1 << 20
RANDOM_READS = {4096: 2000, 256 << 10: 1000}    # of 1 GiB; the chunks of them overlap little


class Case:
    threads, shared, unit, walks, version = 1, False, 'files/s', False, 'data'
    limit_unit = 'requests'     # or 'bytes'
    in_flight = None            # None: the best of bench_limit.IN_FLIGHT

    def __init__(self, name, title, reads, **settings):
        """reads(data, n_small): a list of (offset, length, File)."""
        self.name, self.title, self.reads = name, title, reads
        self.__dict__.update(settings)

    def rate(self, answer):
        if self.unit == 'MiB/s':
            return answer['bytes'] / MIB / answer['seconds']
        return answer.get('items', answer.get('requests')) / answer['seconds']


def whole(files):
    return [(0, f.size, f) for f in files]


def in_parts(reads, part):
    """The same bytes in the pieces that a client fetches side by side."""
    for offset, length, file in reads:
        for at in range(offset, offset + length, part):
            yield at, min(part, offset + length - at), file


def at_random(size):
    def reads(data, _):
        blocks = data.big.size // size
        n = min(RANDOM_READS[size] * data.big.size // (1024 * MIB), blocks)
        return [(i * size, size, data.big) for i in random.Random(size).sample(range(blocks), n)]
    return reads


def in_order(data, n):
    return whole(data.small[:n])


def shuffled(data, n):
    files = data.small[:n]
    return whole(random.Random(3).sample(files, len(files)))


STREAM = dict(unit='MiB/s', limit_unit='bytes')
RANDOM = dict(unit='reads/s', threads=16, shared=True, in_flight=16)

CASES = [
    Case('seq1', 'sequential, 1 stream', lambda d, _: whole([d.big]), **STREAM),
    Case('seq1u', 'sequential, 1 stream, unverifiable', lambda d, _: whole([d.big]), version='plain', **STREAM),
    Case('seq4', 'sequential, 4 streams', lambda d, _: whole(d.streams), threads=4, **STREAM),
    Case('rand4k', 'random 4 KiB, 16 threads', at_random(4096), **RANDOM),
    Case('rand256k', 'random 256 KiB, 16 threads', at_random(256 << 10), **RANDOM),
    Case('tree1', 'files of 16 KiB, tree order, 1 reader', in_order),
    Case('tree16', 'files of 16 KiB, tree order, 16 readers', in_order, threads=16),
    Case('shuf1', 'files of 16 KiB, shuffled, 1 reader', shuffled),
    Case('shuf16', 'files of 16 KiB, shuffled, 16 readers', shuffled, threads=16, in_flight=16),
    Case('lstat', 'readdir + lstat of the files', None, unit='entries/s', walks=True),
]
BY_NAME = {c.name: c for c in CASES}
