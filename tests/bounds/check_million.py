#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A cache of a million extents: how long from mount to the first byte out of it,
what that costs in system calls on files and in memory.

Environment: EXTENTS (1000000), EXTENT_BYTES (1024; the cache takes the product
and 72 bytes for each).  The counts and the memory are bounds; the time is
printed, for the machine may be busy.
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'system'))

import harness                                                # noqa: E402
from harness import Mount, Tap, run                           # noqa: E402
from mount_bucket import Bucket                               # noqa: E402

EXTENTS = int(os.environ.get('EXTENTS', 1_000_000))
EXTENT_BYTES = int(os.environ.get('EXTENT_BYTES', 1024))
FILL = os.path.abspath('tests/bounds/fill_cache')
CALLS_MAX = 40_000
RSS_MAX = 64                # bytes of RssAnon an extent
RSS_NOISE = 2 << 20         # two mounts differ by half a MiB: matters to short runs only
SECONDS_WANTED = 0.5
FOLDER_FILES = 1000
SAMPLE = range(0, EXTENTS, max(1, EXTENTS // 100))


def content(i):
    """As fill_cache.c makes it."""
    return str(i).ljust(EXTENT_BYTES - 1).encode() + b'\n'


def name(i):
    return f'{i // FOLDER_FILES:05}/{i:07}'


def entries(bucket, ds):
    for i in range(EXTENTS):
        etag = hashlib.md5(content(i)).hexdigest()
        yield {'relative_path': name(i), 'storage_path': f'{bucket.uri}/{ds}/hashes/{etag}',
               'url': '', 'size': EXTENT_BYTES, 'etag': etag}


class Place:
    """A bucket that has a manifest, and of its objects the first; its mount."""

    def __init__(self, top):
        self.top, self.point, self.cache = top, top + '/datasets', top + '/cache'
        self.segments = self.cache + '/segments'
        os.mkdir(self.point)
        bucket = Bucket(top + '/store')
        ds = bucket.dataset('million')
        bucket.blob(ds, content(0))
        bucket.version(ds, 1, {}, extra=entries(bucket, ds))
        bucket.publish(ds, tags={'latest': 1})
        self.prefix = ds + '/hashes/'
        self.config = harness.write_config(
            top + '/config.yaml', {'b': {'dataset_path': bucket.uri, 'mode': 'read-only'}},
            extra={'cache': {'dir': self.cache, 'size': 1 << 40, 'free': '0%'}})

    def mount(self, prefix=()):
        return Mount(self.config, self.point, self.top + '/log', prefix=prefix)

    def read(self, i):
        with open(f'{self.point}/b/million@1/{name(i)}', 'rb') as f:
            return f.read()

    def fill(self):
        os.makedirs(self.cache, mode=0o700, exist_ok=True)
        shutil.rmtree(self.segments, ignore_errors=True)
        p = subprocess.run([FILL, self.segments, self.top + '/store', self.prefix, str(EXTENTS), str(EXTENT_BYTES)],
                           check=True, stdout=subprocess.PIPE, text=True)
        print('# ' + p.stdout.strip(), flush=True)

    def fetched(self):
        return json.loads(run('status', '--json', self.point, check=True).stdout)['cache']['bytes_fetched']


def rss_anon(pid):
    with open(f'/proc/{pid}/status') as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith('RssAnon'))


def memory_of_one_read(tap, place, what):
    """Of a mount that has served one file."""
    with place.mount() as m:
        tap.equal(place.read(0), content(0), f'{what}: the first file')
        return rss_anon(m.process.pid)


def first_byte(place):
    start = time.monotonic()
    with place.mount():
        data = place.read(EXTENTS - 1)
        took = time.monotonic() - start
        return took, data, place.fetched()


def test_time(tap, place):
    for kind in ('in the page cache', 'not in it'):
        if kind == 'not in it':
            subprocess.run(['sync'], check=True)
            with open('/proc/sys/vm/drop_caches', 'w') as f:
                f.write('3')
        took, data, fetched = first_byte(place)
        tap.equal((data, fetched), (content(EXTENTS - 1), 0), f'the cache directory {kind}: the first read is a hit')
        print(f'# from mount to the first byte: {took:.3f} s (wanted: {SECONDS_WANTED})', flush=True)


def test_content(tap, place):
    with place.mount():
        bad = [i for i in SAMPLE if place.read(i) != content(i)]
        tap.equal((bad, place.fetched()), ([], 0), f'{len(SAMPLE)} files all over it are served, nothing is fetched')


def test_calls(tap, place):
    if not shutil.which('strace'):
        tap.skip('system calls on files', 'not installed: strace (see build-aux/install-deps)')
        return
    counts = place.top + '/strace'
    m = place.mount(['strace', '-f', '-c', '-U', 'calls,name', '-e', 'trace=%file,%desc', '-o', counts])
    with m:
        place.read(EXTENTS - 1)
        # Where strace is told to end it leaves the daemon alone.
        subprocess.run(['umount', place.point], check=True)
        m.process.wait(harness.READY_SECONDS)
        m.process = None
    with open(counts) as f:
        calls = {line.split()[1]: int(line.split()[0]) for line in f if line.split()[0].isdigit()}
    total = calls['total']
    most = sorted((n, call) for call, n in calls.items() if call != 'total')[:-5:-1]
    tap.ok(0 < total < CALLS_MAX, f'{total} system calls on files from mount to its end, < {CALLS_MAX}', most)
    print('# most of all: ' + ', '.join(f'{n} {call}' for n, call in most), flush=True)


def main():
    tap = Tap()
    if os.getuid() != 0 or not os.path.exists('/dev/fuse'):
        tap.skip('a million extents', 'it mounts and drops caches: root and /dev/fuse are needed')
        return tap.done()
    harness.own_namespace()
    with harness.scratch() as top:
        place = Place(top)
        memory_of_one_read(tap, place, 'expanding the tree')
        shutil.rmtree(place.segments)
        empty = memory_of_one_read(tap, place, 'an empty cache')
        place.fill()
        test_time(tap, place)
        test_calls(tap, place)
        full = memory_of_one_read(tap, place, 'a full cache')
        each = (full - empty) / EXTENTS
        tap.ok(full - empty <= max(RSS_MAX * EXTENTS, RSS_NOISE),
               f'{each:.1f} bytes of RssAnon an extent, <= {RSS_MAX}', (empty, full))
        test_content(tap, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
