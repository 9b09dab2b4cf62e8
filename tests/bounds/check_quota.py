#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many readers of ten times what the cache may hold, from a store on loopback:
the cache directory stays within its size, the daemon within its memory, and
every byte is right.

Environment: QUOTA_SECONDS (600), QUOTA_MIB (256: cache.size), QUOTA_SEED.  How
long anything took is printed and bounds nothing, for the machine may be busy.
What a read can wait of an eviction is the disk cache's lock, held for work on
the index and never over a disk: the longest wait is wanted below 50 ms where
nothing else runs.
"""
import contextlib
import hashlib
import json
import mmap
import multiprocessing
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'system'))

import ds_servers                                             # noqa: E402
import harness                                                # noqa: E402
from harness import Mount, Tap, run                           # noqa: E402
from mount_bucket import Bucket, etag_of                      # noqa: E402

MIB = 1 << 20
SECONDS = int(os.environ.get('QUOTA_SECONDS', 600))
SIZE = int(os.environ.get('QUOTA_MIB', 256)) * MIB
READERS = 16
OPEN_FILES, OPEN_BYTES, OPEN_STEP = 1000, 16 * MIB, MIB // 4
OVER_MAX = 64 * MIB         # what the cache directory may take beyond its size
RSS_MAX = 256 * MIB
WAIT_WANTED_MS = 50
SAMPLE_SECONDS = 0.05
ZEROS = hashlib.md5(bytes(OPEN_BYTES // 2 - 8))


class Place:
    """What is in the bucket, by name, as paths of the objects; its mount."""

    def __init__(self, top, rng):
        self.top, self.rng = top, rng
        self.point, self.cache = top + '/datasets', top + '/cache'
        self.www = top + '/www'
        os.mkdir(self.point)
        self.bucket = Bucket(self.www + '/quota', uri='s3://quota')
        self.ds = self.bucket.dataset('set')
        self.entries, self.objects = [], {}
        for kind, size in (('small', 24 << 10), ('medium', 2 * MIB), ('large', 50 * MIB)):
            for i in range(10 * SIZE // 3 // size):
                self.add(f'{kind}/{i:05}', rng.randbytes(size + i % 1000))
        self.total = sum(e['size'] for e in self.entries)
        for i in range(OPEN_FILES):
            self.add_open(i)
        self.bucket.version(self.ds, 1, {}, extra=self.entries)
        self.bucket.publish(self.ds, tags={'latest': 1})

    def entry(self, name, uri, size, etag):
        self.entries.append({'relative_path': name, 'storage_path': uri, 'url': '', 'size': size, 'etag': etag})
        self.objects[name] = self.www + uri[len('s3:/'):]

    def add(self, name, data):
        self.entry(name, self.bucket.blob(self.ds, data), len(data), etag_of(data))

    def add_open(self, i):
        """A file of two parts, each nothing but zeros and i at its end: quickly made."""
        name, half = f'open/{i:04}', OPEN_BYTES // 2
        part = ZEROS.copy()
        part.update(i.to_bytes(8, 'little'))
        etag = hashlib.md5(part.digest() * 2).hexdigest() + '-2'
        key = f'{self.ds}/hashes/{etag}'
        with open(f'{self.www}/quota/{key}', 'wb') as f:
            for end in (half, 2 * half):
                f.seek(end - 8)
                f.write(i.to_bytes(8, 'little'))
        self.entry(name, f's3://quota/{key}', OPEN_BYTES, etag)

    def mount(self, endpoint):
        config = harness.write_config(
            self.top + '/config.yaml',
            {'quota': {'dataset_path': 's3://quota', 'mode': 'read-only', 'region': 'us-east-1',
                       'default_credential': {'access_key_id': 'unused', 'access_key': 'unused',
                                              'override_url': endpoint, 'addressing_style': 'path'}}},
            extra={'buckets': {'quota': {'catalog': f'file://{self.www}/quota'}},
                   'cache': {'dir': self.cache, 'size': SIZE, 'free': '0%'}})
        return Mount(config, self.point, self.top + '/log')

    def path(self, name):
        return f'{self.point}/quota/set@1/{name}'

    def status(self):
        return json.loads(run('status', '--json', self.point, check=True).stdout)


def taken(cache, pid):
    """Bytes of all files of the cache directory, also of those that only the
    daemon has still open; the larger of length and blocks."""
    files = {}
    paths = [os.path.join(folder, n) for folder, _, names in os.walk(cache) for n in names]
    with contextlib.suppress(OSError):
        paths += [f'/proc/{pid}/fd/{n}' for n in os.listdir(f'/proc/{pid}/fd')]
    for path in paths:
        with contextlib.suppress(OSError):      # it was just removed, closed
            st = os.stat(path)
            if path.startswith(cache) or os.readlink(path).startswith(cache + '/'):
                files[st.st_ino] = max(st.st_size, st.st_blocks * 512)
    return sum(files.values())


def rss_anon(pid):
    with open(f'/proc/{pid}/status') as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith('RssAnon'))


class Watch:
    """The most that was taken of disk and memory while it lasts."""

    def __init__(self, cache, pid):
        self.cache, self.pid = cache, pid
        self.taken = self.rss = self.samples = 0
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.end.wait(SAMPLE_SECONDS):
            self.taken = max(self.taken, taken(self.cache, self.pid))
            self.rss = max(self.rss, rss_anon(self.pid))
            self.samples += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()


class Reader:
    """Reads files piece by piece and compares them; bad: what was not right."""

    def __init__(self, place):
        self.place, self.bad = place, []
        self.bytes, self.slowest = 0, 0.0

    @contextlib.contextmanager
    def file(self, name):
        """Its descriptor and what it should be; its pages are not kept."""
        fd = os.open(self.place.path(name), os.O_RDONLY)
        with open(self.place.objects[name], 'rb') as f, \
                mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as whole, memoryview(whole) as want:
            try:
                yield fd, want
            finally:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(fd)

    def piece(self, name, fd, want, at, size):
        start = time.monotonic()
        got = os.pread(fd, size, at)
        self.slowest = max(self.slowest, time.monotonic() - start)
        self.bytes += len(got)
        if not got or got != want[at:at + len(got)]:
            self.bad.append(f'{name} at {at}: {len(got)} bytes, other ones' if got else f'{name} ends at {at}')
            return len(want)
        return len(got)

    def whole(self, name):
        with self.file(name) as (fd, want):
            at = 0
            while at < len(want):
                at += self.piece(name, fd, want, at, MIB)

    def in_a_loop(self, names, end):
        while True:
            for name in names:
                if time.monotonic() > end:
                    return
                self.whole(name)

    def in_turn(self, names, end):
        """All are open at once and read on by a step each."""
        with contextlib.ExitStack() as stack:
            files = [(name, *stack.enter_context(self.file(name))) for name in names]
            for at in range(0, OPEN_BYTES, OPEN_STEP):
                for name, fd, want in files:
                    if time.monotonic() > end:
                        return
                    self.piece(name, fd, want, at, OPEN_STEP)


def in_processes(place, tasks):
    """Runs each task(reader) in a process of its own; the readers' sums."""
    def work(task):
        reader = Reader(place)
        try:
            task(reader)
        except Exception as e:                  # a failed read is a finding too
            reader.bad.append(repr(e))
        results.put((reader.bad, reader.bytes, reader.slowest))

    fork = multiprocessing.get_context('fork')
    results = fork.SimpleQueue()
    processes = [fork.Process(target=work, args=(task,)) for task in tasks]
    for p in processes:
        p.start()
    got = [results.get() for _ in processes]
    for p in processes:
        p.join()
    return sum((g[0] for g in got), []), sum(g[1] for g in got), max(g[2] for g in got)


