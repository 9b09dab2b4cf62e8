#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dataset verify: what is wrong in the store is named, file by file, and
nothing else is."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness                                                # noqa: E402
from mount_bucket import Bucket, etag_of                      # noqa: E402
from mount_world import main, named, run_lives                # noqa: E402

FILES = {'good': b'good\n', 'empty': b'', 'dir/small': b'right\n', 'dir/short': b'x' * 100,
         'gone': b'gone\n', 'large': bytes(range(256)) * 40_000,
         **{f'many/{i:03}': b'%d' % i for i in range(300)}}
BYTES = sum(map(len, FILES.values()))


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
        'store:    306 of 306 files are right: 0 by their content (0 B was read), 306 as far as their size tells'], p


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
