#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A gs:// bucket with the identity of the machine: its catalog imported into
the store itself by generations, mounted, read while its tokens are revoked and
while an object is replaced.  The store is tests/servers/scripted.
"""
import json
import os
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness                                                # noqa: E402
from ds_servers import Scripted                               # noqa: E402
from harness import Mount, Tap, run                           # noqa: E402

SMALL = 200
LARGE = 40 << 20
SECRETS = ('planted-refresh', 'planted-client-secret', 'bearer-of-issue')


class World:
    def __init__(self, top, server):
        self.top, self.server = top, server
        for bucket in ('five', 'deaf', 'raw'):
            server.client().make_bucket(bucket)
        server.settings(google_refresh_token='planted-refresh', google_client_secret='planted-client-secret')
        with open(top + '/user.json', 'w') as f:
            json.dump({'type': 'authorized_user', 'client_id': 'id', 'client_secret': 'planted-client-secret',
                       'refresh_token': 'planted-refresh', 'token_uri': server.tokens + '/token'}, f)
        self.env = {'HOME': top, 'STORAGE_EMULATOR_HOST': server.gcs, 'NO_GCE_CHECK': 'true',
                    'GOOGLE_APPLICATION_CREDENTIALS': top + '/user.json'}
        self.config = harness.write_config(
            top + '/config.yaml', {'google': {'dataset_path': 'gs://five/p'}, 'deaf': {'dataset_path': 'gs://deaf'}},
            cache_dir=top + '/cache', extra={'buckets': {'google': {'foreign': ['gs://raw']}}})
        self.files = self.fill()

    def fill(self):
        """A version of small files and a large one; path -> content."""
        rng = random.Random(5)
        files = {f'small/{i:03}': rng.randbytes(300 + i) for i in range(SMALL)}
        files['large'] = rng.randbytes(LARGE)
        for path, data in files.items():
            os.makedirs(os.path.dirname(f'{self.top}/tree/{path}'), exist_ok=True)
            with open(f'{self.top}/tree/{path}', 'wb') as f:
                f.write(data)
        for name, uri in (('google', 'gs://five/p'), ('deaf', 'gs://deaf')):
            subprocess.run([sys.executable, harness.MAKER, f'{self.top}/{name}', '--uri', uri, '--bucket-name', name,
                            '--dataset', f'imagenet={self.top}/tree', '--star'], check=True)
        self.server.client().put_tree('five', self.top + '/google/objects')
        return files

    def imported(self, bucket='google'):
        return run('-c', self.config, 'dataset', 'import', 'osmo', bucket, f'{self.top}/{bucket}/sql/dump.sql',
                   env=self.env, timeout=120)

    def mount(self):
        os.makedirs(self.top + '/mnt', exist_ok=True)
        return Mount(self.config, self.top + '/mnt', self.top + '/log', env=self.env)

    def path(self, path):
        return f'{self.top}/mnt/google/imagenet@1/{path}'

    def key_of_large(self):
        """Where the large one lies in the store."""
        keys = [r['target'] for r in self.server.log('gcs')
                if r['method'] == 'GET' and 'range' in r['headers'] and 'generation=' in r['target']]
        return keys[-1].partition('?')[0].removeprefix('/five/')


def catalog(tap, w):
    w.server.settings(conditions=False)
    p = w.imported('deaf')
    tap.ok(p.returncode != 0 and 'does not honour' in p.stderr and '--catalog' in p.stderr,
           'no catalog where conditions are ignored, with advice', p.stderr)
    w.server.settings(conditions=True)
    w.server.forget()
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: w.imported(), range(2)))
    tap.ok(all(p.returncode == 0 for p in both), 'a catalog in the store itself, imported by two at once',
           '\n'.join(p.stdout + p.stderr for p in both))
    writes = [r['headers'] for r in w.server.log('gcs') if r['method'] == 'PUT']
    tap.ok(any(h.get('x-goog-if-generation-match') == '0' for h in writes) and
           not any('if-none-match' in h or 'if-match' in h for h in writes),
           'its records are made by generation 0', writes[-1] if writes else 'nothing was written')
    p = w.imported()
    tap.ok(p.returncode == 0, 'and again', p.stderr)


def rotations(tap, w):
    """Each small file is read once, cold, and every tenth read all tokens are revoked."""
    wrong, revoked = [], 0
    names = sorted(p for p in w.files if p.startswith('small/'))
    random.Random(7).shuffle(names)
    for i, path in enumerate(names):
        if i % 10 == 0:
            revoked += w.server.revoke()
        try:
            with open(w.path(path), 'rb') as f:
                if f.read() != w.files[path]:
                    wrong.append((path, 'other bytes'))
        except OSError as e:
            wrong.append((path, e.strerror))
    tap.ok(not wrong, f'{len(names)} cold files, their tokens revoked {revoked} times: all read', wrong[:5])
    tap.ok(revoked >= 5, 'tokens were revoked under the reader', revoked)


def ranges(tap, w):
    w.server.forget()
    with open(w.path('large'), 'rb') as f:
        data = f.read()
    tap.ok(data == w.files['large'], 'a large file, byte for byte')
    asked = [r['target'] for r in w.server.log('gcs') if r['method'] == 'GET' and 'range' in r['headers']]
    pinned = [t for t in asked if '?generation=' in t]
    tap.ok(len(pinned) >= 2 and len(asked) - len(pinned) <= len(asked) // 2 + 1,
           'its ranges are pinned by the generation that the first ones told',
           f'{len(pinned)} of {len(asked)}: {asked[-1:]}')
    return w.key_of_large()


def read_all(path):
    try:
        with open(path, 'rb', buffering=0) as f:
            return b''.join(iter(lambda: f.read(128 << 10), b''))
    except OSError as e:
        return e.strerror


def is_refused(request):
    return request['status'] == 503 and '?generation=' in request['target']


def replaced(tap, w, key):
    """Other content of the same size, while a reader waits for a range of the
    generation that its first ones told."""
    w.server.rules([{'role': 'gcs', 'method': 'GET', 'path': re.escape(key) + '[?]generation=', 'status': 503}])
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read_all, w.path('large'))
        end = time.monotonic() + 30
        while not any(map(is_refused, w.server.log('gcs'))) and time.monotonic() < end:
            time.sleep(0.1)
        w.server.client().put('five', key, bytes(LARGE))
        w.server.rules([])
        seen = reader.result()
    tap.ok(isinstance(seen, str), 'who reads a file that is replaced does not reach its end: '
           f'{seen if isinstance(seen, str) else "did"}', len(seen))
    tap.ok(any(r['status'] == 404 and '?generation=' in r['target'] for r in w.server.log('gcs')),
           'the store was asked for the generation that is gone')


def objects(tap, w):
    """A version of objects that are there already."""
    w.server.client().put('raw', 'a/one', b'first')
    p = run('-c', w.config, 'dataset', 'import', 'objects', 'google/given', 'gs://raw/a', env=w.env)
    tap.ok(p.returncode == 0, 'objects that are there are imported', p.stderr)
    with w.mount():
        with tap.case('and read'):
            with open(f'{w.top}/mnt/google/given@1/one', 'rb') as f:
                assert f.read() == b'first'


def main():
    harness.own_namespace()
    tap = Tap()
    if not os.path.exists('/dev/fuse'):
        tap.skip('a gs bucket, mounted', 'no /dev/fuse on this machine')
        return tap.done()
    with harness.scratch() as top, Scripted() as server:
        w = World(top, server)
        catalog(tap, w)
        with w.mount() as m:
            rotations(tap, w)
            key = ranges(tap, w)
            tap.equal(m.stop(), 0, 'the daemon ended by itself')
        p = run('-c', w.config, 'cache', 'evict', env=w.env)
        tap.ok(p.returncode == 0, 'the cache is emptied', p.stderr)
        with w.mount() as m:
            replaced(tap, w, key)
        objects(tap, w)
        with open(top + '/log') as f:
            log = f.read()
        tap.ok(not any(s in log for s in SECRETS), 'no secret in the log', log[-2000:])
        tap.equal(server.ask('GET', '/__troubles'), [], 'the server had no trouble')
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