def judge(tap, what, watch, result, disk):
    bad, n_bytes, slowest = result
    over = max(0, watch.taken - SIZE)
    tap.ok(not bad and n_bytes > 0, f'{what}: {n_bytes / MIB:.0f} MiB read, every byte is right', bad[:5])
    tap.ok(over <= OVER_MAX and watch.samples > 0,
           f'... the cache directory takes {watch.taken / MIB:.1f} MiB at most, <= {(SIZE + OVER_MAX) // MIB}', over)
    tap.ok(watch.rss <= RSS_MAX, f'... RssAnon {watch.rss / MIB:.0f} MiB at most, <= {RSS_MAX // MIB}')
    print(f'# records: {disk["written"]} written, {disk["dropped"]} not, {disk["evicted"]} evicted; '
          f'the slowest read took {slowest * 1000:.0f} ms; {watch.samples} samples', flush=True)
    print(f'# the longest wait for the index, which evictions share: {disk["longest_wait_ms"]} ms '
          f'(wanted: {WAIT_WANTED_MS})', flush=True)


def test_loop(tap, place, m):
    names = [n for n in place.objects if not n.startswith('open/')]
    end = time.monotonic() + SECONDS
    tasks = []
    for i in range(READERS):
        mine = list(names)
        if i % 2:
            place.rng.shuffle(mine)
        tasks.append(lambda reader, mine=mine: reader.in_a_loop(mine, end))
    with Watch(place.cache, m.process.pid) as watch:
        result = in_processes(place, tasks)
    disk = place.status()['cache']['disk']
    judge(tap, f'{READERS} readers of {place.total / MIB:.0f} MiB', watch, result, disk)
    tap.ok(disk['evicted'] > 0,
           f'... and {disk["evicted"]} records were evicted meanwhile', disk)


def test_open(tap, place, m):
    names = [n for n in place.objects if n.startswith('open/')]
    end = time.monotonic() + SECONDS
    tasks = [lambda reader, mine=names[i::READERS]: reader.in_turn(mine, end) for i in range(READERS)]
    with Watch(place.cache, m.process.pid) as watch:
        result = in_processes(place, tasks)
    judge(tap, f'{OPEN_FILES} files open, read in turn', watch, result, place.status()['cache']['disk'])


def main():
    tap = Tap()
    if os.getuid() != 0 or not os.path.exists('/dev/fuse'):
        tap.skip('the quota', 'it mounts, and looks into the daemon: root and /dev/fuse are needed')
        return tap.done()
    harness.own_namespace()
    seed = int(os.environ.get('QUOTA_SEED', time.time_ns() % 1_000_000))
    print(f'# QUOTA_SEED={seed}', flush=True)
    with harness.scratch() as top:
        place = Place(top, random.Random(seed))
        server = ds_servers.Nginx(top + '/nginx')
        try:
            endpoint = server.start(place.www).endpoint
        except ds_servers.NotInstalled as e:
            tap.skip('the quota', str(e))
            return tap.done()
        try:
            with place.mount(endpoint) as m:
                test_loop(tap, place, m)
            with place.mount(endpoint) as m:
                test_open(tap, place, m)
        finally:
            server.stop()
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
