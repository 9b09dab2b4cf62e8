#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A cache of a million extents: how long from mount to the first byte out of it,
what that costs in system calls on files and in memory; and what it costs where
they are of 1 MiB, so that only 62 of them are in a segment.

Environment: EXTENTS (1000000), EXTENT_BYTES (1024; the cache takes the product
and 72 bytes for each).  The counts and the memory are bounds; the time is
printed, for the machine may be busy.
"""
import hashlib
import json
import os
import resource
import shutil
import signal
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
MIB_EXTENTS = 62            # of 1 MiB, in a segment of 64 MiB
MIB_SEGMENTS = -(-1_000_000 // MIB_EXTENTS)
CALLS_OF_SEGMENT = 2
DESCRIPTORS_OF_SEGMENT = 4  # that the limit must leave: segments_max() in disk_cache.c
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

    def fill(self, n=EXTENTS, per_segment=EXTENTS):
        """Its segments."""
        os.makedirs(self.cache, mode=0o700, exist_ok=True)
        shutil.rmtree(self.segments, ignore_errors=True)
        p = subprocess.run([FILL, self.segments, self.top + '/store', self.prefix, str(n), str(EXTENT_BYTES),
                            str(per_segment)], check=True, stdout=subprocess.PIPE, text=True)
        print('# ' + p.stdout.strip(), flush=True)
        return len(os.listdir(self.segments))

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


def calls_on_files(place, i):
    """Of a mount until it has served file i, by name; it is killed then."""
    counts = place.top + '/strace'
    m = place.mount(['strace', '-f', '-c', '-U', 'calls,name', '-e', 'trace=%file,%desc', '-o', counts])
    with m:
        data = place.read(i)
        fetched = place.fetched()
        # Where strace is told to end it leaves the daemon alone.
        os.kill(tracee(m.process.pid), signal.SIGKILL)
        m.process.wait(harness.READY_SECONDS)
        m.process = None
    with open(counts) as f:
        calls = {line.split()[1]: int(line.split()[0]) for line in f if line.split()[0].isdigit()}
    most = sorted((n, call) for call, n in calls.items() if call != 'total')[:-5:-1]
    print('# most of all: ' + ', '.join(f'{n} {call}' for n, call in most), flush=True)
    return calls['total'], (data, fetched) == (content(i), 0)


def tracee(pid):
    with open(f'/proc/{pid}/task/{pid}/children') as f:
        return int(f.read().split()[0])


def test_calls(tap, place):
    """That of the full cache; and with as many segments as extents of 1 MiB
    would need, or as this machine has descriptors for."""
    if not shutil.which('strace'):
        tap.skip('system calls on files', 'not installed: strace (see build-aux/install-deps)')
        return
    total, is_right = calls_on_files(place, EXTENTS - 1)
    tap.ok(is_right and 0 < total < CALLS_MAX,
           f'{total} system calls on files from mount to the first byte, < {CALLS_MAX}')
    few = place.fill(MIB_EXTENTS, MIB_EXTENTS)
    base, is_right = calls_on_files(place, 0)
    tap.ok(is_right and few == 1, f'{base} calls where there is one segment', few)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    n = min(MIB_SEGMENTS, EXTENTS // MIB_EXTENTS, hard // DESCRIPTORS_OF_SEGMENT - 10)
    many = place.fill(n * MIB_EXTENTS, MIB_EXTENTS)
    total, is_right = calls_on_files(place, n * MIB_EXTENTS - 1)
    kept = len(os.listdir(place.segments))
    each = (total - base) / (many - few)
    whole = base + each * MIB_SEGMENTS
    tap.ok(is_right and kept >= many == n, f'{many} segments of {MIB_EXTENTS} extents: all are found', (kept, n))
    tap.ok(each < CALLS_OF_SEGMENT + 0.1, f'... {total} calls on files, {each:.3f} a segment, <= {CALLS_OF_SEGMENT}')
    tap.ok(whole < CALLS_MAX, f'... of {MIB_SEGMENTS}, a million extents of 1 MiB: {whole:.0f}, < {CALLS_MAX}')


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
        full = memory_of_one_read(tap, place, 'a full cache')
        each = (full - empty) / EXTENTS
        tap.ok(full - empty <= max(RSS_MAX * EXTENTS, RSS_NOISE),
               f'{each:.1f} bytes of RssAnon an extent, <= {RSS_MAX}', (empty, full))
        test_content(tap, place)
        test_calls(tap, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
