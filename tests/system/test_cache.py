#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cache evict and cache stat: what was asked for is gone, now and after a
remount, everything else stays, and no read notices."""
import json
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import run                                       # noqa: E402
from mount_world import (                                     # noqa: E402
    STRANGER, ask_status, check_every_file, fork_as, forking, main, named, run_lives)

ONE, TWO, PLAIN = 'production/imagenet:1', 'production/imagenet:2', 'production/sets:2'
PLAIN_BYTES = 7
NEW_BYTES = 15          # of "new", which version 2 has alone
README_BYTES = 6        # which version 1 has alone


def size_of(files):
    return sum(map(len, files.values()))


def evict(w, *words, uid=None):
    p = run('-c', w.config, 'cache', 'evict', '--json', '-m', w.point, *words, uid=w.uid if uid is None else uid)
    doc = json.loads(p.stdout) if p.stdout else None
    assert not doc or doc['schema'] == 'datasetfs.cache-evict/1', doc
    return p, doc


def prefetch(w, *refs):
    for ref in refs:
        p = run('dataset', 'prefetch', '-m', w.point, ref, uid=w.uid)
        assert p.returncode == 0 or ref == TWO, p      # of which two files cannot be read


def cached(w, ref):
    p = run('dataset', 'prefetch', '--check', '--json', '-m', w.point, ref, uid=w.uid)
    return json.loads(p.stdout)['cached_bytes']


def owners(w):
    p = run('cache', 'stat', '--json', w.point, uid=w.uid, check=True)
    doc = json.loads(p.stdout)
    return doc, {b['name']: (b['bytes'], {d['name']: (d['bytes'], {v['version']: v['bytes'] for v in d['versions']})
                                          for d in b['datasets']}) for b in doc['buckets']}


def cache_evict_takes_a_version_and_nothing_else(w):
    one = size_of(w.v1)
    with w.mount():
        prefetch(w, ONE, PLAIN)
        assert (cached(w, ONE), cached(w, PLAIN)) == (one, PLAIN_BYTES)
        p, doc = evict(w, ONE)
        assert p.returncode == 0, p
        assert (doc['bytes_disk'], doc['versions'], doc['files']) == (one, 1, len(w.v1) - 1), doc
        assert doc['bytes_freed'] == 0, doc                     # another's bytes lie in the same segment
        assert (cached(w, ONE), cached(w, PLAIN)) == (0, PLAIN_BYTES)
        p, doc = evict(w, ONE)
        assert p.returncode == 0 and doc['bytes_disk'] == doc['bytes_memory'] == 0, (p, doc)
        assert ask_status(w)['cache']['disk']['bytes'] > one
        prefetch(w, ONE)
        assert evict(w, ONE)[1]['bytes_freed'] > one
        assert (cached(w, ONE), cached(w, PLAIN)) == (0, PLAIN_BYTES)
    with w.mount():
        assert (cached(w, ONE), cached(w, PLAIN)) == (0, PLAIN_BYTES)
        ok, error = fork_as(w.uid, check_every_file, w)
        assert ok, error


def cache_evict_survives_a_kill(w):
    with w.mount() as m:
        prefetch(w, ONE, PLAIN)
        assert evict(w, ONE)[0].returncode == 0
        m.kill()
        subprocess.run(['umount', '-l', w.point], check=True)
    with w.mount():
        assert (cached(w, ONE), cached(w, PLAIN)) == (0, PLAIN_BYTES)


def cache_evict_takes_a_bucket_and_all(w):
    with w.mount():
        prefetch(w, ONE, PLAIN)
        p, doc = evict(w, '--bucket', 'closed')
        assert p.returncode == 0 and doc['bytes_disk'] == 0, (p, doc)
        assert cached(w, ONE) == size_of(w.v1)
        p, doc = evict(w, '--bucket', 'production')
        assert p.returncode == 0 and doc['bytes_disk'] == size_of(w.v1) + PLAIN_BYTES, (p, doc)
        assert (cached(w, ONE), cached(w, PLAIN)) == (0, 0)
        prefetch(w, ONE)
        p, doc = evict(w)
        assert p.returncode == 0 and doc['bytes_disk'] == size_of(w.v1), (p, doc)
        assert doc['versions'] >= 2 and doc['files'] >= len(w.v1) - 1 + 2, doc
        disk = ask_status(w)['cache']['disk']
        assert disk['records'] == 0 and disk['bytes'] < 4096, disk
        assert cached(w, ONE) == 0
        prefetch(w, PLAIN)
        assert cached(w, PLAIN) == PLAIN_BYTES
    with w.mount():
        assert (cached(w, ONE), cached(w, PLAIN)) == (0, PLAIN_BYTES)


def cache_evict_without_a_mount(w):
    with w.mount():
        prefetch(w, ONE, PLAIN)
    p = run('-c', w.config, 'cache', 'evict', '--json', uid=STRANGER)
    assert p.returncode == 4 and not p.stdout and w.cache in p.stderr, p
    p = w.command('cache', 'evict', '--json', ONE)
    assert p.returncode == 0, p
    assert json.loads(p.stdout)['bytes_disk'] == size_of(w.v1), p
    with w.mount():
        assert (cached(w, ONE), cached(w, PLAIN)) == (0, PLAIN_BYTES)
        # The mount has it: its directory is not touched.
        p = w.command('cache', 'evict')
        assert p.returncode == 7 and 'try: -m DIR' in p.stderr and not p.stdout, p
        assert cached(w, PLAIN) == PLAIN_BYTES
    p = w.command('cache', 'evict')
    assert p.returncode == 0 and p.stdout.startswith('evicted: 7 B on the disk, '), p
    with w.mount():
        assert (cached(w, ONE), cached(w, PLAIN)) == (0, 0)


def read_until(w, end):
    """How many rounds, each of which the kernel had to ask for."""
    rounds = 0
    while not os.path.exists(end):
        rounds += 1
        for name in ('train/large.bin', 'exactly-8MiB', 'train/a.bin', 'README.txt'):
            fd = os.open(w.path('production/imagenet@1/' + name), os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            with os.fdopen(fd, 'rb') as f:
                assert f.read() == w.v1[name], name
    return rounds


def cache_evict_fails_no_read(w):
    with w.mount() as m:
        results, end = [], w.top + '/end'
        readers = [threading.Thread(target=lambda: results.append(fork_as(w.uid, read_until, w, end)))
                   for _ in range(4)]
        for r in readers:
            r.start()
        try:
            for words in 8 * ((ONE,), (), ('--bucket', 'production')):
                with forking:       # else a reader's child may hold the command's pipes
                    p, _ = evict(w, *words)
                assert p.returncode == 0, (p, m.log())
        finally:
            with open(end, 'w'):
                pass
            for r in readers:
                r.join()
            os.unlink(end)
        assert len(results) == 4 and all(ok and rounds for ok, rounds in results), (results, m.log())


def cache_evict_usage(w):
    with w.mount():
        for words, code, text in (((ONE, '--bucket', 'production'), 2, 'either'), (('a/b/c',), 2, ''),
                                  (('production/nobody',), 3, 'nobody'), (('--bucket', 'nowhere'), 3, 'nowhere'),
                                  (('--bucket', 'a b'), 2, 'no name'), (('--frob',), 2, 'frob')):
            p, doc = evict(w, *words)
            assert p.returncode == code and p.stderr.startswith('error: ') and text in p.stderr and not doc, (words, p)
        p, doc = evict(w, uid=STRANGER)
        assert p.returncode == 4 and 'owner' in p.stderr and not doc, p
    p, doc = evict(w)
    assert p.returncode == 3 and not doc, p


def cache_stat_counts_what_versions_share_once(w):
    shared = size_of(w.v1) - README_BYTES
    with w.mount():
        doc, found = owners(w)
        assert doc['bytes'] == 0 and found['production'][0] == 0, doc
        prefetch(w, ONE, TWO, PLAIN)
        doc, found = owners(w)
        both = shared + README_BYTES + NEW_BYTES
        assert found['production'][1]['imagenet'] == (both, {1: shared + README_BYTES, 2: shared + NEW_BYTES}), found
        assert found['production'][1]['sets'] == (PLAIN_BYTES, {2: PLAIN_BYTES}), found
        assert found['production'][0] == both + PLAIN_BYTES == doc['bytes'], (found, doc['bytes'])
        assert found['closed'] == (0, {}) and 'archive' not in found, found
        assert owners(w)[1] == found
        assert evict(w, TWO)[0].returncode == 0
        assert owners(w)[1]['production'][1]['imagenet'] == (README_BYTES, {1: README_BYTES, 2: 0})
        p = run('cache', 'stat', w.point, uid=w.uid)
        assert p.returncode == 0 and 'production/imagenet@1   6 B' in p.stdout, p
        p = run('cache', 'stat', '--brief', w.point, uid=w.uid)
        assert p.returncode == 0 and 'Directory:' in p.stdout and 'imagenet' not in p.stdout, p


def test(t, w, only):
    run_lives(t, w, only(named('cache_', globals())))


if __name__ == '__main__':
    sys.exit(main(test))
