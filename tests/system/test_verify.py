#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dataset verify: what is wrong in the store is named, file by file, and
nothing else is."""
import contextlib
import json
import os
import signal
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness                                                # noqa: E402
from mount_bucket import Bucket, etag_of                      # noqa: E402
from mount_store import Store                                 # noqa: E402
from mount_world import STRANGER, Served, ask_status, fork_as, main, named, run_lives, wait_until    # noqa: E402

FILES = {'good': b'good\n', 'empty': b'', 'dir/small': b'right\n', 'dir/short': b'x' * 100,
         'gone': b'gone\n', 'large': bytes(range(256)) * 40_000,
         **{f'many/{i:03}': b'%d' % i for i in range(300)}}
BYTES = sum(map(len, FILES.values()))
FILL = os.path.abspath('tests/bounds/fill_cache')


class Place:
    """A bucket whose record says the checksum that its manifest has."""

    def __init__(self, w):
        self.w = w
        self.folder = w.top + '/verify'
        subprocess.run(['rm', '-rf', self.folder], check=True)
        self.bucket = Bucket(self.folder, catalog_id='verify')
        self.ds = self.bucket.dataset('d')
        self.bucket.version(self.ds, 1, FILES)
        self.bucket.publish(self.ds, tags={'latest': 1})
        self.config = harness.write_config(w.top + '/verify.yaml', {'b': {'dataset_path': self.bucket.uri}},
                                           default='b', cache_dir=w.cache)
        subprocess.run(['chmod', '-R', 'a+rX', self.folder], check=True)
        subprocess.run(['find', w.cache, '-mindepth', '1', '-delete'], check=True)
        p = harness.run('-c', self.config, 'dataset', 'checksum', 'd', uid=w.uid)
        self.set_checksum(p.stdout.split()[0])

    def set_checksum(self, text):
        path = f'{self.folder}/.datasetfs/catalog/datasets/{self.ds}/versions/0000000001.json'
        with open(path) as f:
            record = json.load(f)
        record['checksum'] = text
        with open(path, 'w') as f:
            json.dump(record, f)
        # Where the record is remembered: one that was seen never changes.
        subprocess.run(['find', self.w.cache, '-mindepth', '1', '-delete'], check=True)

    def blob(self, name):
        return f'{self.folder}/{self.ds}/hashes/{etag_of(FILES[name])}'

    def overwrite(self, name, data):
        with open(self.blob(name), 'wb') as f:
            f.write(data)

    def verify(self, *words):
        p = harness.run('-c', self.config, 'dataset', 'verify', '--json', *words, uid=self.w.uid)
        doc = json.loads(p.stdout) if p.stdout else None
        assert not doc or doc['schema'] == 'datasetfs.dataset-verify/1', doc
        return p, doc


def failed(doc):
    return {f['path']: f['error'] for f in doc['failures']}


def verify_a_version_that_is_right(w):
    at = Place(w)
    p, doc = at.verify('d')
    assert p.returncode == 0 and p.stderr == '', p
    assert doc['checked'] == 'store' and doc['checksum_matches'] is True, doc
    assert doc['wanted'] == doc['not_read'] == {'files': 306, 'bytes': BYTES}, doc
    assert doc['read'] == doc['differ'] == {'files': 0, 'bytes': 0} and doc['failures'] == [], doc
    p, doc = at.verify('--content', 'd')
    assert p.returncode == 0 and doc['unverifiable_files'] == 0, (p, doc)
    assert doc['read'] == {'files': 305, 'bytes': BYTES} and doc['not_read'] == {'files': 1, 'bytes': 0}, doc
    p = harness.run('-c', at.config, 'dataset', 'verify', 'd', uid=w.uid)
    assert p.stdout.splitlines() == [
        'manifest: right',
        'store:    306 of 306 files are right: 0 by their content (0 B was read), 306 as far as their size tells',
        'cache:    not checked: nothing is mounted at /datasets'], p
    assert doc['cache'] == {'checked': False, 'problem': 'nothing is mounted at /datasets', 'files': 0, 'bytes': 0,
                            'records': 0, 'damaged': 0, 'refetched': 0, 'damaged_files': 0}, doc


def verify_names_what_differs(w):
    at = Place(w)
    at.overwrite('dir/small', b'wrong\n')
    at.overwrite('large', FILES['large'][:-1] + b'!')
    at.overwrite('dir/short', b'x' * 50)
    os.unlink(at.blob('gone'))
    p, doc = at.verify('d')
    assert p.returncode == 1 and doc['differ']['files'] == 2, (p, doc)
    assert set(failed(doc)) == {'dir/short', 'gone'}, doc
    assert 'has 50 bytes, expected 100' in failed(doc)['dir/short'], doc
    p, doc = at.verify('d', '--content')
    assert p.returncode == 1 and set(failed(doc)) == {'dir/short', 'gone', 'dir/small', 'large'}, (p, doc)
    assert f"expected {etag_of(FILES['large'])}" in failed(doc)['large'], doc
    assert doc['read']['files'] == 301 and p.stderr.count('error: ') == 5, (p, doc)
    p = harness.run('-c', at.config, 'dataset', 'verify', '--content', 'd', 'dir', 'good', 'empty', uid=w.uid)
    assert p.stdout.splitlines()[1] == \
        'store:    2 of 4 files are right: 1 by their content (5 B was read), 1 as far as their size tells', p
    p, doc = at.verify('--content', 'd', './dir/', 'good')
    assert p.returncode == 1 and doc['wanted']['files'] == 3, (p, doc)
    assert set(failed(doc)) == {'dir/short', 'dir/small'}, doc
    p, doc = at.verify('--content', 'd', 'good', 'many/007')
    assert p.returncode == 0 and doc['wanted'] == {'files': 2, 'bytes': 6}, (p, doc)


def verify_of_a_sample_is_the_same_each_time(w):
    at = Place(w)
    reads = [at.verify('--sample', '10%', 'd')[1]['read'] for _ in range(2)]
    assert reads[0] == reads[1] and 10 <= reads[0]['files'] <= 60, reads
    for i in range(300):
        at.overwrite(f'many/{i:03}', b'?' * len(b'%d' % i))
    p, doc = at.verify('--sample', '10%', 'd')
    assert p.returncode == 1 and set(failed(doc)) == set(failed(at.verify('--sample', '10.0%', 'd')[1])), p
    assert 10 <= len(failed(doc)) <= 60, doc
    assert set(failed(doc)) < set(failed(at.verify('--sample', '50%', 'd')[1])), doc


def verify_compares_the_manifest_with_its_record(w):
    at = Place(w)
    at.set_checksum('0' * 32)
    p, doc = at.verify('d')
    assert p.returncode == 1 and doc['checksum_matches'] is False and doc['failures'] == [], (p, doc)
    assert f"the version's record says {'0' * 32}" in p.stderr, p


def kept(w):
    """What --resume goes on from, by path."""
    folder = w.cache + '/verify'
    return [f'{folder}/{n}' for n in os.listdir(folder)] if os.path.exists(folder) else []


def verify_resumed_looks_only_at_what_was_not_right(w):
    at = Place(w)
    os.unlink(at.blob('gone'))
    at.overwrite('dir/small', b'wrong\n')
    p, doc = at.verify('--content', 'd')
    assert p.returncode == 1 and '--resume' in p.stderr and len(kept(w)) == 1, (p, kept(w))
    assert doc['read']['files'] == 303 and doc['from_before'] == {'files': 0, 'bytes': 0}, doc
    at.overwrite('gone', FILES['gone'])
    at.overwrite('many/001', b'?')                  # was right: not looked at again
    p, doc = at.verify('--resume', '--content', 'd')
    assert p.returncode == 1 and set(failed(doc)) == {'dir/small'}, (p, doc)
    assert doc['from_before']['files'] == 304 and doc['read'] == {'files': 1, 'bytes': 5}, doc
    # Less was asked for than was found; others' questions are their own.
    p, doc = at.verify('--resume', 'd', 'many')
    assert p.returncode == 0 and doc['from_before']['files'] == 0 and doc['not_read']['files'] == 300, (p, doc)
    at.overwrite('dir/small', FILES['dir/small'])
    p, doc = at.verify('--resume', 'd')
    assert p.returncode == 0 and doc['from_before']['files'] == 305 and kept(w) == [], (p, doc, kept(w))
    p, doc = at.verify('--content', 'd')
    assert p.returncode == 1 and set(failed(doc)) == {'many/001'}, (p, doc)


def verify_resumed_reads_what_was_only_asked_for(w):
    at = Place(w)
    os.unlink(at.blob('gone'))
    assert at.verify('d')[0].returncode == 1
    p, doc = at.verify('-r', '--content', 'd')
    assert p.returncode == 1 and doc['read']['files'] == 304, (p, doc)
    assert doc['from_before'] == {'files': 1, 'bytes': 0}, doc      # the empty one
    p = harness.run('-c', at.config, 'dataset', 'verify', '-r', '--content', 'd', uid=w.uid)
    assert p.stdout.splitlines()[2].strip().startswith('305 of them ('), p


def verify_resumed_trusts_no_damaged_or_old_state(w):
    at = Place(w)
    os.unlink(at.blob('gone'))
    for spoil in (lambda path: flip(path, 60), lambda path: os.truncate(path, 50), lambda path: flip(path, 3),
                  lambda path: os.utime(path, (1, 1))):
        assert at.verify('d')[0].returncode == 1
        path, = kept(w)
        spoil(path)
        p, doc = at.verify('--resume', 'd')
        assert p.returncode == 1 and doc['from_before']['files'] == 0, (p, doc)
        p, doc = at.verify('--resume', 'd')
        assert p.returncode == 1 and doc['from_before']['files'] == 305, (p, doc)


def flip(path, offset):
    with open(path, 'r+b') as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ 1]))


def verify_goes_on_after_its_end(w):
    folder = w.top + '/verify-slow'
    subprocess.run(['rm', '-rf', folder], check=True)
    files = {f'{i:03}': b'%d' % i for i in range(100)}
    with Store(folder) as store:
        b = Bucket(folder, uri=store.uri, catalog_id='verify-slow')
        ds = b.dataset('slow')
        b.version(ds, 1, files)
        b.publish(ds, tags={'latest': 1})
        subprocess.run(['chmod', '-R', 'a+rX', folder], check=True)
        config = harness.write_config(w.top + '/verify-slow.yaml', {'slow': store.bucket()}, cache_dir=w.cache,
                                      extra={'buckets': {'slow': {'catalog': 'file://' + folder}}})
        words = ['-c', config, 'dataset', 'verify', '--content', '--json', 'slow/slow']
        for sig, code in ((signal.SIGKILL, -9), (signal.SIGTERM, 130)):
            subprocess.run(['find', w.cache, '-mindepth', '1', '-delete'], check=True)
            store.close_gate('/' + etag_of(files['050']))
            with subprocess.Popen([harness.PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  preexec_fn=harness.demote(w.uid) if w.uid else None) as p:
                try:
                    assert wait_until(lambda: kept(w), 30), p.poll()
                    p.send_signal(sig)
                    _, err = p.communicate(timeout=20)
                finally:
                    p.kill()
            assert p.returncode == code and (code < 0 or 'error: interrupted' in err), (p.returncode, err)
            store.open_gate()
            p = harness.run(*words, '--resume', uid=w.uid)
            doc = json.loads(p.stdout)
            # 1: the record of this bucket has another checksum.
            assert p.returncode == 1 and doc['differ']['files'] == 0, (p, doc)
            assert doc['from_before']['files'] == 99 and doc['read']['files'] == 1, doc


def spoil_cached(w, data):
    """A byte of the record that is data."""
    for name in os.listdir(w.cache + '/segments'):
        path = f'{w.cache}/segments/{name}'
        with open(path, 'rb') as f:
            at = f.read().find(data)
        if at >= 0:
            flip(path, at + len(data) // 2)
            return
    raise AssertionError('it is not on the disk')


@contextlib.contextmanager
def filled_mount(at):
    w = at.w
    with Served(at.config, w.point, w.log, uid=w.uid) as m:
        harness.run('dataset', 'prefetch', '-m', w.point, 'd', uid=w.uid, check=True)
        assert wait_until(lambda: ask_status(w)['cache']['disk']['records'] == 314), m.log()
        yield m


def verify_checks_what_the_mount_has_cached(w):
    at = Place(w)
    with filled_mount(at):
        p, doc = at.verify('-m', w.point, 'd')
        assert p.returncode == 0 and doc['checked'] == 'store and cache', (p, doc)
        assert doc['cache'] == {'checked': True, 'problem': None, 'files': 305, 'bytes': BYTES, 'records': 314,
                                'damaged': 0, 'refetched': 0, 'damaged_files': 0}, doc
        p = harness.run('-c', at.config, 'dataset', 'verify', '-m', w.point, 'd', 'dir', uid=w.uid)
        assert p.stdout.splitlines()[-1] == 'cache:    2 of 2 records (106 B, of 2 files) are right', p
        spoil_cached(w, FILES['dir/small'])
        spoil_cached(w, FILES['large'][-1000:])
        p, doc = at.verify('-m', w.point, 'd', 'good', 'many')
        assert p.returncode == 0 and doc['cache']['records'] == 301, (p, doc)
        p, doc = at.verify('-m', w.point, 'd')
        assert p.returncode == 0 and doc['differ']['files'] == 0, (p, doc)
        assert (doc['cache']['damaged'], doc['cache']['refetched'], doc['cache']['damaged_files']) == (2, 2, 2), doc
        assert failed(doc) == {
            'dir/small': 'in the cache: 1 of 1 cached records are damaged, 1 fetched again',
            'large': 'in the cache: 1 of 10 cached records are damaged, 1 fetched again'}, doc
        right = dict(doc['cache'], damaged=0, refetched=0, damaged_files=0)
        p, doc = at.verify('-m', w.point, 'd')
        assert p.returncode == 0 and doc['cache'] == right and doc['cache']['records'] == 314, (p, doc)
    with Served(at.config, w.point, w.log, uid=w.uid):
        p, doc = at.verify('-m', w.point, 'd')
        assert p.returncode == 0 and doc['cache'] == right, (p, doc)


def verify_drops_what_is_damaged_and_cannot_be_fetched_again(w):
    at = Place(w)
    with filled_mount(at):
        spoil_cached(w, FILES['gone'])
        os.unlink(at.blob('gone'))
        p, doc = at.verify('-m', w.point, 'd')
        assert p.returncode == 1 and (doc['cache']['damaged'], doc['cache']['refetched']) == (1, 0), (p, doc)
        assert 'gone: in the cache: 1 of 1 cached records are damaged, 0 fetched again' in p.stderr, p
        at.overwrite('gone', FILES['gone'])
        subprocess.run(['chmod', 'a+r', at.blob('gone')], check=True)
        p, doc = at.verify('--resume', '-m', w.point, 'd')
        assert p.returncode == 0 and doc['from_before']['files'] == 305 and doc['cache']['records'] == 0, (p, doc)
        assert doc['checked'] == 'store and cache' and doc['cache']['problem'] is None, doc
        p, doc = at.verify('-m', w.point, 'd')
        assert p.returncode == 0 and doc['cache']['records'] == 313, (p, doc)
        assert fork_as(w.uid, read_all, w.path('b/d@1/gone')) == (True, FILES['gone'])


def verify_compares_cached_content_with_the_manifest(w):
    """Records that are whole, and not what the manifest says: put there by hand."""
    files = {f'{i}': f'{i}'.ljust(99).encode() + b'\n' for i in range(3)}
    folder = w.top + '/verify-wrong'
    subprocess.run(['rm', '-rf', folder], check=True)
    b = Bucket(folder, catalog_id='verify-wrong')
    ds = b.dataset('d')
    b.version(ds, 1, files)
    b.publish(ds, tags={'latest': 1})
    subprocess.run(['chmod', '-R', 'a+rX', folder], check=True)
    config = harness.write_config(w.top + '/verify-wrong.yaml', {'b': {'dataset_path': b.uri}}, cache_dir=w.cache)
    # A copy: the build's own folder may be out of an ordinary user's reach.
    subprocess.run([shutil.copy(FILL, w.top + '/fill_cache'), w.cache + '/segments', folder, ds + '/hashes/', '3', '100', '3', 'wrong'], check=True,
                   stdout=subprocess.DEVNULL, preexec_fn=harness.demote(w.uid) if w.uid else None)
    with Served(config, w.point, w.log, uid=w.uid):
        p = harness.run('-c', config, 'dataset', 'verify', '--json', '-m', w.point, 'b/d', uid=w.uid)
        doc = json.loads(p.stdout)
        assert p.returncode == 1 and (doc['cache']['records'], doc['cache']['damaged']) == (3, 3), (p, doc)
        assert f"expected {etag_of(files['1'])}" in failed(doc)['1'], doc
        for name, data in files.items():
            assert fork_as(w.uid, read_all, w.path(f'b/d@1/{name}')) == (True, data)


def read_all(path):
    with open(path, 'rb') as f:
        return f.read()


def verify_of_a_cache_that_cannot_be_asked(w):
    at = Place(w)
    p, doc = at.verify('-m', w.point, 'd')
    assert p.returncode == 3 and not doc, p
    with filled_mount(at):
        p = harness.run('-c', at.config, '--cache-dir', w.top + '/other', 'dataset', 'verify', '-m', w.point, 'd',
                        uid=STRANGER)
        assert p.returncode in (2, 4), p


def verify_usage(w):
    at = Place(w)
    for words, code in (((), 2), (('d', 'nothing'), 3), (('nobody',), 3), (('--sample', '0', 'd'), 2),
                        (('--sample', '1x', 'd'), 2), (('d', ''), 2), (('d', 'good', ''), 2), (('--sample', '1%', '--content', 'd'), 2), (('--frob', 'd'), 2)):
        p, doc = at.verify(*words)
        assert p.returncode == code and p.stderr.startswith('error: ') and not doc, (words, p)
    p, _ = at.verify('--sample', '1', 'd')
    assert p.returncode == 2 and 'write --sample 1%' in p.stderr, p


def test(t, w, only):
    run_lives(t, w, only(named('verify_', globals())))


if __name__ == '__main__':
    sys.exit(main(test))
