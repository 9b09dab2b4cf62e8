#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dataset import objects: versions of what lies in a store already."""
import errno
import hashlib
import json
import os
import subprocess
import sys

import harness
from ds_servers import Scripted
from harness import Mount, Tap, run, scratch

FILES = {
    'raw/2024/a.bin': b'alpha' * 1000,
    'raw/2024/sub/b.txt': b'beta\n',
    'raw/2024/sub/empty': b'',
    'raw/2024/sub/na\xc3\xafve \xff".txt': b'odd name\n',
    'raw/2025/c.bin': b'gamma' * 500,
}


class World:
    """A read-write bucket beside a folder of files that belongs to nobody, and a read-only one."""

    def __init__(self, top, name):
        self.top = os.path.join(top, name)
        self.raw = os.path.join(self.top, 'store')
        for path, content in FILES.items():
            self.write(path, content)
        for d in ('bucket', 'archive'):
            os.makedirs(os.path.join(self.top, d))
        for path, content in FILES.items():
            self.write(path, content, 'archive')
        self.config = harness.write_config(self.top + '/config.yaml', {
            'production': {'dataset_path': f'file://{self.top}/bucket'},
            'archive': {'dataset_path': f'file://{self.top}/archive', 'mode': 'read-only'}},
            cache_dir=self.top + '/cache', default='production',
            extra={'buckets': {'production': {'foreign': [f'file://{self.raw}/raw']}}})

    def write(self, path, content, where='store'):
        full = os.path.join(os.fsencode(os.path.join(self.top, where)), os.fsencode(path)
                            if isinstance(path, str) and path.isascii() else path.encode('latin-1'))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'wb') as f:
            f.write(content)

    def run(self, *args, **kw):
        return run('-c', self.config, *args, **kw)

    def objects(self, *args, **kw):
        return self.run('dataset', 'import', 'objects', *args, **kw)

    def mount(self):
        os.makedirs(self.top + '/mnt', exist_ok=True)
        return Mount(self.config, self.top + '/mnt', self.top + '/log')


def digest(content):
    return hashlib.sha256(content).hexdigest()[:16]


def read_tree(root):
    """Path to digest, of every file."""
    root = os.fsencode(root)
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            with open(os.path.join(folder, name), 'rb') as f:
                found[os.path.relpath(os.path.join(folder, name), root)] = digest(f.read())
    return found


def below(prefix):
    return {path[len(prefix):].encode('latin-1'): digest(content) for path, content in FILES.items()
            if path.startswith(prefix)}


def test_versions(tap, w):
    uri = f'file://{w.raw}/raw/2024'
    p = w.objects('-n', 'raw', uri)
    tap.ok(p.returncode == 0 and 'added      production/raw:1  4 files' in p.stdout and
           not os.path.exists(w.top + '/bucket/.datasetfs'), 'a dry run tells and writes nothing', p.stdout + p.stderr)
    p = w.objects('raw:first', uri + '/')
    tap.ok(p.returncode == 0 and 'added      production/raw:1  4 files, 4.9 KiB\n' in p.stdout,
           'objects become version 1', p.stdout + p.stderr)
    p = w.objects('--json', 'raw:first', uri)
    doc = json.loads(p.stdout)
    tap.equal((doc['version'], doc['unchanged'], doc['new_dataset'], doc['files'], doc['bytes']),
              (1, True, False, 4, 5014), 'the same objects again are the same version')
    p = w.objects('raw:all', f'file://{w.raw}/raw')
    tap.ok('added      production/raw:2  5 files' in p.stdout, 'a whole foreign: prefix becomes version 2',
           p.stdout + p.stderr)
    p = w.objects('-x', '.*\\.bin', 'production/bins', f'file://{w.raw}/raw')
    tap.ok('added      production/bins:1  2 files' in p.stdout, '--regex takes paths that match', p.stdout + p.stderr)
    p = w.objects('one', f'file://{w.raw}/raw/2025/c.bin')
    tap.ok('added      production/one:1  1 files' in p.stdout, 'one object becomes one file', p.stdout + p.stderr)


