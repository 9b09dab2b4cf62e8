#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands that need no mount: what they print, byte for byte where OSMO's
users know it, their JSON, and how they fail."""
import hashlib
import json
import os
import shutil
import subprocess
import sys

import harness
from harness import Tap, run, scratch
from mount_bucket import Bucket



def make_bucket(top):
    """production with imagenet@1, @2 on file://; its catalog imported."""
    for v, files in (('v1', {'a.txt': b'one\n', 'd/b.bin': b'x' * 100}),
                     ('v2', {'a.txt': b'two\n', 'd/b.bin': b'x' * 100, 'd/e/c': b''})):
        for name, content in files.items():
            path = f'{top}/src/{v}/{name}'
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'wb') as f:
                f.write(content)
    os.makedirs(top + '/bucket')
    subprocess.run([sys.executable, harness.MAKER, top + '/made', '--uri', 'file://' + top + '/bucket', '--star',
                    '--dataset', f'imagenet={top}/src/v1,{top}/src/v2'], check=True)
    subprocess.run(['cp', '-r', top + '/made/objects/.', top + '/bucket'], check=True)
    return harness.write_config(top + '/config.yaml', {
        'production': {'dataset_path': 'file://' + top + '/bucket', 'description': 'of the tests'},
        'broken': {'dataset_path': 'azure://archive-storage'}},
        default='production', cache_dir=top + '/cache')


def test_import(tap, config, top):
    dry = run('-c', config, 'dataset', 'import', 'osmo', '--dry-run', 'production', top + '/made')
    tap.equal(dry.returncode, 0, 'import --dry-run exits 0')
    tap.ok('added' in dry.stdout, 'import --dry-run tells what it would add', dry.stdout + dry.stderr)
    tap.ok(not os.path.exists(top + '/bucket/.datasetfs'), 'import --dry-run writes nothing')
    first = run('-c', config, 'dataset', 'import', 'osmo', 'production', top + '/made')
    tap.equal(first.returncode, 0, 'import exits 0')
    tap.equal(first.stdout, dry.stdout.replace('Nothing was changed: this was a dry run.\n', ''),
              'import does what --dry-run told')
    again = run('-c', config, 'dataset', 'import', 'osmo', 'production', top + '/made', '--json')
    doc = json.loads(again.stdout)
    tap.equal((again.returncode, doc['datasets']['added'], doc['versions']['added']), (0, 0, 0),
              'import again adds nothing')
    os.makedirs(top + '/typo')
    wrong = harness.write_config(top + '/typo.yaml', {'production': {'dataset_path': 'file://' + top + '/typo'}},
                                 cache_dir=top + '/cache')
    out = run('-c', wrong, 'dataset', 'import', 'osmo', '-n', 'production', top + '/made')
    tap.ok('is the dataset_path of bucket production right?' in out.stderr,
           'import asks about a dataset_path that holds none of the versions', out.stderr)
    tap.ok('is the dataset_path' not in first.stderr, '... and not about one that does', first.stderr)
    out = run('-c', config, 'dataset', 'import', 'osmo', '-n', '--catalog', 'file://' + top + '/new', 'production',
              top + '/made')
    tap.ok(out.returncode == 3 and 'mkdir' in out.stderr and not os.path.exists(top + '/new'),
           'a dry run says which directory is still to be made', out.stderr)
    missing = run('-c', config, 'dataset', 'import', 'osmo', 'production', top + '/no-such-file')
    tap.equal(missing.returncode, 3, 'import of a file that does not exist exits 3')
    tap.ok('no-such-file' in missing.stderr, 'import names the file that does not exist', missing.stderr)


