#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Case 2 from end to end: keys with every byte that a store accepts, written by
s3cmd, made a version of, and read through the mount.
"""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ds_servers                                            # noqa: E402
import harness                                               # noqa: E402
from harness import Mount, Tap, run                          # noqa: E402

# s3cmd writes a control character as a terminal would show it.
SHOWN = {code: '^' + chr(code ^ 64) for code in [*range(1, 32), 127]}
MORE = ['..x', '...', 'a b  c', '+', '%2F', '%', '&=?#;', '日本', '🙂', 'e\u0301', 'sub/dir/..x', 'sub/~']


def write_files(top):
    """{path below the mount: content}, each of it a file below top."""
    names = {f'{code:03}-{chr(code)}x': f'{code:03}-{SHOWN.get(code, chr(code))}x'
             for code in range(1, 256) if chr(code) != '/'}
    names |= {name: name for name in MORE}
    for name in names:
        path = os.path.join(top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as f:
            f.write(name)
    return {shown: name.encode() for name, shown in names.items()}


def upload(top, store, folder):
    host = store.endpoint.split('//')[1]
    with open(top + '/s3cfg', 'w') as f:
        f.write(f'[default]\naccess_key = {store.access_key}\nsecret_key = {store.secret_key}\n'
                f'host_base = {host}\nhost_bucket = {host}\nuse_https = False\n')
    return subprocess.run(['s3cmd', '-c', top + '/s3cfg', 'put', '--recursive', '--no-progress', folder,
                           's3://given/'], capture_output=True, text=True, errors='replace', timeout=120,
                          env=dict(os.environ, LC_ALL='C.UTF-8'))


def read_tree(top):
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, 'rb') as f:
                found[os.path.relpath(path, top)] = f.read()
    return found


def drive(tap, top, store):
    want = write_files(top + '/keys')
    store.client().make_bucket('given')
    p = upload(top, store, top + '/keys')
    tap.equal((p.returncode, p.stdout.count('upload: ')), (0, len(want)), f'radosgw: s3cmd wrote {len(want)} objects')
    cred = {'access_key_id': store.access_key, 'access_key': store.secret_key,
            'override_url': store.endpoint, 'addressing_style': 'path'}
    config = harness.write_config(top + '/config.yaml', {
        'own': {'dataset_path': 's3://given/datasets', 'default_credential': cred}}, cache_dir=top + '/cache',
        extra={'buckets': {'own': {'foreign': ['s3://given/keys']}}})
    p = run('-c', config, 'dataset', 'import', 'objects', 'own/keys', 's3://given/keys')
    tap.ok(p.returncode == 0, 'radosgw: case 2: they are a version', p.stdout + p.stderr)
    os.mkdir(top + '/mnt')
    with Mount(config, top + '/mnt', top + '/log'):
        got = read_tree(top + '/mnt/own/keys@1')
    tap.equal(sorted(set(want) ^ set(got)), [], 'radosgw: case 2: the mount shows each of them')
    tap.equal([name for name in want if got.get(name) != want[name]], [], 'radosgw: case 2: ... with its bytes')


def main():
    tap = Tap()
    if os.getuid() != 0 or not os.path.exists('/dev/fuse'):
        tap.skip('keys of another client', 'it mounts as root, and needs /dev/fuse')
        return tap.done()
    if not shutil.which('s3cmd'):
        tap.skip('keys of another client', 's3cmd is not installed')
        return tap.done()
    harness.own_namespace()
    with harness.scratch() as top:
        try:
            with ds_servers.Radosgw(top + '/server') as store:
                drive(tap, top, store)
        except ds_servers.NotInstalled as e:
            tap.skip('keys of another client', str(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