def test_read(tap, w):
    with w.mount():
        tap.equal(read_tree(w.top + '/mnt/production/raw@first'), below('raw/2024/'),
                  'the tag shows what was imported, byte for byte, odd names too')
        tap.equal(read_tree(w.top + '/mnt/production/raw@latest'), below('raw/'), 'latest is the newest version')
        tap.equal(read_tree(w.top + '/mnt/production/one@1'), {b'c.bin': digest(FILES['raw/2025/c.bin'])},
                  'the single object is read')
    p = w.run('dataset', 'checksum', 'raw:2')
    tap.equal(p.returncode, 0, "its checksum is OSMO's")
    p = w.run('dataset', 'verify', '--content', 'raw:2')
    tap.ok(p.returncode == 0, 'verify reads all of it', p.stdout + p.stderr)


def test_pinned(tap, w):
    def read(name):
        try:
            with open(w.top + '/mnt/production/raw@2/' + name, 'rb') as f:
                return digest(f.read())
        except OSError as e:
            return e.errno

    w.write('raw/2025/c.bin', b'GAMMA' * 500)
    with w.mount():
        tap.equal(read('2025/c.bin'), digest(FILES['raw/2025/c.bin']),
                  'an object that was replaced is served as it was where it is cached')
    w.run('cache', 'evict')
    with w.mount():
        tap.equal(read('2025/c.bin'), errno.EIO, 'and is an error else, never other bytes')
        tap.equal(read('2024/a.bin'), digest(FILES['raw/2024/a.bin']), 'its neighbours are read')


def test_refused(tap, w):
    for what, args, code, word in (
            ('a place that the bucket may not read', ('x', f'file://{w.top}/elsewhere'), 4, 'foreign:'),
            ('a prefix without objects', ('x', f'file://{w.raw}/raw/2026'), 3, 'no object below'),
            ('a version number', ('x:3', f'file://{w.raw}/raw'), 2, 'tag'),
            ('latest', ('x:latest', f'file://{w.raw}/raw'), 2, 'tag'),
            ('a regex that takes nothing', ('-x', 'nope', 'x', f'file://{w.raw}/raw'), 3, 'regex'),
            ('a read-only bucket', ('archive/x', f'file://{w.top}/archive/raw'), 2, '--catalog'),
            ('a bucket that there is not', ('none/x', f'file://{w.raw}/raw'), 3, 'none')):
        p = w.objects(*args)
        tap.ok(p.returncode == code and word in p.stderr, f'{what} exits {code} and says why',
               f'exit {p.returncode}\n{p.stdout}{p.stderr}')


def test_elsewhere(tap, w):
    catalog = f'file://{w.top}/catalog'
    p = w.objects('--catalog', catalog, 'archive/all', f'file://{w.top}/archive')
    tap.ok(p.returncode == 0 and 'catalog' in p.stderr and not os.path.exists(w.top + '/archive/.datasetfs'),
           'a read-only bucket gets its versions in a catalog elsewhere', p.stdout + p.stderr)
    config = harness.write_config(w.top + '/elsewhere.yaml', {
        'archive': {'dataset_path': f'file://{w.top}/archive', 'mode': 'read-only'}},
        cache_dir=w.top + '/cache2', extra={'buckets': {'archive': {'catalog': catalog}}})
    os.makedirs(w.top + '/mnt2', exist_ok=True)
    with Mount(config, w.top + '/mnt2', w.top + '/log2'):
        tap.equal(read_tree(w.top + '/mnt2/archive/all@1/raw'), below('raw/'),
                  'and a mount that knows the catalog reads them')
    w.write('.datasetfs/catalog/names/old.json', b'{}', 'archive')
    p = w.objects('--catalog', catalog, 'archive/all', f'file://{w.top}/archive')
    tap.ok(p.stdout.startswith('unchanged  archive/all:1'), 'what an earlier catalog has left there is no content',
           p.stdout + p.stderr)


