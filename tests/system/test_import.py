#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dataset import osmo, as its users run it: from real dumps (made by
tests/fixtures/osmo-sql/make-dumps) and from what OSMO's client prints."""
import glob
import json
import os
import subprocess
import sys

import harness
from harness import Tap, run, scratch

FIXTURES = os.path.join(harness.TOP, 'tests', 'fixtures')
SQL = os.path.join(FIXTURES, 'osmo-sql')
DUMPS = ['data-only.copy.sql', 'whole.copy.sql', 'whole.column-inserts.sql', 'tables.inserts.sql',
         'rows-per-insert.sql', 'shuffled.copy.sql', 'shuffled.inserts.sql', 'plain-escapes.column-inserts.sql']


class World:
    """Two buckets in a scratch folder; the second is read-only."""

    def __init__(self, top, name):
        self.top = os.path.join(top, name)
        for d in ('bucket', 'archive'):
            os.makedirs(os.path.join(self.top, d))
        self.config = harness.write_config(self.top + '/config.yaml', {
            'production': {'dataset_path': f'file://{self.top}/bucket'},
            'archive': {'dataset_path': f'file://{self.top}/archive', 'mode': 'read-only'}},
            cache_dir=self.top + '/cache')

    def run(self, *args, **kw):
        return run('-c', self.config, *args, **kw)

    def imports(self, *args, **kw):
        return self.run('dataset', 'import', 'osmo', *args, **kw)

    def files(self, where='bucket'):
        """Every file below, with its bytes; the catalog's random id is left out."""
        found = {}
        for path in glob.glob(f'{self.top}/{where}/.datasetfs/**', recursive=True, include_hidden=True):
            if os.path.isfile(path) and not path.endswith('/format.json'):
                with open(path, 'rb') as f:
                    found[os.path.relpath(path, self.top + '/' + where)] = f.read()
        return found


def dump_path(name):
    return os.path.join(SQL, name)


def test_forms(tap, top):
    want = None
    for name in DUMPS:
        w = World(top, 'form-' + name)
        p = w.imports('production', dump_path(name))
        files = w.files()
        if want is None:
            want = files
            tap.ok(p.returncode == 0 and len(files) == 18, 'a dump is imported', p.stdout + p.stderr)
        else:
            tap.ok(p.returncode == 0 and files == want, f'{name} gives the same catalog, byte for byte',
                   p.stdout + p.stderr)
    w = World(top, 'stdin')
    with open(dump_path(DUMPS[0])) as f:
        p = w.imports('production', '-', stdin=f)
    tap.ok(p.returncode == 0 and w.files() == want, 'a dump may come by standard input', p.stderr)


def test_again(tap, top):
    w = World(top, 'again')
    w.imports('production', dump_path('whole.copy.sql'), check=False)
    before = w.files()
    p = w.imports('--json', 'production', dump_path('shuffled.inserts.sql'))
    doc = json.loads(p.stdout)
    tap.equal((p.returncode, w.files() == before, doc['datasets']['unchanged'], doc['versions']['unchanged']),
              (0, True, 6, 6), 'another dump of the same rows changes nothing')


def test_refused(tap, top):
    w = World(top, 'refused')
    w.imports('production', dump_path('whole.copy.sql'))
    before = w.files()
    with open(dump_path('data-only.copy.sql')) as f:
        text = f.read()
    changed = w.top + '/changed.sql'
    for what, old, new in (
            ('other content under the same number', '9e107d9d372bb6826bd81d3542a419d6', 'other'),
            ('another dataset under the same name', 'Yb3kq0HnSHuGuLxg2ZfPzA', 'AnotherAnotherAnotherx')):
        with open(changed, 'w') as f:
            f.write(text.replace(old, new))
        p = w.imports('production', changed)
        tap.ok(p.returncode == 1 and 'refused    imagenet' in p.stdout, f'{what} exits 1 and is told',
               p.stdout + p.stderr)
        tap.equal(w.files() == before, True, f'{what} changes nothing')