def test_read(tap, config, top):
    out = run('-c', config, 'dataset', 'list')
    tap.ok(out.returncode == 0 and 'imagenet' in out.stdout, 'dataset list shows the dataset', out.stdout + out.stderr)
    tap.ok('bucket broken is left out' in out.stderr, 'dataset list names a bucket that it leaves out', out.stderr)
    os.makedirs(top + '/nothing')
    empty = harness.write_config(top + '/empty.yaml', {'e': {'dataset_path': 'file://' + top + '/nothing'}},
                                 cache_dir=top + '/cache')
    out = run('-c', empty, 'dataset', 'list')
    tap.ok(out.returncode == 0 and 'bucket e has no catalog' in out.stderr, 'dataset list tells of an empty place',
           out.stderr)
    doc = json.loads(run('-c', config, '--json', 'dataset', 'list').stdout)
    tap.equal((doc['schema'], doc['datasets'][0]['name'], doc['datasets'][0]['version_id']),
              ('datasetfs.dataset-list/1', 'imagenet', 2), 'dataset list --json')
    doc = json.loads(run('dataset', 'info', 'imagenet', '--json', '-c', config).stdout)
    tap.equal([v['version'] for v in doc['versions']], ['1', '2'] if isinstance(doc['versions'][0]['version'], str)
              else [1, 2], 'dataset info --json lists both versions')
    text = run('-c', config, 'dataset', 'inspect', 'imagenet')
    tap.equal([line.split()[-1] for line in text.stdout.splitlines()], ['a.txt', 'd/b.bin', 'd/e/c'],
              'dataset inspect lists the files')
    tree = run('-c', config, 'dataset', 'inspect', '-t', 'tree', 'imagenet:1')
    tap.equal(tree.stdout, 'imagenet@1/\n├── a.txt\n└── d/\n    └── b.bin\n', 'dataset inspect -t tree')
    doc = json.loads(run('-c', config, 'dataset', 'inspect', '-t', 'json', 'imagenet').stdout)
    tap.equal([(f['relative_path'], f['size']) for f in doc['files']],
              [('a.txt', 4), ('d/b.bin', 100), ('d/e/c', 0)], 'dataset inspect -t json')
    tap.equal(doc['files'][0]['etag'], hashlib.md5(b'two\n').hexdigest(), 'dataset inspect tells the etag')
    cut = run('-c', config, 'dataset', 'inspect', '-n', '1', 'imagenet')
    tap.ok(len(cut.stdout.splitlines()) == 1 and 'not shown' in cut.stderr, 'dataset inspect -n says that it cut',
           cut.stderr)
    only = run('-c', config, 'dataset', 'inspect', '-x', 'd/.*bin', 'imagenet')
    tap.equal(only.stdout.split()[-1], 'd/b.bin', 'dataset inspect -x selects')
    deep = '(' * 16 + 'a' + ')' * 16
    for regex, code, what in ((deep, 0, 'parentheses 16 deep'), (f'({deep})', 2, 'one deeper'),
                              ('x' * 1000, 0, '1000 bytes'), ('x' * 1001, 2, 'one more'),
                              ('(' * 20000 + 'a' + ')' * 20000, 2, '20,000 deep'), ('(', 2, 'one left open')):
        out = run('-c', config, 'dataset', 'inspect', '-x', regex, 'imagenet')
        tap.ok(out.returncode == code and ('error: regex' in out.stderr) == (code == 2),
               f'dataset inspect -x, {what}: exit {code}', f'exit {out.returncode}\n{out.stderr}')
    tap.equal(run('-c', config, 'dataset', 'checksum', 'imagenet:1', 'imagenet:2').returncode, 0,
              'dataset checksum agrees with the recorded ones')


