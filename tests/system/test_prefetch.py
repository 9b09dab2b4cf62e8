#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What dataset prefetch promises: then every byte is served without the store,
after a remount too; and what cache stat tells of it."""
import contextlib
import ctypes
import json
import mmap
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness                                                # noqa: E402
from harness import run                                       # noqa: E402
from mount_bucket import Bucket                               # noqa: E402
from mount_store import Store                                 # noqa: E402
from mount_world import (                                     # noqa: E402
    STRANGER, Served, ask_status, fork_as, main, named, run_lives, wait_until, walk_files)

ONE = 'production/imagenet:1'


def prefetch(w, *args, env=None, uid=None):
    """Without a configuration: only the mount is asked."""
    p = run('dataset', 'prefetch', '--json', '-m', w.point, *args, uid=uid or w.uid,
            env={'DATASETFS_CONFIG': '/nowhere', **(env or {})})
    doc = json.loads(p.stdout) if p.stdout else None
    assert not doc or doc['schema'] == 'datasetfs.dataset-prefetch/1', doc
    return p, doc


def size_of(files):
    return sum(map(len, files.values()))


@contextlib.contextmanager
def away(folder):
    os.rename(folder, folder + '.away')
    try:
        yield
    finally:
        os.rename(folder + '.away', folder)


def wrong_files(w, version, files):
    """Those below version that do not read as they were written."""
    top = w.path('production/imagenet@' + version)
    bad = []
    for name, data in files.items():
        try:
            with open(os.path.join(top, name), 'rb') as f:
                if f.read() != data:
                    bad.append(name)
        except OSError as e:
            bad.append(f'{name}: {e}')
    return bad


def prefetch_serves_everything_without_the_store_after_a_remount(w):
    with w.mount() as m:
        p, doc = prefetch(w, '--check', ONE)
        assert p.returncode == 1, p
        assert (doc['files'], doc['bytes']) == (len(w.v1), size_of(w.v1)), doc
        assert (doc['cached_files'], doc['cached_bytes']) == (1, 0), doc    # the empty one
        assert doc['missing_files'] == len(w.v1) - 1 and doc['read_bytes'] == 0, doc
        assert doc['path'] == w.path('production/imagenet@1'), doc
        assert ask_status(w)['cache']['bytes_fetched'] == 0

        p, doc = prefetch(w, ONE)
        assert p.returncode == 0, (p, m.log())
        assert doc['missing_files'] == doc['missing_bytes'] == doc['unreadable_files'] == 0, doc
        assert doc['cached_files'] == len(w.v1) and doc['cached_bytes'] == size_of(w.v1), doc
        assert doc['read_bytes'] <= size_of(w.v1), doc
        fetched = ask_status(w)['cache']['bytes_fetched']
        assert fetched == size_of(w.v1), fetched

        p, doc = prefetch(w, '--check', ONE)
        assert p.returncode == 0 and doc['missing_files'] == 0, (p, doc)
        before = ask_status(w)['cache']
        p, doc = prefetch(w, ONE)
        assert p.returncode == 0 and doc['read_files'] == doc['read_bytes'] == 0, (p, doc)
        after = ask_status(w)['cache']
        assert after['bytes_served'] == before['bytes_served'], (before, after)
    with away(w.top + '/store/production/id-imagenet/hashes'), w.mount() as m:
        p, doc = prefetch(w, '--check', ONE)
        assert p.returncode == 0 and doc['cached_bytes'] == size_of(w.v1), (p, doc)
        assert fork_as(w.uid, wrong_files, w, '1', w.v1) == (True, []), m.log()
        cache = ask_status(w)['cache']
        assert cache['bytes_fetched'] == 0, cache


def prefetch_of_paths_leaves_the_rest(w):
    train = {n: d for n, d in w.v1.items() if n.startswith('train/')}
    with w.mount():
        # What is named twice, or lies in another, is one thing.
        p, doc = prefetch(w, ONE, 'train', 'train/deep/', './train/a.bin', 'README.txt', 'train')
        assert p.returncode == 0, p
        want = (len(train) + 1, size_of(train) + 6)
        assert (doc['files'], doc['bytes']) == want, doc
        assert ask_status(w)['cache']['bytes_fetched'] <= want[1] + 64 * 20     # what is read ahead
        p, doc = prefetch(w, '--check', ONE, 'train/large.bin')
        assert p.returncode == 0 and doc['files'] == 1, (p, doc)
        p, doc = prefetch(w, '--check', ONE)
        assert p.returncode == 1 and doc['missing_bytes'] >= 8 << 20, (p, doc)
        for path, code, text in (('train/no', 3, 'there is no train/no'),
                                 ('README.txt/no', 3, 'there is no'),
                                 ('../imagenet@2', 2, 'is not in')):
            p, doc = prefetch(w, ONE, path)
            assert p.returncode == code and text in p.stderr and not doc, p


def prefetch_names_what_cannot_be_read(w):
    with w.mount():
        p, doc = prefetch(w, 'imagenet')
        assert p.returncode in (4, 6), p
        assert doc['unreadable_files'] == doc['missing_files'] == 2, doc
        assert {u['path'] for u in doc['unreadable']} == {'forbidden', 'missing'}, doc
        for name in ('forbidden', 'missing'):
            assert p.stderr.count(f'error: {name}: ') == 1, p
        assert '2 files cannot be read' in p.stderr, p
        assert doc['cached_files'] == len(w.v2), doc
        assert fork_as(w.uid, wrong_files, w, '2', w.v2) == (True, [])


def prefetch_lets_no_manifest_write_to_the_terminal(w):
    folder = w.top + '/hostile'
    b = Bucket(folder, catalog_id='hostile')
    ds = b.dataset('hostile')
    b.version(ds, 1, {'good': b'good'}, extra=[
        {'relative_path': 'bad\x1b[2J', 'storage_path': 'none\x1b[2J\x07', 'url': '', 'size': 10, 'etag': '0' * 32}])
    b.publish(ds, tags={'latest': 1})
    subprocess.run(['chmod', '-R', 'a+rX', folder], check=True)
    config = harness.write_config(w.top + '/hostile.yaml', {'h': {'dataset_path': b.uri, 'mode': 'read-only'}},
                                  cache_dir=w.cache)
    try:
        with Served(config, w.point, w.log, uid=w.uid):
            p, doc = prefetch(w, 'h/hostile')
            assert doc['unreadable_files'] == 1, (p, doc)
            assert 'error: bad\\x1b[2J: ' in p.stderr and 'none\\x1b[2J\\x07' in p.stderr, p
            assert '\x1b' not in p.stderr and '\x07' not in p.stderr, p
    finally:
        shutil.rmtree(folder)


def prefetch_of_a_collection_and_of_an_empty_version(w):
    with w.mount():
        p, doc = prefetch(w, 'production/robots')
        assert p.returncode == 0, p
        assert doc['files'] == len(w.v1) + 2, doc
        assert doc['bytes'] == size_of(w.v1) + 7 == doc['cached_bytes'], doc
        p, doc = prefetch(w, '--check', 'sets:1')
        assert p.returncode == 0 and doc['files'] == 0, (p, doc)


def cached_pages(path):
    """How many of a file's pages the kernel has: mincore(2), which Python lacks."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    size = os.path.getsize(path)
    n = -(-size // mmap.PAGESIZE)
    found = (ctypes.c_ubyte * n)()
    fd = os.open(path, os.O_RDONLY)
    at = libc.mmap(None, ctypes.c_size_t(size), mmap.PROT_READ, mmap.MAP_SHARED, fd, ctypes.c_long(0))
    assert libc.mincore(ctypes.c_void_p(at), ctypes.c_size_t(size), found) == 0, ctypes.get_errno()
    return sum(b & 1 for b in found)


def prefetch_leaves_the_page_cache_as_it_is(w):
    with w.mount():
        assert prefetch(w, ONE)[0].returncode == 0
        for name in ('train/a.bin', 'train/large.bin'):
            path = w.path('production/imagenet@1/' + name)
            got = fork_as(w.uid, cached_pages, path)
            assert got == (True, 0), (name, got)
            assert fork_as(w.uid, lambda: open(path, 'rb').read())[0]
            got = fork_as(w.uid, cached_pages, path)
            assert got[0] and got[1] > 0, (name, got)        # it would be seen


def prefetch_into_a_cache_that_is_too_small_says_so(w):
    folder = w.top + '/big'
    b = Bucket(folder, catalog_id='big')
    ds = b.dataset('big')
    rng = random.Random(7)
    b.version(ds, 1, {f'{i:03}': rng.randbytes(1 << 20) for i in range(192)})
    b.publish(ds, tags={'latest': 1})
    subprocess.run(['chmod', '-R', 'a+rX', folder], check=True)
    config = harness.write_config(w.top + '/big.yaml', {'big': {'dataset_path': b.uri, 'mode': 'read-only'}},
                                  cache_dir=w.cache, extra={'memory': '128MiB'})
    try:
        with Served(config, w.point, w.log, uid=w.uid, args=['--cache-size', '32MiB']) as m:
            p, doc = prefetch(w, 'big/big')
            assert p.returncode == 8 and 'are not in the cache' in p.stderr, (p, m.log())
            assert doc['read_files'] > 0 and 32 <= doc['missing_files'] < 192, doc
            assert doc['unreadable_files'] == 0, doc
            assert background(w, 'big/big').returncode == 0
            job = last_job(w, 'done', 'failed')
            assert job['state'] == 'failed' and 'do not fit into the cache' in job['problem'], job
            assert job['bytes'] == 192 << 20 and job['bytes_read'] == 0, job
    finally:
        shutil.rmtree(folder)


def prefetch_usage(w):
    p, _ = prefetch(w, ONE)
    assert p.returncode == 3 and f'datasetfs mount {w.point}' in p.stderr, p
    with w.mount():
        for words, code in (((), 2), (('a/b/c',), 2), (('production/nobody',), 3),
                            (('nowhere/imagenet',), 3), (('--frob', ONE), 2)):
            p, doc = prefetch(w, *words)
            assert p.returncode == code and p.stderr.startswith('error: ') and not doc, (words, p)
        p = run('dataset', 'prefetch', '--check', ONE, '-m', w.point, uid=w.uid)
        lines = p.stdout.splitlines()
        assert p.returncode == 1 and len(lines) == 2, p
        assert lines[0].split() == ['cached:', '1', 'files,', '0', 'B'], p
        assert lines[1].startswith(f'missing: {len(w.v1) - 1} files, 17.'), p
        assert p.stderr == '', p
    with w.mount(options='noxattr'):
        p, doc = prefetch(w, ONE)
        assert p.returncode == 8 and 'noxattr' in p.stderr and not doc, p


def prefetch_shows_progress_on_a_terminal_only(w):
    with w.mount():
        terminal, end = pty.openpty()
        p = subprocess.Popen([harness.PROGRAM, 'dataset', 'prefetch', ONE, '-m', w.point],
                             stdout=subprocess.PIPE, stderr=end, text=True,
                             preexec_fn=harness.demote(w.uid) if w.uid else None)
        os.close(end)
        shown = b''
        with contextlib.suppress(OSError):      # EIO: the other end is closed
            while block := os.read(terminal, 4096):
                shown += block
        os.close(terminal)
        out = p.communicate()[0]
        assert p.returncode == 0, (out, shown)
        assert b' of 17.' in shown and b'files looked at' in shown, shown
        assert shown.endswith(b'\r\x1b[K'), shown
        assert out.splitlines()[0].startswith(f'cached:  {len(w.v1)} files, 17.'), out


def make_slow(folder, store):
    if os.path.exists(folder):
        return
    b = Bucket(folder, uri=store.uri, catalog_id='slow')
    ds = b.dataset('slow')
    b.version(ds, 1, {f'{i:03}': b'%03d' % i * 1000 for i in range(300)})
    b.publish(ds, tags={'latest': 1})
    subprocess.run(['chmod', '-R', 'a+rX', folder], check=True)


def read_one(path, data, uid):
    def read():
        with open(path, 'rb') as f:
            return f.read()
    assert fork_as(uid, read) == (True, data)


@contextlib.contextmanager
def waiting_prefetch(w):
    """(store, mount, process): it waits for a store whose gate is closed."""
    folder = w.top + '/slow'
    with Store(folder) as store:
        make_slow(folder, store)
        config = harness.write_config(
            w.top + '/slow.yaml', {'slow': store.bucket()},
            cache_dir=w.cache, extra={'buckets': {'slow': {'catalog': 'file://' + folder}}})
        with Served(config, w.point, w.log, uid=w.uid) as m:
            p, doc = prefetch(w, '--check', 'slow/slow')
            assert p.returncode == 1 and doc['missing_files'] == 300, p
            store.close_gate()
            with subprocess.Popen([harness.PROGRAM, 'dataset', 'prefetch', 'slow/slow', '-m', w.point],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  preexec_fn=harness.demote(w.uid) if w.uid else None) as p:
                try:
                    assert wait_until(lambda: ask_status(w)['cache']['waiting'] > 0), m.log()
                    yield store, m, p
                finally:
                    p.kill()


def interrupt(p, sig):
    start = time.monotonic()
    p.send_signal(sig)
    out, err = p.communicate(timeout=20)
    took = time.monotonic() - start
    assert p.returncode == 130 and took < 5, (sig, p.returncode, took, err)
    assert err.startswith('error: interrupted: ') and not out, (sig, out, err)


def prefetch_ends_when_it_is_told_to(w):
    for sig in (signal.SIGTERM, signal.SIGHUP):
        with waiting_prefetch(w) as (_, _, p):
            interrupt(p, sig)


def prefetch_is_interrupted_and_goes_on(w):
    with waiting_prefetch(w) as (store, m, p):
        interrupt(p, signal.SIGINT)
        assert wait_until(lambda: ask_status(w)['cache']['waiting'] == 0, 5)
        store.open_gate()
        p, doc = prefetch(w, 'slow/slow')
        assert p.returncode == 0 and doc['missing_files'] == 0, (p, m.log())


def prefetch_ends_with_its_mount(w):
    with waiting_prefetch(w) as (_, m, p):
        m.kill()
        out, err = p.communicate(timeout=20)
        assert p.returncode == 5 and not out, (p.returncode, err)
        assert err.count('\n') == 1 and 'is gone' in err, err


def background(w, *args, **kw):
    p, _ = run_prefetch(w, '--background', *args, **kw)
    return p


def run_prefetch(w, *args, uid=None):
    p = run('dataset', 'prefetch', '--json', '-m', w.point, *args, uid=w.uid if uid is None else uid,
            env={'DATASETFS_CONFIG': '/nowhere'})
    doc = json.loads(p.stdout) if p.stdout else None
    assert not doc or doc['schema'] == 'datasetfs.dataset-prefetch-background/1', doc
    return p, doc


def last_job(w, *states, seconds=30):
    """The youngest prefetch, in one of these states now."""
    assert wait_until(lambda: ask_status(w)['prefetches'][-1]['state'] in states, seconds), ask_status(w)['prefetches']
    return ask_status(w)['prefetches'][-1]


def background_fills_the_cache_while_nobody_waits(w):
    with w.mount() as m:
        assert ask_status(w)['prefetches'] == []
        p, doc = run_prefetch(w, '--background', 'production/imagenet:baseline')
        assert p.returncode == 0 and doc['ref'] == 'production/imagenet@1' and doc['new'] is True, (p, m.log())
        job = last_job(w, 'done', 'failed')
        assert job['state'] == 'done' and job['problem'] is None, job
        assert (job['ref'], job['paths']) == ('production/imagenet@1', []), job
        assert (job['files'], job['bytes'], job['bytes_done']) == (len(w.v1), size_of(w.v1), size_of(w.v1)), job
        assert job['files_missing'] == 0 and job['bytes_read'] == size_of(w.v1), job
        assert job['seconds_left'] is None and job['started'] and job['ended'], job
        assert ask_status(w)['cache']['bytes_fetched'] == size_of(w.v1)
        p, doc = prefetch(w, '--check', ONE)
        assert p.returncode == 0, doc
        # What is there is skipped.
        assert background(w, ONE).returncode == 0
        job = last_job(w, 'done', 'failed')
        assert job['state'] == 'done' and job['bytes_read'] == 0, job
        assert job['bytes_done'] == size_of(w.v1), job
        p = run('status', w.point, uid=w.uid)
        assert 'Prefetch' in p.stdout and 'production/imagenet@1   done    1508    ' in p.stdout, p.stdout
    with away(w.top + '/store/production/id-imagenet/hashes'), w.mount() as m:
        assert ask_status(w)['prefetches'] == []
        assert fork_as(w.uid, wrong_files, w, '1', w.v1) == (True, []), m.log()
        assert ask_status(w)['cache']['bytes_fetched'] == 0


def background_of_paths_collections_and_what_cannot_be_read(w):
    train = {n: d for n, d in w.v1.items() if n.startswith('train/')}
    odd = 'Ünïcode/naïve file \n with newline'
    with w.mount():
        assert background(w, ONE, 'train/', odd).returncode == 0
        job = last_job(w, 'done', 'failed')
        assert job['state'] == 'done' and job['paths'] == ['train', odd], job
        assert (job['files'], job['bytes_read']) == (len(train) + 1, size_of(train) + 4), job
        p, doc = prefetch(w, '--check', ONE)
        assert p.returncode == 1 and doc['cached_bytes'] == size_of(train) + 4, (p, doc)
        assert background(w, 'production/robots').returncode == 0
        job = last_job(w, 'done', 'failed')
        assert (job['ref'], job['state'], job['files']) == ('production/robots', 'done', len(w.v1) + 2), job
        assert background(w, 'imagenet').returncode == 0
        job = last_job(w, 'done', 'failed')
        assert job['state'] == 'failed' and job['files_missing'] == 2, job
        assert job['problem'].startswith('2 files are not in the cache: forbidden: '), job
        p = run('status', w.point, uid=w.uid)
        assert '2 files are not in the cache' in p.stdout, p.stdout


def background_usage(w):
    with w.mount():
        for words, code, text in ((('--background', '--check', ONE), 2, 'one of'),
                                  (('--background', '--cancel', ONE), 2, 'one of'),
                                  (('--cancel', ONE, 'train'), 2, 'a dataset only'),
                                  (('--background', ONE, 'nowhere'), 3, 'there is no nowhere'),
                                  (('--background', 'production/nobody'), 3, 'nobody'),
                                  (('--cancel', ONE), 3, 'not being prefetched'),
                                  (('--background', ONE, *('./' * i + 'many' for i in range(1, 99))), 0, '')):
            p, _ = run_prefetch(w, *words)
            assert p.returncode == code and text in p.stderr, (words, p)
        names = [f'many/f{i:05}' for i in range(1500)]
        p, _ = run_prefetch(w, '--background', ONE, *names)
        assert p.returncode == 2 and 'fewer paths' in p.stderr, p
        assert last_job(w, 'done')['paths'] == ['many']
        p, doc = run_prefetch(w, '--background', ONE, uid=STRANGER)
        assert p.returncode == 4 and not doc, p
    p, _ = run_prefetch(w, '--background', ONE)
    assert p.returncode == 3 and 'nothing is mounted' in p.stderr, p


@contextlib.contextmanager
def stalled_background(w):
    """(store, mount): a prefetch of slow/slow whose requests all wait."""
    with Store(w.top + '/slow') as store:
        make_slow(store.folder, store)
        config = harness.write_config(
            w.top + '/slow.yaml', {'slow': store.bucket()},
            cache_dir=w.cache, extra={'buckets': {'slow': {'catalog': 'file://' + store.folder}}})
        with Served(config, w.point, w.log, uid=w.uid) as m:
            p, doc = prefetch(w, '--check', 'slow/slow')
            assert p.returncode == 1 and doc['missing_files'] == 300, p
            store.close_gate()
            assert background(w, 'slow/slow').returncode == 0
            assert wait_until(lambda: ask_status(w)['cache']['in_flight'] == 16), m.log()
            yield store, m


def background_lets_readers_go_first(w):
    with stalled_background(w) as (store, m):
        job = last_job(w, 'running')
        assert (job['files'], job['bytes'], job['bytes_done']) == (300, 900_000, 0), job
        reader = threading.Thread(target=read_one, args=(w.path('slow/slow@1/299'), b'299' * 1000, w.uid))
        reader.start()
        # All that the prefetch has under way is stuck, and 284 files wait; the reader's is asked for at once.
        assert wait_until(lambda: ask_status(w)['cache']['in_flight'] == 17), m.log()
        store.open_gate()
        reader.join(20)
        assert not reader.is_alive()
        job = last_job(w, 'done', 'failed')
        assert job['state'] == 'done' and job['bytes_done'] == 900_000, job
        p, doc = prefetch(w, '--check', 'slow/slow')
        assert p.returncode == 0, doc
        assert ask_status(w)['cache']['bytes_fetched'] == 900_000


def background_is_cancelled_and_goes_on(w):
    with stalled_background(w) as (store, m):
        p, doc = run_prefetch(w, '--background', 'slow/slow')
        assert p.returncode == 0 and doc['new'] is False, (p, doc)
        for i in range(15):
            assert background(w, 'slow/slow', f'{i:03}').returncode == 0
        p, doc = run_prefetch(w, '--background', 'slow/slow', '290')
        assert p.returncode == 7 and '16 are under way' in p.stderr, p
        states = [job['state'] for job in ask_status(w)['prefetches']]
        assert states == ['running'] + 15 * ['waiting'], states
        p, doc = run_prefetch(w, '--cancel', 'slow/slow')
        assert p.returncode == 0 and doc['cancelled'] == 16, (p, doc)
        # Though nothing comes from the store.
        assert wait_until(lambda: {job['state'] for job in ask_status(w)['prefetches']} == {'cancelled'}, 5), \
            ask_status(w)['prefetches']
        assert ask_status(w)['cache']['waiting'] == 0
        assert run_prefetch(w, '--cancel', 'slow/slow')[0].returncode == 3
        store.open_gate()
        assert background(w, 'slow/slow').returncode == 0
        assert last_job(w, 'done', 'failed')['state'] == 'done', m.log()
        assert len(ask_status(w)['prefetches']) == 16
        assert ask_status(w)['cache']['bytes_fetched'] <= 900_000 + 16 * 3000


def background_ends_with_its_mount(w):
    with stalled_background(w):
        start = time.monotonic()
    assert time.monotonic() - start < 10
    with w.mount():
        assert ask_status(w)['prefetches'] == []


def stat_tells_what_the_cache_holds(w):
    with w.mount() as m:
        assert prefetch(w, ONE)[0].returncode == 0, m.log()

        def stat():
            p = run('cache', 'stat', '--json', w.point, uid=w.uid, check=True)
            return json.loads(p.stdout)

        # Written behind the reads.
        assert wait_until(lambda: stat()['cache']['disk']['records'] >= len(w.v1) - 1, 5), stat()
        doc = stat()
        assert doc['schema'] == 'datasetfs.cache-stat/1' and doc['mountpoint'] == w.point, doc
        cache = doc['cache']
        assert cache['dir'] == w.cache and cache['bytes_fetched'] == size_of(w.v1), doc
        assert cache['disk']['bytes'] >= size_of(w.v1), doc
        assert cache['disk']['dropped'] == cache['disk']['evicted'] == cache['disk']['damaged'] == 0, doc
        p = run('cache', 'stat', w.point, uid=w.uid)
        assert p.returncode == 0 and f"{cache['disk']['records']} records" in p.stdout, p
        assert f'Directory: {w.cache}\n' in p.stdout and 'fetched from stores' in p.stdout, p
        p = run('cache', 'stat', w.point, uid=STRANGER)
        assert p.returncode == 4 and 'owner' in p.stderr and not p.stdout, p
    p = run('cache', 'stat', w.point, uid=w.uid)
    assert p.returncode == 3 and p.stderr.startswith('error: ') and not p.stdout, p


def test(t, w, only):
    run_lives(t, w, only(named('prefetch_', globals()) + named('background_', globals()) + named('stat_', globals())))


if __name__ == '__main__':
    sys.exit(main(test))