def test_json(tap, top):
    w = World(top, 'json')
    p = w.imports('production', os.path.join(FIXTURES, 'osmo-json', 'all-in-one.txt'))
    tap.ok(p.returncode == 0 and 'added      imagenet:2' in p.stdout and 'skipped    only-listed' in p.stdout,
           "what the client prints is imported", p.stdout + p.stderr)
    folder = World(top, 'folder')
    folder.imports('production', os.path.join(FIXTURES, 'osmo-json'))
    tap.equal(folder.files() == w.files() and len(w.files()) > 0, True, 'a folder of the same outputs gives the same')


def test_catalog_elsewhere(tap, top):
    w = World(top, 'elsewhere')
    p = w.imports('archive', dump_path('whole.copy.sql'))
    tap.ok(p.returncode == 2 and '--catalog' in p.stderr, 'a read-only bucket needs --catalog', p.stderr)
    p = w.imports('--catalog', f'file://{w.top}/catalog', 'archive', dump_path('whole.copy.sql'))
    tap.ok(p.returncode == 0 and len(w.files('catalog')) == 3 and not w.files('archive'),
           '--catalog writes there and not into the bucket', p.stdout + p.stderr)


def test_adopt(tap, top):
    w = World(top, 'adopt')
    w.imports('--adopt', 'production', dump_path('whole.copy.sql'))
    before = w.files()
    p = w.imports('production', dump_path('whole.copy.sql'))
    tap.ok(p.returncode == 0 and 'skipped    imagenet  it was adopted' in p.stdout and w.files() == before,
           'what was adopted is left alone', p.stdout + p.stderr)


def test_sources(tap, top):
    w = World(top, 'sources')
    cut = w.top + '/cut.sql'
    with open(dump_path('whole.copy.sql'), 'rb') as f, open(cut, 'wb') as g:
        g.write(f.read()[:-300])
    for what, source, code, word in (
            ('a dump that was cut off', cut, 6, 'cut off'),
            ('a dump in the custom format', dump_path('custom.dump'), 2, 'pg_restore -f -'),
            ('a dump in LATIN1', dump_path('latin1.copy.sql'), 2, '-E UTF8'),
            ('a file that is not there', w.top + '/nope', 3, 'nope'),
            ('a dump of the schema alone', dump_path('schema.sql'), 3, 'pg_dump')):
        p = w.imports('production', source)
        tap.ok(p.returncode == code and word in p.stderr and not w.files(), f'{what} exits {code} and says what to do',
               f'exit {p.returncode}\n{p.stdout}{p.stderr}')
    other = harness.write_config(w.top + '/other.yaml', {'else': {'dataset_path': f'file://{w.top}/bucket'}})
    p = run('-c', other, 'dataset', 'import', 'osmo', 'else', dump_path('whole.copy.sql'))
    tap.ok(p.returncode == 3 and 'production' in p.stderr and 'archive' in p.stderr,
           "a bucket that the source does not know exits 3 and names those that it does", p.stderr)


def test_at_once(tap, top):
    alone, w = World(top, 'alone'), World(top, 'at-once')
    alone.imports('production', dump_path('whole.copy.sql'))
    command = [harness.PROGRAM, '-c', w.config, 'dataset', 'import', 'osmo', 'production']
    running = [subprocess.Popen(command + [dump_path(DUMPS[i])], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
               for i in range(6)]
    ends = [(p.communicate()[1], p.returncode) for p in running]
    tap.equal([code for _, code in ends], [0] * 6, 'six imports at once all end well')
    tap.equal(w.files() == alone.files(), True, 'six imports at once leave what one leaves')


def test_foreign(tap, top):
    w = World(top, 'foreign')
    p = w.imports('--dry-run', 'production', dump_path('whole.copy.sql'))
    tap.ok(p.returncode == 0 and '        - "s3://prod/data"\n' in p.stdout and not w.files(),
           'the foreign: lines that are lacking are printed', p.stdout)


def main():
    tap = Tap()
    with scratch() as top:
        for test in (test_forms, test_again, test_refused, test_json, test_catalog_elsewhere, test_adopt,
                     test_sources, test_at_once, test_foreign):
            try:
                test(tap, top)
            except Exception as e:      # a test that dies is a failure, the others still run
                tap.ok(False, f'{test.__name__} ran to its end', repr(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