def test_what_is_not_there(tap, _, top):
    """Content that a record promises, and that nobody can read."""
    b = Bucket(top + '/old')
    ds = b.dataset('old')
    b.legacy(ds, 1, {'a': b'aa', 'd/b': b'b'})
    b.legacy(ds, 2, {'a': b'aa'})
    b.publish(ds, tags={'latest': 2})
    shutil.rmtree(f'{top}/old/{ds}/plain/2')
    config = harness.write_config(top + '/old.yaml', {'old': {'dataset_path': b.uri}}, default='old',
                                  cache_dir=top + '/cache-old')
    for what in ('dataset inspect', '... again'):
        out = run('-c', config, 'dataset', 'inspect', 'old')
        tap.ok(out.returncode == 0 and out.stdout == '' and 'a version of 2 bytes has no files' in out.stderr,
               f'{what}: a legacy version whose prefix is gone', out.stdout + out.stderr)
    out = run('-c', config, 'dataset', 'inspect', 'old:1')
    tap.ok(len(out.stdout.splitlines()) == 2 and out.stderr == '', '... and one that is there', out.stderr)

    os.symlink('a', f'{top}/old/{ds}/plain/1/link')
    os.mkfifo(f'{top}/old/{ds}/plain/1/pipe')
    config = harness.write_config(top + '/old.yaml', {'old': {'dataset_path': b.uri}}, default='old',
                                  cache_dir=top + '/cache-new')
    out = run('-c', config, 'dataset', 'inspect', 'old:1')
    tap.ok(len(out.stdout.splitlines()) == 2 and f'count=2 first="{ds}/plain/1/link"' in out.stderr,
           '... with a symlink and a FIFO', out.stdout + out.stderr)
    head = f'{top}/old/.datasetfs/catalog/datasets/{ds}/head.json'
    os.rename(head, top + '/head.json')
    os.symlink(top + '/head.json', head)
    out = run('-c', config, 'dataset', 'list')
    tap.ok(' old ' not in out.stdout and f'datasets/{ds}/head.json' in out.stderr, 'a head that is a symlink is named',
           out.stdout + out.stderr)


def test_resolve(tap, config, top):
    out = run('-c', config, 'resolve', '-m', top + '/not-mounted', 'imagenet', 'imagenet:1')
    tap.equal(out.stdout, f'{top}/not-mounted/production/imagenet@2\n{top}/not-mounted/production/imagenet@1\n',
              'resolve pins by the catalog where nothing is mounted')
    tap.ok(f'nothing is mounted at {top}/not-mounted' in out.stderr, '... and warns', out.stderr)
    with open(top + '/flow.yaml', 'w') as f:
        f.write('workflow:\n  name: t\n  tasks:\n  - name: train\n    image: x\n    command: [ls]\n'
                '    inputs:\n    - dataset: {name: imagenet}\n    - dataset: {name: "production/imagenet:1"}\n')
    out = run('-c', config, 'resolve', '-m', top + '/nm', '--workflow', top + '/flow.yaml')
    tap.equal(out.stdout, f'{top}/nm/production/imagenet@2\n{top}/nm/production/imagenet@1\n',
              'resolve --workflow finds the inputs')
    out = run('-c', config, 'resolve', 'imagenet:nine')
    tap.equal(out.returncode, 3, 'resolve of a tag that does not exist exits 3')
    out = run('-c', config, 'resolve', 'broken/x')
    tap.equal(out.returncode, 4, 'resolve in a bucket that cannot be used exits 4')
    tap.ok('CONTAINER' in out.stderr.upper(), '... and explains it', out.stderr)


def test_bucket_list(tap, config, top):
    out = run('-c', config, 'bucket', 'list', '--brief')
    location = 'file://' + top + '/bucket'
    width = len('production (default)')
    want = (f"{'Bucket':<{width}} Location\n" + '=' * (width + 1 + len(location)) + '\n' +
            f"{'production (default)':<{width}} {location}\n{'broken':<{width}} azure://archive-storage\n")
    tap.equal(out.stdout, want, 'bucket list --brief: the file\'s order, the seed\'s bytes')
    doc = json.loads(run('-c', config, 'bucket', 'list', '--json').stdout)
    tap.equal([(b['name'], b['problem'] is None) for b in doc['buckets']],
              [('broken', False), ('production', True)], 'bucket list --json tells the problem')


