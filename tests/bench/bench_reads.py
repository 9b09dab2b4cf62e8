# SPDX-License-Identifier: Apache-2.0
"""Cold and warm reads of one real store through one proxy, the systems in turn
and several times, so that what else the machine does falls on all of them.
"""
import hashlib
import os
import random
import select
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import bench_systems as systems
import ds_servers
import harness
from bench_systems import MIB, PART, Missing

CASE_SECONDS = 25       # one case of one system is cut off then
N_RANDOM = 100
RANDOM_BYTES = 4096


def read_all(path, want):
    got = 0
    with open(path, 'rb', buffering=0) as f:
        while block := f.read(MIB):
            got += len(block)
    if got != want:
        raise OSError(f'{path}: {got} of {want} B')


def read_random(path, size, count, seed):
    rng = random.Random(seed)
    fd = os.open(path, os.O_RDONLY)
    for _ in range(count):
        at = rng.randrange(0, size - RANDOM_BYTES)
        if len(os.pread(fd, RANDOM_BYTES, at)) != RANDOM_BYTES:
            raise OSError(f'{path}: short at {at}')
    os.close(fd)


def read_random_side_by_side(path, size):
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda seed: read_random(path, size, N_RANDOM // 4, seed), range(16)))


def limited(fn):
    """The seconds that fn takes, in a child so that it can be cut off."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            start = time.perf_counter()
            fn()
            os.write(w, repr(time.perf_counter() - start).encode())
        except BaseException as e:              # noqa: BLE001  told to the parent
            os.write(w, str(e).encode()[:500])
        os._exit(0)
    os.close(w)
    if not select.select([r], [], [], CASE_SECONDS)[0]:
        os.kill(pid, signal.SIGKILL)
        text = f'cut off after {CASE_SECONDS} s'
    else:
        text = os.read(r, 600).decode()
    os.close(r)
    os.waitpid(pid, 0)
    try:
        return float(text)
    except ValueError:
        raise Missing(text) from None


class Data:
    """One big file and many small ones, as files and as a version."""

    def __init__(self, b):
        self.size = (64 if b.args.quick else 1024) * MIB
        self.native, self.objects = b.dir('native'), b.dir('objects')
        self.files, self.etags = [], {}
        rng = random.Random(1)
        os.makedirs(f'{self.objects}/DATA/hashes')
        self.big = self.add('big.bin', (rng.randbytes(PART) for _ in range(self.size // PART)))
        self.small = [self.add(f'small/{i // 100:03d}/{i:05d}.jpg', [rng.randbytes(16 << 10)])
                      for i in range(20 if b.args.quick else 400)]

    def add(self, rel, blocks):
        path = os.path.join(self.native, rel)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        parts = []
        with open(path, 'wb') as f:
            for block in blocks:
                f.write(block)
                parts.append(hashlib.md5(block))
        etag = parts[0].hexdigest() if len(parts) == 1 else \
            hashlib.md5(b''.join(p.digest() for p in parts)).hexdigest() + f'-{len(parts)}'
        os.link(path, f'{self.objects}/DATA/hashes/{etag}')
        self.files.append((rel, os.stat(path).st_size, etag))
        return self.files[-1]


def cases(data):
    """(what, unit, how much, what is cached, function of the system)."""
    rel, size, etag = data.big
    shuffled = random.Random(3).sample(data.small, len(data.small))

    def small(s):
        for r, n, e in data.small:
            read_all(s.path(r, e), n)

    def side_by_side(s, files):
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda f: read_all(s.path(f[0], f[2]), f[1]), files))

    big = lambda s: s.path(rel, etag)           # noqa: E731
    mib, n = size // MIB, len(data.small)
    return [
        (f'{mib} MiB in order, cold', 'MiB/s', size / MIB, 'nothing', lambda s: read_all(big(s), size)),
        (f'{mib} MiB in order, again', 'MiB/s', size / MIB, 'all', lambda s: read_all(big(s), size)),
        (f'{mib} MiB in order, remounted', 'MiB/s', size / MIB, 'kept', lambda s: read_all(big(s), size)),
        ('random 4 KiB, 1 thread, cold', 'reads/s', N_RANDOM, 'nothing',
         lambda s: read_random(big(s), size, N_RANDOM, 7)),
        ('random 4 KiB, 16 threads, cold', 'reads/s', N_RANDOM // 4 * 16, 'nothing',
         lambda s: read_random_side_by_side(big(s), size)),
        (f'{n} files of 16 KiB, cold', 'files/s', n, 'nothing', small),
        (f'{n} files of 16 KiB, again', 'files/s', n, 'all', small),
        (f'{n} files of 16 KiB, remounted', 'files/s', n, 'kept', small),
        (f'{n} files of 16 KiB, 16 readers, cold', 'files/s', n, 'nothing', lambda s: side_by_side(s, data.small)),
        (f'{n} files of 16 KiB, 16 readers, shuffled, cold', 'files/s', n, 'nothing',
         lambda s: side_by_side(s, shuffled)),
    ]


def one_round(system, data, table):
    for what, unit, amount, cached, fn in cases(data):
        key = (what, unit, system.name)
        if isinstance(table.get(key), str):     # it could not: once is enough
            continue
        try:
            if cached != 'all':
                system.stop()
                system.start(keep=cached == 'kept')
            table.setdefault(key, []).append(amount / limited(lambda: fn(system)))
        except Missing as e:
            table[key] = ' '.join(str(e).split())[-100:]
    system.stop()


def first_byte(system, data, table, what, keep=False):
    rel, _, etag = data.small[0]
    key = (what, 's', system.name)
    if isinstance(table.get(key), str):
        return
    try:
        system.stop()
        systems.drop_caches()
        start = time.perf_counter()
        system.start(keep=keep)
        with open(system.path(rel, etag), 'rb') as f:
            f.read(1)
        table.setdefault(key, []).append(time.perf_counter() - start)
    except (Missing, OSError) as e:
        table[key] = ' '.join(str(e).split())[-100:]
    finally:
        system.stop()


def direct(b, server, endpoint, data, table, who):
    key = (f'{data.size // MIB} MiB in order, cold', 'MiB/s', who)
    try:
        table.setdefault(key, []).append(data.size / MIB / limited(
            lambda: systems.parallel_get(b.top, server, endpoint, f'DATA/hashes/{data.big[2]}', data.size)))
    except Missing as e:
        table[key] = ' '.join(str(e).split())[-100:]


def share(b, table, data):
    """Of direct throughput, what the proxy leaves: each pair of one round."""
    whole = [table.get((f'{data.size // MIB} MiB in order, cold', 'MiB/s', who)) for who in ('direct GET', 'no proxy')]
    if all(isinstance(x, list) for x in whole):
        b.row('reads', 'the proxy beside none, direct GET (want 0.9)', 'faultproxy', [x / y for x, y in zip(*whole)], 'x')


def reads_at(b, delay, server, endpoint, data):
    config = harness.write_config(b.top + f'/reads{delay}.yaml', {'bench': {
        'dataset_path': 's3://bench', 'region': server.region, 'default_credential': {
            'access_key_id': server.access_key, 'access_key': server.secret_key, 'override_url': endpoint,
            'addressing_style': 'path'}}}, default='bench', cache_dir=b.top + f'/reads-cache{delay}')
    if not delay:
        harness.run('-c', config, 'dataset', 'import', 'osmo', 'bench', b.top + '/src', check=True)
    ours = systems.Datasetfs(config, b.top + f'/reads-cache{delay}', b.dir('mnt'), b.top + '/mount.log')
    every = [ours, systems.S3fs(b.top, server, endpoint), systems.Rclone(b.top, server, endpoint)]
    table = {}
    shutil.rmtree(b.top + f'/reads-cache{delay}', ignore_errors=True)
    first_byte(ours, data, table, 'mount to first byte, nothing known')
    for round_ in range(b.args.rounds):
        for s in every:
            first_byte(s, data, table, 'mount to first byte')
    for round_ in range(b.args.rounds):
        direct(b, server, endpoint, data, table, 'direct GET')
        if not delay:
            direct(b, server, server.endpoint, data, table, 'no proxy')
        for s in every + ([] if delay else [systems.Native(data.native)]):
            one_round(s, data, table)
    b.table('reads', f'{delay} ms: ', table)
    share(b, table, data)


def part_reads(b):
    data = Data(b)
    try:
        server = ds_servers.Radosgw(b.top + '/rgw').start()
    except ds_servers.NotInstalled as e:
        b.row('reads', 'all', 'all', [], '', f'skipped: {e}')
        return
    try:
        s3 = server.client()
        s3.make_bucket('bench')
        s3.put_tree('bench', data.objects, '')
        b.write_manifest(b.top + '/manifest', 's3://bench', 'DATA', data.files)
        with open(b.top + '/manifest', 'rb') as f:
            s3.put('bench', 'DATA/manifests/1.json', f.read())
        b.write_catalog(b.dir('src'), 's3://bench', 'data', 'DATA', len(data.files), sum(x[1] for x in data.files))
        for delay in (0, 20):
            with ds_servers.FaultProxy(server.endpoint, latency_ms=delay) as proxy:
                reads_at(b, delay, server, proxy.endpoint, data)
    finally:
        server.stop()
