#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A mount over a store that waits: who waits with it can be interrupted, and
nobody else waits."""
import contextlib
import ctypes
import errno
import mmap
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness                                                # noqa: E402
from mount_bucket import Bucket                               # noqa: E402
from mount_store import Store                                 # noqa: E402
from mount_world import (                                     # noqa: E402
    Served, ask_status, check_bucket_listing, fork_as, main, named, run_lives, wait_until)

libc = ctypes.CDLL(None, use_errno=True)

STALLED = 256


@contextlib.contextmanager
def waiting_mount(w, options=None):
    """A mount of a bucket behind a store whose gate can be closed."""
    folder = w.top + '/slow'
    with Store(folder) as store:
        if not os.path.exists(folder):
            b = Bucket(folder, uri=store.uri, catalog_id='slow')
            ds = b.dataset('slow')
            files = {f'cold/{i:04}': b'%d' % i * 500 for i in range(STALLED)}
            files.update({f'warm/{i}': b'warm%d' % i * 500 for i in range(20)})
            files['large'] = bytes(range(256)) * 40_000
            b.version(ds, 1, files)
            b.version(ds, 2, files)
            b.publish(ds, tags={'latest': 2})
            subprocess.run(['chmod', '-R', 'a+rX', folder], check=True)
        config = harness.write_config(
            w.top + '/slow.yaml', {'slow': store.bucket()},
            cache_dir=w.cache,
            extra={'buckets': {'slow': {'catalog': 'file://' + folder}}})
        with Served(config, w.point, w.log, uid=w.uid, options=options) as m:
            yield store, m


def interrupted(call):
    """The errno of call() when a signal comes while it waits, and how long it
    took from then."""
    came = []

    def on_signal(*_):
        came.append(time.monotonic())

    signal.signal(signal.SIGUSR1, on_signal)
    signal.siginterrupt(signal.SIGUSR1, True)
    timer = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGUSR1))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    timer.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    code = call()
    end = time.monotonic()
    return code, end - came[0] if came else None


def raw(function, *args):
    """Without Python's own repetition after EINTR: 0 or an errno."""
    return ctypes.get_errno() if function(*args) < 0 else 0


