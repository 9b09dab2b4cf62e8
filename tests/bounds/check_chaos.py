#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two percent of all requests fail, each in a way drawn at random, while many
readers read: no application sees an error or a wrong byte.

Environment: CHAOS_SECONDS (600), CHAOS_SEED.  The store is radosgw behind the
fault proxy; the cache is far smaller than the data, so that requests go on.
"""
import hashlib
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'system'))

import ds_servers                                            # noqa: E402
import harness                                               # noqa: E402
from mount_bucket import Bucket                              # noqa: E402

SECONDS = int(os.environ.get('CHAOS_SECONDS', '600'))
SEED = int(os.environ.get('CHAOS_SEED', '0')) or random.randrange(1, 1 << 31)
MIB = 1 << 20
CACHE_BYTES, MEMORY_BYTES = 32 * MIB, 64 * MIB
N_SMALL, N_LARGE, LARGE_BYTES = 3000, 24, 9 * MIB + 17
READERS = 12
EVERY = 36                      # one request in so many fails: 2 %, as each change forgets some
CHANGE_SECONDS = 20             # then other ones, at other bytes


def contents():
    """{path: bytes}; the same for each seed."""
    rng = random.Random(SEED)
    files = {f'small/{i % 50:02}/{i:05}': rng.randbytes(rng.randrange(1, 30000)) for i in range(N_SMALL)}
    files |= {f'large/{i:02}': rng.randbytes(LARGE_BYTES) for i in range(N_LARGE)}
    return files


def ways(rng):
    """Each way to fail once."""
    at = rng.choice([0, 1, 100, 4096, 70000, 1 << 20])
    return [{'status': 503, 'body': '<Error><Code>SlowDown</Code></Error>'},
            {'status': 500, 'body': '<Error><Code>InternalError</Code></Error>'},
            {'status': 429}, {'status': 502, 'body': '<html>'},
            {'status': 400, 'body': '<Error><Code>RequestTimeout</Code></Error>'},
            {'drop': True}, {'reset_at': at}, {'cut_at': at},
            {'stall_ms': 8000, 'stall_at': at}, {'ttfb_ms': 3000}, {'rate': 200000}]


def name_of(way):
    return next(iter(way)) + (f' {way["status"]}' if 'status' in way else '')


class Chaos(threading.Thread):
    """Draws which requests fail in which way, and counts how often each was used."""

    def __init__(self, proxy):
        super().__init__(daemon=True)
        self.proxy, self.rng, self.ends = proxy, random.Random(SEED + 1), threading.Event()
        self.used = {}

    def run(self):
        while not self.ends.is_set():
            drawn = ways(self.rng)
            self.rng.shuffle(drawn)
            every = EVERY * len(drawn)
            self.proxy.rules([dict(way, every=every, after=self.rng.randrange(every)) for way in drawn])
            self.ends.wait(CHANGE_SECONDS)
            for way, hits in zip(drawn, self.proxy.hits()):
                self.used[name_of(way)] = self.used.get(name_of(way), 0) + hits

    def stop(self):
        self.ends.set()
        self.join()
        self.proxy.rules([])


class Reader(threading.Thread):
    def __init__(self, number, top, files, end):
        super().__init__(daemon=True)
        self.rng = random.Random(SEED + 100 + number)
        self.top, self.files, self.names, self.end = top, files, sorted(files), end
        self.errors, self.wrong, self.n, self.n_bytes = [], [], 0, 0

    def run(self):
        while time.monotonic() < self.end:
            name = self.rng.choice(self.names)
            try:
                self.one(name)
            except OSError as e:
                self.errors.append(f'{name}: {e}')
            self.n += 1

    def one(self, name):
        data, path = self.files[name], os.path.join(self.top, name)
        if self.rng.random() < 0.1:
            if os.stat(path).st_size != len(data) or os.path.basename(name) not in os.listdir(os.path.dirname(path)):
                self.wrong.append(f'{name}: stat or list')
            return
        at, length = 0, len(data)
        if length > 100000 and self.rng.random() < 0.8:
            at, length = self.rng.randrange(len(data)), self.rng.choice([1, 4096, 300000])
        fd = os.open(path, os.O_RDONLY)
        try:
            got = b''
            while len(got) < length and (part := os.pread(fd, length - len(got), at + len(got))):
                got += part
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)
        self.n_bytes += len(got)
        if got != data[at:at + length]:
            self.wrong.append(f'{name}: {len(got)} bytes at {at} are {hashlib.md5(got).hexdigest()}')


def drive(tap, top, store):
    files = contents()
    bucket = Bucket(top + '/objects', 's3://chaos/p')
    dataset = bucket.dataset('imagenet')
    bucket.version(dataset, 1, files)
    bucket.publish(dataset, tags={'latest': 1})
    client = store.client()
    client.make_bucket('chaos')
    client.put_tree('chaos', top + '/objects', 'p/')
    os.mkdir(top + '/mnt')
    with ds_servers.FaultProxy(store.endpoint) as proxy:
        cred = {'access_key_id': store.access_key, 'access_key': store.secret_key,
                'override_url': proxy.endpoint, 'addressing_style': 'path'}
        config = harness.write_config(
            top + '/config.yaml', {'chaos': {'dataset_path': bucket.uri, 'default_credential': cred}},
            extra={'cache': {'dir': top + '/cache', 'size': CACHE_BYTES, 'free': '0%'}, 'memory': MEMORY_BYTES})
        with harness.Mount(config, top + '/mnt', top + '/log') as m:
            run(tap, top, proxy, files)
            tap.equal(m.stop(60), 0, 'the daemon ended by itself')


def run(tap, top, proxy, files):
    chaos = Chaos(proxy)
    chaos.start()
    end = time.monotonic() + SECONDS
    readers = [Reader(i, top + '/mnt/chaos/imagenet@1', files, end) for i in range(READERS)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(SECONDS + 300)
    stuck = sum(reader.is_alive() for reader in readers)
    chaos.stop()
    n_requests = proxy.stats()['requests']
    n_failed = sum(chaos.used.values())
    errors = [e for reader in readers for e in reader.errors]
    wrong = [e for reader in readers for e in reader.wrong]
    n, n_bytes = sum(r.n for r in readers), sum(r.n_bytes for r in readers)
    print(f'# {SECONDS} s: {n} operations, {n_bytes / MIB:.0f} MiB; {n_failed} of {n_requests} requests failed: '
          f'{chaos.used}', flush=True)
    tap.ok(n_failed > SECONDS and 0.015 < n_failed / n_requests < 0.04,
           f'{100 * n_failed / n_requests:.1f} % of {n_requests} requests failed', chaos.used)
    tap.ok(all(chaos.used.values()), 'each way to fail was met', chaos.used)
    tap.equal(errors[:20], [], f'{n} operations: {len(errors)} errors')
    tap.equal(wrong[:20], [], f'{n_bytes / MIB:.0f} MiB: {len(wrong)} wrong')
    tap.equal(stuck, 0, 'no reader hangs')


def main():
    tap = harness.Tap()
    harness.own_namespace()
    print(f'# CHAOS_SEED={SEED}', flush=True)
    with harness.scratch() as top:
        try:
            with ds_servers.Radosgw(top + '/server') as store:
                drive(tap, top, store)
        except ds_servers.NotInstalled as e:
            tap.skip('a store', str(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