def test_own_place(tap, w):
    p = w.objects('self', f'file://{w.top}/bucket')
    tap.ok(p.returncode == 3 and 'no object' in p.stderr, 'what datasetfs keeps in a bucket is no content',
           p.stdout + p.stderr)


def test_hidden(tap, w):
    """Keys that no directory tree can hold all of: an object store has "f" beside "f/g"."""
    with Scripted() as server:
        client = server.client()
        client.make_bucket('odd')
        for key in ('raw/f', 'raw/f.txt', 'raw/f/g', 'raw/f/h/i', 'raw/x/y', 'raw/x/y/z', 'raw/xy'):
            client.put('odd', key, key.encode())
        config = harness.write_config(w.top + '/odd.yaml', {'odd': {
            'dataset_path': 's3://odd', 'region': server.region, 'default_credential': {
                'access_key_id': server.access_key, 'access_key': server.secret_key, 'override_url': server.s3,
                'addressing_style': 'path'}}}, cache_dir=w.top + '/cache-odd')
        p = run('-c', config, 'dataset', 'import', 'objects', 'odd/d', 's3://odd/raw')
        tap.ok(p.returncode == 0 and '2 objects cannot be seen' in p.stderr and 'the first is "f"' in p.stderr,
               'objects that a directory hides are counted and named', p.stdout + p.stderr)
        with Mount(config, w.top + '/mnt', w.top + '/log-odd'):
            tap.equal(sorted(read_tree(w.top + '/mnt/odd/d@1')), [b'f.txt', b'f/g', b'f/h/i', b'x/y/z', b'xy'],
                      'and all others are there')


def test_first_at_once(tap, w):
    uri = f'file://{w.raw}/raw'
    command = [harness.PROGRAM, '-c', w.config, '--json', 'dataset', 'import', 'objects']
    running = [subprocess.Popen(command + ['-x', pattern, 'first', uri], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for pattern in ('2024/a', '2024/sub/b', '2025', '2024')]
    ends = [(p.communicate(), p.returncode) for p in running]
    numbers = sorted(json.loads(out)['version'] for (out, _), code in ends if code == 0)
    tap.equal(numbers, [1, 2, 3, 4], 'four who all make the dataset get four versions of one')


def test_at_once(tap, w):
    uri = f'file://{w.raw}/raw/2024'
    w.objects('race', f'file://{w.raw}/raw')
    command = [harness.PROGRAM, '-c', w.config, '--json', 'dataset', 'import', 'objects']
    running = [subprocess.Popen(command + ['-x', f'(a|s|{i})', f'race:t{i}', uri], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE) for i in range(8)]
    ends = [(p.communicate(), p.returncode) for p in running]
    numbers = sorted(json.loads(out)['version'] for (out, _), code in ends if code == 0)
    tap.equal(numbers, [2, 3, 4, 5, 6, 7, 8, 9], 'eight at once get eight numbers')
    info = json.loads(w.run('--json', 'dataset', 'info', 'race').stdout)
    tags = {v['version']: [t for t in v['tags'] if t != 'latest'] for v in info['versions']}
    tap.equal(sorted(sum(tags.values(), [])), [f't{i}' for i in range(8)], 'and no tag is lost')


def main():
    tap = Tap()
    with scratch() as top:
        w = World(top, 'w')
        for test in (test_versions, test_read, test_refused, test_elsewhere, test_own_place, test_hidden, test_first_at_once,
                     test_at_once, test_pinned):
            try:
                test(tap, w)
            except Exception as e:      # a test that dies is a failure, the others still run
                tap.ok(False, f'{test.__name__} ran to its end', repr(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