def direct_read(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    page = mmap.mmap(-1, 4096)
    at = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return raw(libc.pread, fd, ctypes.c_void_p(at), ctypes.c_size_t(4096), ctypes.c_long(0))


def slow_an_interrupted_read_is_eintr(w):
    with waiting_mount(w) as (store, m):
        large = w.path('slow/slow@1/large')
        assert fork_as(w.uid, os.stat, large)[0]
        store.close_gate()
        ok, got = fork_as(w.uid, interrupted, lambda: direct_read(large))
        assert ok and got[0] == errno.EINTR and got[1] < 0.5, got
        # Nobody is left waiting for it.
        assert ask_status(w)['cache']['waiting'] == 0
        store.open_gate()
        ok, data = fork_as(w.uid, lambda: open(large, 'rb').read())
        assert ok and data == bytes(range(256)) * 40_000, m.log()


def slow_an_interrupted_lookup_is_eintr(w):
    with waiting_mount(w) as (store, m):
        for name in os.listdir(w.cache + '/trees'):
            os.unlink(w.cache + '/trees/' + name)
        store.close_gate()      # the manifest does not come
        path = w.path('slow/slow@2/large').encode()
        ok, got = fork_as(w.uid, interrupted, lambda: raw(libc.access, path, 0))
        assert ok and got[0] == errno.EINTR and got[1] < 0.5, got
        assert 'slow@2' in ask_status(w)['building']
        store.open_gate()
        assert fork_as(w.uid, os.stat, path)[0], m.log()


def slow_a_reader_can_be_ended(w):
    with waiting_mount(w) as (store, _):
        cold = w.path('slow/slow@1/cold/0000')
        assert fork_as(w.uid, os.stat, cold)[0]
        store.close_gate()
        p = subprocess.Popen(['cat', cold], stdout=subprocess.DEVNULL,
                             preexec_fn=harness.demote(w.uid) if w.uid else None)
        time.sleep(0.5)
        start = time.monotonic()
        p.terminate()
        p.wait(10)
        assert time.monotonic() - start < 1
        store.open_gate()


def slow_an_unmount_does_not_wait_for_the_store(w):
    with waiting_mount(w) as (store, m):
        cold = w.path('slow/slow@1/cold/0002')
        assert fork_as(w.uid, os.stat, cold)[0]
        store.close_gate()
        p = subprocess.Popen(['cat', cold], stdout=subprocess.DEVNULL,
                             preexec_fn=harness.demote(w.uid) if w.uid else None)
        assert wait_until(lambda: ask_status(w)['cache']['in_flight'] > 0)
        p.terminate()
        p.wait(10)
        start = time.monotonic()
        assert m.stop() == 0, m.log()
        assert time.monotonic() - start < 3
        store.open_gate()


def slow_a_read_ends_at_its_time(w):
    with waiting_mount(w, 'timeout=2') as (store, m):
        cold = w.path('slow/slow@1/cold/0001')
        assert fork_as(w.uid, os.stat, cold)[0]
        store.close_gate()

        def read():
            start = time.monotonic()
            try:
                open(cold, 'rb', buffering=0).read(10)
            except OSError as e:
                return e.errno, time.monotonic() - start
            return 0, 0

        ok, got = fork_as(w.uid, read)
        assert ok and got[0] == errno.ETIMEDOUT and 1.5 < got[1] < 3, got
        # A later one waits for the store again.
        time.sleep(0.2)
        ok, got = fork_as(w.uid, read)
        assert ok and got[0] == errno.ETIMEDOUT and 1.5 < got[1] < 3, got
        store.open_gate()
        time.sleep(0.2)
        ok, data = fork_as(w.uid, lambda: open(cold, 'rb').read())
        assert ok and data == b'1' * 500, (data, m.log())


def slow_a_catalog_that_does_not_come_delays_its_bucket_only(w):
    os.makedirs(w.top + '/away', exist_ok=True)
    with Store(w.top + '/away') as store:
        store.close_gate()
        config = harness.write_config(
            w.top + '/away.yaml',
            {'away': store.bucket(),
             'production': {'dataset_path': w.bucket.uri, 'mode': 'read-only'}},
            cache_dir=w.cache)
        with Served(config, w.point, w.log, uid=w.uid):
            waiting = [subprocess.Popen(['ls', w.path('away')], stderr=subprocess.DEVNULL,
                                        preexec_fn=harness.demote(w.uid) if w.uid else None)
                       for _ in range(16)]
            time.sleep(0.5)
            start = time.monotonic()
            ok, names = fork_as(w.uid, os.listdir, w.point)
            assert ok and names == ['away', 'production'], names
            ok, detail = fork_as(w.uid, check_bucket_listing, w)
            assert ok, detail
            ok, detail = fork_as(w.uid, os.stat, w.path('away'))
            assert ok, detail
            assert time.monotonic() - start < 1
            assert all(p.poll() is None for p in waiting)
            start = time.monotonic()
            for p in waiting:
                p.terminate()
            for p in waiting:
                p.wait(10)
            assert time.monotonic() - start < 1
            store.open_gate()


def slow_files_read_in_order_are_fetched_ahead(w):
    def read_some(numbers):
        for i in numbers:
            with open(w.path(f'slow/slow@1/cold/{i:04}'), 'rb') as f:
                assert f.read() == b'%d' % i * 500
        return True

    def fetched():
        return ask_status(w)['cache']['bytes_fetched']

    def size(numbers):
        return sum(500 * len(str(i)) for i in numbers)

    def read_fetches(numbers):
        w.forget_content()
        with waiting_mount(w) as (_, m):
            assert fork_as(w.uid, os.stat, w.path('slow/slow@1/large'))[0], m.log()
            before = fetched()
            assert fork_as(w.uid, read_some, numbers) == (True, True), m.log()
            time.sleep(1)       # for what nobody waits for
            return fetched() - before

    # The second in order starts it with 8 files, the third doubles them.
    got = read_fetches(range(3))
    assert got == size(range(3 + 16)), got
    # Backwards and in leaps: each costs its own bytes alone.
    leaps = list(range(STALLED - 1, 0, -9))
    got = read_fetches(leaps)
    assert got == size(leaps), (got, size(leaps))


def slow_many_stalled_reads_delay_nobody(w):
    with waiting_mount(w) as (store, m):
        v = w.path('slow/slow@1')
        warm = [f'{v}/warm/{i}' for i in range(20)]

        def read_warm():
            for path in warm:
                with open(path, 'rb') as f:
                    assert f.read()

        assert fork_as(w.uid, read_warm)[0], m.log()
        store.close_gate()

        def stalled(n):
            bad = []

            def one(i):
                try:
                    with open(f'{v}/cold/{i:04}', 'rb') as f:
                        if f.read() != b'%d' % i * 500:
                            bad.append((i, 'other content'))
                except OSError as e:
                    bad.append((i, str(e)))
            threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            return bad

        readers = []
        t = threading.Thread(target=lambda: readers.append(fork_as(w.uid, stalled, STALLED)))
        t.start()
        all_wait = wait_until(lambda: ask_status(w)['cache']['waiting'] == STALLED, 20)
        cache = ask_status(w)['cache']

        def measure():
            times = []
            libc.posix_fadvise.argtypes = [ctypes.c_int, ctypes.c_long, ctypes.c_long, ctypes.c_int]
            for i in range(300):
                path = warm[i % len(warm)]
                fd = os.open(path, os.O_RDONLY)
                libc.posix_fadvise(fd, 0, 0, 4)     # DONTNEED: ask the daemon
                start = time.monotonic()
                os.stat(f'{v}/warm')
                os.path.exists(f'{v}/absent{i}')    # a lookup of its own
                os.pread(fd, 100, 0)
                times.append(time.monotonic() - start)
                os.close(fd)
            return sorted(times)

        ok, times = fork_as(w.uid, measure)
        asked = ask_status(w)['cache']['hits'] - cache['hits']
        store.open_gate()
        t.join()
        assert all_wait, cache
        assert ok, times
        assert asked >= len(times) * 0.9, 'the page cache answered, not the daemon'
        p99 = times[int(len(times) * 0.99)]
        print(f'# {w.name}: with {STALLED} stalled reads a lookup and a cached read take '
              f'{times[len(times) // 2] * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms', flush=True)
        assert p99 < 0.05, p99
        assert readers == [(True, [])], (readers, m.log())


def slow_a_storm_of_refusals_passes_and_is_no_absence(w):
    with waiting_mount(w) as (store, m):
        v = w.path('slow/slow@1')
        assert fork_as(w.uid, os.stat, v + '/large')[0]
        store.be_busy()

        def read_all():
            bad = []

            def one(i):
                try:
                    with open(f'{v}/cold/{i:04}', 'rb') as f:
                        if f.read() != b'%d' % i * 500:
                            bad.append((i, 'other content'))
                except OSError as e:
                    bad.append((i, str(e)))
            threads = [threading.Thread(target=one, args=(i,)) for i in range(64)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            return bad

        readers = []
        t = threading.Thread(target=lambda: readers.append(fork_as(w.uid, read_all)))
        t.start()

        def endpoint():
            found = ask_status(w)['endpoints']      # none before the first request
            return found[0] if found else {'throttled': 0}

        assert wait_until(lambda: endpoint()['throttled'] >= 64, 20), endpoint()
        during = endpoint()
        text = harness.run('status', w.point, uid=w.uid).stdout
        store.be_idle()
        t.join()
        assert readers == [(True, [])], (readers, m.log())
        assert during['endpoint'] == f'http://127.0.0.1:{store.port}', during
        assert 1 <= during['limit'] < 64, during
        after = endpoint()
        assert after['requests'] >= after['throttled'] + 64, after
        # What was read ahead ends, too.
        assert wait_until(lambda: endpoint()['in_flight'] + endpoint()['waiting'] == 0), endpoint()
        assert during['endpoint'] in text and 'Throttled' in text, text


def slow_a_late_answer_is_asked_for_again(w):
    with waiting_mount(w) as (store, m):
        v = w.path('slow/slow@1')

        def read(numbers):
            for i in numbers:
                with open(f'{v}/cold/{i:04}', 'rb') as f:
                    assert f.read() == b'%d' % i * 500, i
            return True

        # Backwards and in leaps: nothing is read ahead.
        leaps = [i for start in (255, 254, 253) for i in range(start, 0, -3)]
        assert fork_as(w.uid, read, leaps[:100]) == (True, True), m.log()
        store.have_hiccups()
        assert fork_as(w.uid, read, leaps[100:]) == (True, True), m.log()
        e, = ask_status(w)['endpoints']
        assert e['hedged'] >= 1 and e['hedges_won'] >= 1, e
        assert e['hedged'] * 20 <= e['requests'], e


def test(t, w, only):
    run_lives(t, w, only(named('slow_', globals())))


if __name__ == '__main__':
    sys.exit(main(test))
