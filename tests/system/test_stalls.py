#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A store that stalls delays its own readers only: 256 reads held for ten
seconds, and everything else answers; interrupted reads end; and 64 processes
that read one cold file make the store send it once."""
import ctypes
import errno
import hashlib
import mmap
import os
import signal
import subprocess
import sys
import threading
import time

import ds_servers
import harness
from harness import Mount, Tap, run
from mount_world import fork_as

STALLED = 256
STALL_MS = 10000
LIMIT_MS = 50
READERS = 64
BIG = int(os.environ.get('STALLS_BIG_BYTES', str(1 << 30)))
SMALL = 100_000


def make_tree(top):
    for folder, n in (('cold', 2 * STALLED), ('warm', 20), ('many', 2000)):
        os.makedirs(f'{top}/src/{folder}')
        for i in range(n):
            with open(f'{top}/src/{folder}/{i:04}', 'wb') as f:
                f.write(os.urandom(SMALL if folder != 'many' else 10))
    with open(top + '/src/big', 'wb') as f:
        left = BIG
        while left:
            f.write(os.urandom(min(left, 1 << 24)))
            left -= min(left, 1 << 24)


def drop_pages(path):
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def read_file(path):
    with open(path, 'rb', buffering=0) as f:
        return f.read()


def p99(times):
    return sorted(times)[int(len(times) * 0.99)] * 1000


def timed(times, what, *args):
    begin = time.perf_counter()
    what(*args)
    times.append(time.perf_counter() - begin)


def test_stalls(tap, proxy, root, label):
    """root: the version's directory."""
    warm = sorted(os.listdir(root + '/warm'))
    for name in warm:
        read_file(f'{root}/warm/{name}')
    proxy.rules([{'method': 'GET', 'path': '/hashes/', 'ttfb_ms': STALL_MS}])
    failed = []

    def stalled_read(i):
        try:
            if len(read_file(f'{root}/cold/{i:04}')) != SMALL:
                failed.append((i, 'short'))
        except OSError as e:
            failed.append((i, e))
    threads = [threading.Thread(target=stalled_read, args=(i,)) for i in range(STALLED)]
    begin = time.monotonic()
    for t in threads:
        t.start()
    time.sleep(1)
    stats, reads, lists = [], [], []
    i = 0
    while time.monotonic() - begin < STALL_MS / 1000 - 2:
        timed(stats, os.stat, f'{root}/many/{i % 2000:04}')
        timed(lists, os.listdir, f'{root}/warm')
        path = f'{root}/warm/{warm[i % len(warm)]}'
        drop_pages(path)              # so that the daemon is asked, not the page cache
        timed(reads, read_file, path)
        i += 1
        time.sleep(0.005)
    still = sum(t.is_alive() for t in threads)
    tap.ok(still == STALLED, f'{label}: {STALLED} reads were stalled all the while', f'{still} were; {failed[:3]}')
    for times, what in ((stats, 'stat'), (lists, 'listing'), (reads, 'reads of cached data')):
        worst = p99(times)
        tap.ok(worst <= LIMIT_MS, f'{label}: {what} within {LIMIT_MS} ms at the 99th percentile',
               f'{worst:.1f} ms of {len(times)}')
        print(f'# {label}: {what}: p99 {worst:.2f} ms, {len(times)} calls', flush=True)
    proxy.rules([])
    for t in threads:
        t.join(60)
    tap.ok(not failed, f'{label}: the stalled reads ended well', failed[:3])


def interrupted_read(path, flags):
    """The errno and the seconds of a read that a signal interrupts after 1 s."""
    libc = ctypes.CDLL(None, use_errno=True)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.siginterrupt(signal.SIGALRM, True)
        fd = os.open(path, os.O_RDONLY | flags)
        page = mmap.mmap(-1, 4096)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        signal.alarm(1)
        n = libc.read(fd, ctypes.c_void_p(address), ctypes.c_size_t(4096))
        os._exit(0 if n >= 0 else ctypes.get_errno())
    begin = time.monotonic()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), time.monotonic() - begin


