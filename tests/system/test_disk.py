#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The disk cache under what happens to disks: the daemon is killed while it is
read, bits flip, files are cut and their pieces change places, the file system
is full, shut down, cut off or taken away.  No read is ever wrong or fails.

Environment, for more than make check has time for: DISK_KILLS (6), DISK_DAMAGES
(3: rounds of 50 flipped bits, 10 files cut, 10 swaps), DISK_SEED.
"""
import contextlib
import fcntl
import json
import os
import random
import subprocess
import sys
import threading
import time

import harness
from harness import Mount, Tap, run
from mount_bucket import Bucket

KILLS = int(os.environ.get('DISK_KILLS', 6))
DAMAGES = int(os.environ.get('DISK_DAMAGES', 3))
MIB = 1 << 20
CACHE_SIZE = 128 * MIB
SEGMENT = CACHE_SIZE // 8
READERS = 4
EXT4_SHUTDOWN = 0x8004587d      # EXT4_IOC_SHUTDOWN: _IOR('X', 125, u32)
NO_LOG_FLUSH = 2


class Place:
    """A bucket, its files by name, and a mount of it with a cache of its own."""

    def __init__(self, top, rng):
        self.top, self.rng = top, rng
        self.point, self.cache = top + '/datasets', top + '/cache'
        self.log = top + '/log'
        os.mkdir(self.point)
        bucket = Bucket(top + '/store')
        ds = bucket.dataset('disk')
        self.files = {f'small/{i:03}': rng.randbytes(rng.randrange(1, 200_000)) for i in range(200)}
        self.files.update({f'large/{i}': rng.randbytes(20 * MIB + i) for i in range(2)})
        bucket.version(ds, 1, self.files)
        bucket.publish(ds, tags={'latest': 1})
        self.total = sum(map(len, self.files.values()))

    def mount(self, cache=None):
        config = harness.write_config(
            self.top + '/config.yaml', {'b': {'dataset_path': f'file://{self.top}/store', 'mode': 'read-only'}},
            extra={'cache': {'dir': cache or self.cache, 'size': CACHE_SIZE, 'free': '0%'}})
        return Mount(config, self.point, self.log)

    def path(self, name):
        return f'{self.point}/b/disk@1/{name}'

    def wrong(self, names=None):
        """What does not read as it was written, with the page cache left out."""
        with open('/proc/sys/vm/drop_caches', 'w') as f:
            f.write('1')
        bad = []
        for name in names or self.files:
            try:
                with open(self.path(name), 'rb') as f:
                    if f.read() != self.files[name]:
                        bad.append(f'{name}: other bytes')
            except OSError as e:
                bad.append(f'{name}: {e}')
        return bad

    def cache_status(self):
        p = run('status', '--json', self.point, check=True)
        return json.loads(p.stdout)['cache']

    def verify(self):
        """What is right of the store, and what was found of the cache."""
        p = run('-c', self.top + '/config.yaml', 'dataset', 'verify', '--json', '-m', self.point, 'b/disk')
        doc = json.loads(p.stdout)
        return doc['not_read']['files'], doc['cache']

    def settle(self):
        """Until what was read is on the disk."""
        before = None
        while (now := self.cache_status()['disk']['records']) != before:
            before = now
            time.sleep(0.2)


@contextlib.contextmanager
def load(place):
    """Readers at random, whose failures are listed; [] is well."""
    end, failures = threading.Event(), []

    def read_on(seed):
        rng, names = random.Random(seed), sorted(place.files)
        while not end.is_set():
            name = rng.choice(names)
            try:
                with open(place.path(name), 'rb', buffering=0) as f:
                    data, want = b'', place.files[name]
                    if len(want) > MIB:
                        at = rng.randrange(len(want) - 100_000)
                        want = want[at:at + 100_000]
                        f.seek(at)
                    # A read that fails half-way is short; the next one says why.
                    while len(data) < len(want) and (block := f.read(len(want) - len(data))):
                        data += block
                    if data != want:
                        failures.append(f'{name}: other bytes')
            except OSError as e:
                failures.append(f'{name}: {e}')

    threads = [threading.Thread(target=read_on, args=(i,)) for i in range(READERS)]
    for t in threads:
        t.start()
    try:
        yield failures
    finally:
        end.set()
        for t in threads:
            t.join()


def only_death(failures):
    """Those that are no sign of the daemon's end."""
    return [x for x in failures if 'Errno 107' not in x and 'Errno 103' not in x and 'Errno 2]' not in x]


def test_kills(tap, place):
    bad, fetched_again = [], []
    with place.mount():
        bad += place.wrong()
        place.settle()
    for _ in range(KILLS):
        # Something to write in the meantime: a segment less.
        lost = place.rng.choice(os.listdir(place.cache + '/segments'))
        removed = os.path.getsize(f'{place.cache}/segments/{lost}')
        os.unlink(f'{place.cache}/segments/{lost}')
        m = place.mount().start()
        with load(place) as failures:
            time.sleep(place.rng.uniform(0.05, 0.6))
            m.kill()
            subprocess.run(['umount', '-l', place.point], check=True)
        bad += only_death(failures)
        with place.mount():
            bad += place.wrong()
            fetched_again.append(place.cache_status()['bytes_fetched'] - removed)
            place.settle()
    most = max(fetched_again)
    tap.ok(not bad, f'{KILLS} kills: every byte is right', bad[:5])
    tap.ok(most <= 0.05 * place.total + SEGMENT,
           f'... and at most {most / place.total:.1%} more than was removed is fetched again, the open segment',
           fetched_again)


