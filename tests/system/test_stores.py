#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Buckets in a real S3 server from the configuration to the last byte: one
configuration with each dialect, each kind of credential and some that cannot
work; catalogs imported into the stores themselves, by two at once; all of it
under one mount.
"""
import filecmp
import json
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ds_servers                                            # noqa: E402
import harness                                               # noqa: E402
from harness import Mount, Tap, run                          # noqa: E402

PART = 8 << 20


def write_tree(top):
    """A version of a dozen files, among them one of two parts."""
    rng = random.Random(3)
    for path, size in [('empty', 0), ('a b/+&=%.bin', 1000), ('deep/er/x', 70000),
                       ('whole', PART), ('parts', PART + 1), ('ü/日本', 12)] + \
            [(f'many/{i:02}', 100 + i) for i in range(30)]:
        path = os.path.join(top, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write(rng.randbytes(size))
    return top


def same_tree(a, b):
    """The paths that differ."""
    def walk(top):
        return sorted(os.path.relpath(os.path.join(root, n), top)
                      for root, _, names in os.walk(top) for n in names)
    if walk(a) != walk(b):
        return {'listed': walk(b)}
    return [p for p in walk(a)
            if not filecmp.cmp(os.path.join(a, p), os.path.join(b, p), shallow=False)]


class Case:
    """One bucket of the configuration."""

    def __init__(self, name, uri, container, cred=None, **settings):
        self.name, self.uri, self.container = name, uri, container
        self.settings = dict(settings, dataset_path=uri)
        if cred is not None:
            self.settings['default_credential'] = cred

    def fill(self, client, top, tree):
        made = f'{top}/made-{self.name}'
        subprocess.run([sys.executable, harness.MAKER, made, '--uri', self.uri,
                        '--bucket-name', self.name, '--dataset', f'imagenet={tree}', '--star'], check=True)
        client.put_tree(self.container, made + '/objects')
        return made + '/sql/dump.sql'


def secret_dir(top, name, fields):
    """A Kubernetes secret: a file for each key; the files of an update hang
    behind a link."""
    real = f'{top}/secrets/{name}/..2026'
    os.makedirs(real)
    for key, value in fields.items():
        with open(f'{real}/{key}', 'w') as f:
            f.write(value + '\n')
        os.symlink(f'..data/{key}', f'{top}/secrets/{name}/{key}')
    os.symlink('..2026', f'{top}/secrets/{name}/..data')


def cases(top, store):
    key = {'access_key_id': store.access_key, 'access_key': store.secret_key}
    path = dict(key, override_url=store.endpoint, addressing_style='path')
    virtual = dict(key, override_url=store.virtual_endpoint)
    swift = dict(key, access_key_id='user:AUTH_team', access_key='swift-secret',
                 override_url=store.endpoint)
    secret_dir(top, 'bucket-cred', dict(path, endpoint='s3://one'))
    return [
        Case('secret', 's3://one/some/prefix', 'one', {'secretName': 'bucket-cred'}),
        Case('virtual', 's3://two', 'two', virtual),
        Case('tos', 'tos://tos-s3-us-east-1.example.com/three/p', 'three', virtual),
        Case('swift', 'swift://os.example.com/AUTH_team/four/p', 'four', swift),
        Case('google', 'gs://five/p', 'five', virtual),
        Case('open', 's3://six/p', 'six'),
    ]


def hopeless(store):
    key = {'access_key_id': store.access_key, 'access_key': 'not-the-secret',
           'override_url': store.endpoint, 'addressing_style': 'path'}
    return {
        'denied': {'dataset_path': 's3://one/some/prefix', 'default_credential': key},
        'nowhere': {'dataset_path': 's3://no-such-bucket/p',
                    'default_credential': dict(key, access_key=store.secret_key)},
        'azure': {'dataset_path': 'azure://account/container'},
    }


def prepare(store, all_cases):
    """The client of each case, with its bucket made."""
    store.admin('user', 'create', '--uid=team', '--display-name=team',
                '--access-key=user:AUTH_team', '--secret-key=swift-secret')
    clients = {}
    for case in all_cases:
        client = clients[case.name] = store.client()
        if case.name == 'swift':
            client.key, client.secret = 'user:AUTH_team', 'swift-secret'
        client.make_bucket(case.container)
    clients['open'].call('PUT', 'six', query=[('policy', '')], body=json.dumps({
        'Version': '2012-10-17',
        'Statement': [{'Effect': 'Allow', 'Principal': '*', 'Action': ['s3:*'],
                       'Resource': ['arn:aws:s3:::six', 'arn:aws:s3:::six/*']}]}).encode())
    return clients


def import_twice(tap, config, env, case, dump):
    """Two at once: one catalog, whoever comes first."""
    def one(_):
        return run('-c', config, 'dataset', 'import', 'osmo', case.name, dump, env=env)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(one, range(2)))
    tap.ok(all(p.returncode == 0 for p in both), f'{case.name}: imported by two at once',
           '\n'.join(p.stdout + p.stderr for p in both))
    again = run('-c', config, 'dataset', 'import', 'osmo', case.name, dump, env=env)
    tap.ok(again.returncode == 0, f'{case.name}: and again', again.stderr)


def check_mounted(tap, top, config, env, all_cases, tree, store):
    os.mkdir(top + '/mnt')
    with Mount(config, top + '/mnt', top + '/log', env=env) as m:
        for case in all_cases:
            with tap.case(f'{case.name}: every byte under the mount'):
                wrong = same_tree(tree, f'{top}/mnt/{case.name}/imagenet@1')
                assert not wrong, wrong
        for name in hopeless(store):
            try:
                seen = os.listdir(f'{top}/mnt/{name}')
            except OSError as e:
                seen = e.strerror
            tap.ok(isinstance(seen, str) or not seen,
                   f'{name}: cannot be used, and harms no other ({seen})', seen)
        log = m.log()
        secrets = ('not-the-secret', store.secret_key, 'swift-secret')
        tap.ok(not any(s in log for s in secrets), 'no secret in the log', log)
        tap.equal(m.stop(), 0, 'the daemon ended by itself')


def main():
    tap = Tap()
    with harness.scratch() as top:
        try:
            with ds_servers.Radosgw(top + '/rgw') as store:
                drive(tap, top, store)
        except ds_servers.NotInstalled as e:
            tap.skip('buckets in a real S3 server', str(e))
    return tap.done()


def drive(tap, top, store):
    tree = write_tree(top + '/tree')
    all_cases = cases(top, store)
    buckets = {c.name: c.settings for c in all_cases} | hopeless(store)
    config = harness.write_config(
        top + '/config.yaml', buckets, cache_dir=top + '/cache',
        extra={'secrets_dir': top + '/secrets'})
    clean = {k: '' for k in os.environ if k.startswith('AWS_')}
    # The ambient place of a bucket without a credential.
    env = dict(clean, AWS_ENDPOINT_URL_S3=store.endpoint, HOME=top,
               AWS_S3_FORCE_PATH_STYLE='true', AWS_EC2_METADATA_DISABLED='true',
               OSMO_CONFIG_FILE_DIR=top + '/none')

    clients = prepare(store, all_cases)
    for case in all_cases:
        dump = case.fill(clients[case.name], top, tree)
        import_twice(tap, config, env, case, dump)
    if os.path.exists('/dev/fuse'):
        check_mounted(tap, top, config, env, all_cases, tree, store)
    else:
        tap.skip('the buckets, mounted', 'no /dev/fuse on this machine')


if __name__ == '__main__':
    sys.exit(main())