def test_bucket_list_of_many(tap, config, top):
    n = 10000
    many = harness.write_config(f'{top}/many.yaml', {
        f'b{i:05}': {'dataset_path': f's3://store/b{i:05}'} for i in range(n)}, cache_dir=top + '/cache')
    out = run('-c', many, 'bucket', 'list', check=True)
    tap.equal(len(out.stdout.splitlines()), n + 3, f'bucket list of {n} buckets')


def test_failures(tap, config, top):
    for words, code, what in (
            ((), 2, 'no command'),
            (('frobnicate',), 2, 'an unknown command'),
            (('-c', config, 'dataset', 'list', '--frob'), 2, 'an unknown option'),
            (('-c', config, 'dataset', 'list', 'a', 'b'), 2, 'one word too many'),
            (('-c', config, 'dataset', 'info'), 2, 'one word too few'),
            (('-c', config, 'dataset', 'info', 'nobody'), 3, 'a dataset that does not exist'),
            (('-c', config, 'dataset', 'info', 'a/b/c'), 2, 'a reference that is none'),
            (('-c', config, 'dataset', 'list', 'nowhere'), 3, 'a bucket that does not exist'),
            (('-c', top + '/no.yaml', 'bucket', 'list'), 3, 'a configuration that does not exist'),
            (('-c', top, 'bucket', 'list'), 2, 'a configuration that is a directory'),
            (('-c', config, 'mount', '--cache-dir', '', top + '/no-point'), 2, 'a cache without a name'),
            (('-c', config, 'mount', '--cache-size', '0', top + '/no-point'), 2, 'a cache of nothing'),
            (('-c', config, 'mount', '--cache-size', '1048575', top + '/no-point'), 2, 'a cache below its minimum'),
            (('-c', config, 'config', 'get', 'WORKFLOW'), 2, 'a configuration that is not ours'),
            (('-c', config, 'unmount', top), 3, 'unmount where nothing is mounted'),
            (('-c', config, 'status', top), 3, 'status where nothing is mounted')):
        out = run(*words)
        tap.ok(out.returncode == code and out.stderr.strip() and not out.stdout,
               f'{what}: exit {code}, a sentence on stderr, nothing on stdout',
               f'exit {out.returncode}\n{out.stdout}{out.stderr}')
    named = run('-c', top + '/\x1b[31mred\n.yaml', 'bucket', 'list').stderr
    tap.ok('\\x1b[31mred\\x0a' in named and '\x1b' not in named, 'what an error quotes cannot steer a terminal', named)
    full = subprocess.run(f'{harness.PROGRAM} -c {config} dataset list > /dev/full', shell=True,
                          capture_output=True, text=True)
    tap.equal(full.returncode, 8, 'a full disk under stdout is an error')
    new = harness.write_config(top + '/new.yaml', {'production': {'dataset_path': 'file://' + top + '/bucket'}},
                               default='production', cache_dir=top + '/new-cache')
    out = subprocess.run(f'ulimit -f 0; exec {harness.PROGRAM} -c {new} dataset inspect imagenet', shell=True,
                         capture_output=True, text=True)
    tap.ok(out.returncode == 8 and 'File too large' in out.stderr,
           'a file that may not grow is an error, not a signal', f'exit {out.returncode}\n{out.stderr}')
    for closed, want in (('>&-', 'error: cannot write the output\n'), ('>&- 2>&-', ''),
                         ('<&- >&-', 'error: cannot write the output\n')):
        out = subprocess.run(f'{harness.PROGRAM} -c {config} dataset list {closed}', shell=True,
                             capture_output=True, text=True)
        tap.ok(out.returncode == 8 and out.stderr.endswith(want) and not out.stdout,
               f'with {closed} too', f'exit {out.returncode}\n{out.stderr}')


def main():
    tap = Tap()
    with scratch() as top:
        config = make_bucket(top)
        for test in (test_import, test_read, test_what_is_not_there, test_resolve, test_bucket_list,
                     test_bucket_list_of_many, test_failures):
            try:
                test(tap, config, top)
            except Exception as e:      # a test that dies is a failure, the others still run
                tap.ok(False, f'{test.__name__} ran to its end', repr(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
