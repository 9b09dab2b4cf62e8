#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tests/tools/make_osmo_bucket.py writes what OSMO writes: the manifests and
checksums of three trees in tests/golden/osmo were made by another program and
are compared byte for byte."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                               # noqa: E402
from harness import Tap                                      # noqa: E402

GOLDEN = os.path.join(harness.TOP, 'tests', 'golden', 'osmo')
URI, LINK, ID = 's3://bucket/some/prefix', 'https://bucket.s3.example.com/some/prefix', '3q2-7wAAQACAAAAAAAAAAA'
PART = 8 << 20


def pattern(n, seed):
    """n bytes, the same everywhere."""
    unit = bytes((i * i * 31 + i * seed + seed) & 0xff for i in range(4093))
    return (unit * (n // len(unit) + 1))[:n]


# At most one directory in each, as OSMO takes them in the file system's order.
TREES = {
    'names': (True, {
        'plain.txt': b'plain', 'B upper before lower': b'', 'caf\u00e9': b'composed', 'cafe\u0301': b'decomposed',
        '\u65e5\u672c\u8a9e': b'wide', '\U0001f600': b'two surrogates', 'quote"s\\and\\backslashes': b'q',
        'tab\tnew\nline': b'control', '\x7f\x01': b'more', 'semi;com,ma*#?%20': b'keys', '-dash': b'd',
        'zz/inner': b'files stand before directories', 'same content as plain.txt': b'plain'}),
    'chain': (False, {
        'one': b'1', 'a/two': b'22', 'a/b/three': b'333', 'a/b/c/four': b'', 'a/b/c/5': b'55555', 'a/zero': b''}),
    'parts': (True, {
        'less': pattern(PART - 1, 1), 'equal': pattern(PART, 2), 'more': pattern(PART + 1, 3),
        'two': pattern(2 * PART, 4), 'two and a bit': pattern(2 * PART + 5, 5), 'empty': b''}),
}


def make_tree(top, files):
    for path, data in files.items():
        full = os.path.join(top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'wb') as f:
            f.write(data)


def main():
    tap = Tap()
    with harness.scratch() as top:
        for name, (star, files) in TREES.items():
            make_tree(f'{top}/{name}', files)
            subprocess.run([sys.executable, harness.MAKER, f'{top}/out-{name}', '--uri', URI, '--link', LINK,
                            '--id', f'{name}={ID}', '--dataset', f'{name}={top}/{name}',
                            *(['--star'] if star else [])], check=True)
            with open(f'{top}/out-{name}/objects/some/prefix/{ID}/manifests/1.json', 'rb') as f:
                manifest = f.read()
            with open(f'{GOLDEN}/{name}.json', 'rb') as f:
                tap.ok(manifest == f.read(), f'{name}: the same manifest, byte for byte')
            with open(f'{top}/out-{name}/osmo/info/{name}.json') as f:
                version = json.load(f)['versions'][0]
            with open(f'{GOLDEN}/{name}.checksum') as f:
                tap.equal(version['checksum'], f.read().strip(), f'{name}: the same checksum')
            stored = {e['etag']: e['size'] for e in json.loads(manifest)}
            folder = f'{top}/out-{name}/objects/some/prefix/{ID}/hashes'
            tap.equal({n: os.path.getsize(f'{folder}/{n}') for n in os.listdir(folder)}, stored,
                      f'{name}: each content once, under its hash')
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