def test_interrupts(tap, proxy, root, label):
    proxy.rules([{'method': 'GET', 'path': '/hashes/', 'ttfb_ms': STALL_MS}])
    # Far behind those that were read, and fetched ahead, before.
    code, seconds = interrupted_read(f'{root}/cold/{2 * STALLED - 1:04}', os.O_DIRECT)
    tap.ok(code == errno.EINTR and seconds < 3, f'{label}: an interrupted read returns EINTR',
           f'{errno.errorcode.get(code, code)} after {seconds:.1f} s')
    reader = subprocess.Popen(['cat', f'{root}/cold/{2 * STALLED - 20:04}'], stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    begin = time.monotonic()
    reader.kill()
    reader.wait(20)
    tap.ok(time.monotonic() - begin < 2, f'{label}: a killed reader ends at once')
    proxy.rules([])


def test_readers(tap, proxy, root, want, label):
    proxy.reset()
    readers = [subprocess.Popen(['cat', root + '/big'], stdout=subprocess.DEVNULL) for _ in range(READERS)]
    codes = [r.wait(300) for r in readers]
    tap.ok(not any(codes), f'{label}: {READERS} processes read {BIG} bytes', codes)
    sent = sent_bytes(proxy)
    ratio = sent / BIG
    tap.ok(ratio <= 1.02, f'{label}: the store sent a cold file once', f'{ratio:.4f} x')
    print(f'# {label}: {READERS} readers: the store sent {ratio:.4f} x the size', flush=True)
    got = hashlib.sha256()
    with open(root + '/big', 'rb') as f:
        while block := f.read(1 << 20):
            got.update(block)
    tap.equal(got.hexdigest(), want, f'{label}: and it is the source\'s')


def sent_bytes(proxy):
    stats = proxy.stats()
    for key in ('sent', 'bytes_sent', 'bytes_out', 'bytes'):
        if key in stats:
            return stats[key]
    raise KeyError(str(stats))


def main():
    harness.own_namespace()
    tap = Tap()
    want = hashlib.sha256()
    with harness.scratch() as top:
        harness.open_dev_fuse(top)
        make_tree(top)
        with open(top + '/src/big', 'rb') as f:
            while block := f.read(1 << 20):
                want.update(block)
        try:
            store = ds_servers.Radosgw(top + '/rgw').start()
        except ds_servers.NotInstalled as e:
            tap.skip('a store that stalls', str(e))
            return tap.done()
        try:
            subprocess.run([sys.executable, harness.MAKER, top + '/made', '--uri', 's3://stalls/p', '--star',
                            '--dataset', f'ds={top}/src'], check=True)
            client = store.client()
            client.make_bucket('stalls')
            client.put_tree('stalls', top + '/made/objects')
            with ds_servers.FaultProxy(store.endpoint) as proxy:
                for uid, label in ((None, 'root'), (harness.ordinary_user(), 'user')):
                    if uid and os.geteuid() != 0:
                        continue
                    run_as(tap, top, store, proxy, uid, label, want.hexdigest())
        finally:
            store.stop()
    return tap.done()


def run_as(tap, top, store, proxy, uid, label, want):
    base = f'{top}/{label}'
    os.makedirs(base + '/mnt')
    config = harness.write_config(base + '/config.yaml', {'production': {
        'dataset_path': 's3://stalls/p', 'default_credential': {
            'access_key_id': store.access_key, 'access_key': store.secret_key,
            'override_url': proxy.endpoint, 'addressing_style': 'path'}}},
        default='production', cache_dir=base + '/cache')
    if uid:
        subprocess.run(['chown', '-R', str(uid), base], check=True)
    run('-c', config, 'dataset', 'import', 'osmo', 'production', top + '/made/osmo', check=True, uid=uid)
    with Mount(config, base + '/mnt', base + '/log', uid=uid):
        root = base + '/mnt/production/ds@1'
        cases = ((test_stalls, (proxy, root, label)), (test_interrupts, (proxy, root, label)),
                 (test_readers, (proxy, root, want, label)))
        for test, args in cases:
            as_user(tap, uid, test, args, f'{label}: {test.__name__} ran to its end')


class Collector:
    """A Tap in a process of its own: what it found goes to the parent."""

    def __init__(self):
        self.found = []

    def ok(self, condition, name, detail=''):
        self.found.append((bool(condition), name, str(detail)))

    def equal(self, got, want, name):
        self.ok(got == want, name, f'got  {got!r}\nwant {want!r}')


def as_user(tap, uid, test, args, name):
    """The mount of an ordinary user admits only that user: become it."""
    def collect():
        collector = Collector()
        try:
            test(collector, *args)
        except BaseException as e:
            collector.ok(False, name, repr(e))
        return collector.found

    is_done, found = fork_as(uid, collect)
    for row in found if is_done else [(False, name, found)]:
        tap.ok(*row)


if __name__ == '__main__':
    sys.exit(main())