def damage(rng, cache):
    """50 flipped bits, 10 files cut, 10 swaps of pieces, wherever they fall."""
    names = [os.path.join(folder, n) for folder, _, files in os.walk(cache) for n in files]
    for kind in ['flip'] * 50 + ['swap'] * 10 + ['cut'] * 10:
        path = rng.choice(names)
        size = os.stat(path).st_size
        if size < 2:
            continue
        with open(path, 'r+b') as f:
            if kind == 'cut':
                f.truncate(rng.randrange(size))
            elif kind == 'flip':
                at = rng.randrange(size)
                f.seek(at)
                byte = f.read(1)[0] ^ 1 << rng.randrange(8)
                f.seek(at)
                f.write(bytes([byte]))
            else:
                n = rng.randrange(1, min(size // 2, 100_000) + 1)
                a, b = rng.randrange(size - n + 1), rng.randrange(size - n + 1)
                f.seek(a)
                first = f.read(n)
                f.seek(b)
                second = f.read(n)
                f.seek(a)
                f.write(second)
                f.seek(b)
                f.write(first)


def test_damage(tap, place):
    bad, again = [], 0
    for _ in range(DAMAGES):
        with place.mount():
            bad += place.wrong()
            place.settle()
        damage(place.rng, place.cache)
        with place.mount():
            bad += place.wrong()
            bad += place.wrong()
            again += place.cache_status()['bytes_fetched']
            place.settle()
    tap.ok(not bad, f'{DAMAGES} rounds of damage to the whole cache directory: every byte is right', bad[:5])
    tap.ok(again > 0, f'... and what was damaged is fetched again, {again / MIB:.0f} MiB')
    # What was beside something damaged came from the store with it, and was not
    # looked at on the disk yet: verify reads that too.
    with place.mount():
        bad = place.wrong()
        place.settle()
        right, cache = place.verify()
    tap.ok(not bad and right == len(place.files) and cache['damaged'] == cache['refetched'],
           f'... {cache["damaged"]} of {cache["records"]} records nobody read since, which verify mends', (bad, cache))
    # A damaged record may lie below one that covers its bytes: it is met once that one was looked at.
    with place.mount():
        place.verify()
        place.settle()
    with place.mount():
        bad = place.wrong()
        fetched = place.cache_status()['bytes_fetched']
        right, cache = place.verify()
    tap.ok(not bad and right == len(place.files) and (fetched, cache['damaged']) == (0, 0),
           '... and then it is whole', (bad[:5], fetched, right, cache))


@contextlib.contextmanager
def loop_ext4(top, name):
    """A small ext4 on a loop device; its backing file, its mount point."""
    image, point = f'{top}/{name}.img', f'{top}/{name}'
    os.mkdir(point)
    with open(image, 'wb') as f:
        f.truncate(256 * MIB)
    subprocess.run(['mkfs.ext4', '-q', '-F', image], check=True)
    subprocess.run(['mount', '-o', 'loop,errors=continue', image, point], check=True)
    try:
        yield image, point
    finally:
        subprocess.run(['umount', '-l', point], stderr=subprocess.DEVNULL)
        os.unlink(image)


def fill(point):
    with open(point + '/filler', 'wb', buffering=0) as f, contextlib.suppress(OSError):
        while True:
            f.write(b'x' * MIB)


def shut_down(point):
    fd = os.open(point, os.O_RDONLY)
    fcntl.ioctl(fd, EXT4_SHUTDOWN, NO_LOG_FLUSH.to_bytes(4, 'little'))
    os.close(fd)


DISASTERS = [
    ('is full', lambda image, point: fill(point)),
    ('is shut down', lambda image, point: shut_down(point)),
    ('loses its backing file', lambda image, point: os.truncate(image, 0)),
    ('is unmounted lazily', lambda image, point: subprocess.run(['umount', '-l', point], check=True)),
]


def test_disasters(tap, place):
    for i, (what, happen) in enumerate(DISASTERS):
        with loop_ext4(place.top, f'disk{i}') as (image, point), place.mount(point + '/cache') as m:
            bad = place.wrong(sorted(place.files)[::3])
            with load(place) as failures:
                time.sleep(0.3)
                happen(image, point)
                time.sleep(1)
            bad += failures + place.wrong() + place.wrong()
            tap.ok(not bad, f'the cache disk {what}: no read fails', (bad[:5], m.log()[-500:]))


def main():
    tap = Tap()
    if os.getuid() != 0 or not os.path.exists('/dev/fuse'):
        tap.skip('the disk cache', 'it mounts file systems: root and /dev/fuse are needed')
        return tap.done()
    harness.own_namespace()
    seed = int(os.environ.get('DISK_SEED', time.time_ns() % 1_000_000))
    print(f'# DISK_SEED={seed}', flush=True)
    with harness.scratch() as top:
        place = Place(top, random.Random(seed))
        for name, fn in (('kills', test_kills), ('damage', test_damage), ('disasters', test_disasters)):
            if not sys.argv[1:] or name in sys.argv[1:]:
                fn(tap, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
