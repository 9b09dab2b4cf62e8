#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""datasetfs bucket check: what is right is told with its latency; each cause of
the three troubleshooting lists of OSMO's page on dataset buckets is named, with
what to write."""
import json
import os
import socket
import sys
import threading

import harness
from ds_servers import NotInstalled, Radosgw, Scripted
from harness import Mount, Tap, run, scratch

STEPS = ['configuration', 'resolve', 'connect', 'answer', 'identity', 'list', 'read', 'region', 'clock', 'catalog',
         'write', 'delete', 'conditions']


class World:
    """A configuration whose secrets are folders, as Kubernetes mounts them."""

    def __init__(self, top):
        self.top = top
        self.n = 0

    def secret(self, name, **keys):
        folder = f'{self.top}/secrets/{name}'
        os.makedirs(folder, exist_ok=True)
        for key, value in keys.items():
            with open(f'{folder}/{key}', 'w') as f:
                f.write(value)

    def config(self, buckets, default=None, **own):
        self.n += 1
        return harness.write_config(f'{self.top}/c{self.n}.yaml', buckets, default=default,
                                    cache_dir=f'{self.top}/cache{self.n}',
                                    extra=dict(own, secrets_dir=self.top + '/secrets'))

    def check(self, config, *words, **kw):
        """Exit code and findings by check; both forms of the output agree."""
        env = dict({'AWS_EC2_METADATA_DISABLED': 'true', 'HOME': self.top}, **kw.pop('env', {}))
        p = run('-c', config, '--json', 'bucket', 'check', *words, timeout=120, env=env, **kw)
        if not p.stdout:
            raise AssertionError(p.stderr)
        doc = json.loads(p.stdout)
        assert doc['schema'] == 'datasetfs.bucket-check/1', doc
        return p.returncode, doc['findings']


def find(findings, check, bucket=None):
    found = [f for f in findings if f['check'] == check and (bucket is None or f.get('bucket') == bucket)]
    assert len(found) == 1, (check, findings)
    return found[0]


def s3_bucket(w, server, name, container=None, **more):
    w.secret('keys', access_key_id=server.access_key, access_key=server.secret_key, override_url=server_url(server),
             addressing_style='path')
    return dict({'dataset_path': f's3://{container or name}/data', 'region': server.region,
                 'default_credential': {'secretName': 'keys'}}, **more)


def server_url(server):
    return server.endpoint if hasattr(server, 'endpoint') else server.s3


def has(finding, result, text='', fix=''):
    return finding['result'] == result and text in finding['text'] and fix in (finding['fix'] or '')


def test_well(tap, w, server, what):
    server.client().make_bucket('check')
    server.client().put('check', 'data/x', b'content')
    config = w.config({'check': s3_bucket(w, server, 'check'),
                       'quiet': s3_bucket(w, server, 'quiet', 'check', mode='read-only')})
    code, found = w.check(config, 'check')
    tap.equal((code, [f['check'] for f in found]), (0, STEPS), f'{what}: all steps are told')
    tap.ok(all(find(found, c)['us'] >= 0 for c in STEPS if c not in ('configuration', 'region', 'clock')),
           f'{what}: each with what it took', found)
    conditions = find(found, 'conditions')['text']
    tap.ok('create-only yes' in conditions, f'{what}: {conditions}')
    left = [k for k in server.client().list('check') if 'probe' in k]
    tap.equal(left, [], f'{what}: nothing is left behind')
    code, found = w.check(config, 'quiet')
    tap.ok(has(find(found, 'write'), 'ok', 'read-only'), f'{what}: a read-only bucket is not written to', found)
    code, found = w.check(config, '--no-write', 'check')
    tap.ok(has(find(found, 'write'), 'ok', '--no-write') and len(found) == len(STEPS) - 2,
           f'{what}: --no-write writes nothing', found)


def test_kept(tap, w, server):
    """A probe is made once, and remembered."""
    config = w.config({'check': s3_bucket(w, server, 'check')})
    source = w.top + '/objects'

    def publish(name):
        server.forget()
        run('-c', config, 'dataset', 'import', 'objects', f'check/{name}', 's3://check/data/x', check=True,
            env={'HOME': w.top})
        return len([r for r in server.log('s3') if '/probe/' in r['target']])

    first, second = publish('one'), publish('two')
    tap.ok(first > 5 and second == 0, 'what a store honours is probed once and kept', f'{first} {second} {source}')


def test_bucket_not_found(tap, w, server):
    config = w.config({'production': {'dataset_path': f'file://{w.top}/bucket'}})
    code, found = w.check(config, 'Production')
    f = find(found, 'configuration', 'Production')
    tap.ok(code == 3 and has(f, 'failed', 'production', 'in their case'), 'a name in another case: the right one is told',
           f)
    code, found = w.check(config, 'nowhere')
    tap.ok(code == 3 and has(find(found, 'configuration', 'nowhere'), 'failed', 'datasetfs bucket list'),
           'a name that is not registered', found)
    if os.geteuid() == 0:
        os.makedirs(w.top + '/mnt', exist_ok=True)
        os.makedirs(w.top + '/bucket', exist_ok=True)
        os.makedirs(w.top + '/second', exist_ok=True)
        older = w.config({'production': {'dataset_path': f'file://{w.top}/bucket'}})
        newer = w.config({'production': {'dataset_path': f'file://{w.top}/bucket'},
                          'second': {'dataset_path': f'file://{w.top}/second'}})
        with Mount(older, w.top + '/mnt', w.top + '/log'):
            code, found = w.check(newer, '-m', w.top + '/mnt', 'production', 'second')
        tap.ok(code == 3 and has(find(found, 'mount', 'second'), 'failed', 'does not show it', 'datasetfs status') and
               has(find(found, 'mount', 'production'), 'ok', 'shows it'),
               'a bucket that the running mount has not read yet', found)
    config = w.config({'gone': s3_bucket(w, server, 'gone')})
    code, found = w.check(config, 'gone')
    f = find(found, 'list')
    tap.ok(code == 3 and has(f, 'failed', 'NoSuchBucket', 'no such bucket'), 'a bucket that the store has not', f)


def test_access_denied(tap, w, server):
    config = w.top + '/values.json'
    with open(config, 'w') as f:
        json.dump({'services': {'configs': {'secretRefs': [{'secretName': 'other'}], 'dataset': {'buckets': {'a': {
            'dataset_path': 's3://check/data', 'default_credential': {'secretName': 'missing'}}}}}},
            'datasetfs': {'secrets_dir': w.top + '/secrets'}}, f)
    code, found = w.check(config)
    f = find(found, 'configuration', 'a')
    tap.ok(code == 4 and has(f, 'failed', 'secret missing', 'correct it at') and 'secretRefs' in f['text'],
           'a Secret that is not there: it and secretRefs are named', f)

    for what, key, code_name, advice in (('an unknown access_key_id', 'access_key_id', 'InvalidAccessKeyId', 'access_key_id'),
                                         ('a wrong access_key', 'access_key', 'SignatureDoesNotMatch', 'access_key')):
        bucket = s3_bucket(w, server, 'check')
        w.secret('keys', **{key: 'wrong-one'})
        code, found = w.check(w.config({'check': bucket}), 'check')
        f = find(found, 'list')
        tap.ok(code == 4 and has(f, 'failed', code_name, advice) and 'wrong-one' not in json.dumps(found),
               f'{what}: in the store\'s word, and what to correct', f)
        s3_bucket(w, server, 'check')

    denied = '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
    for check, need, method, path in (
            ('list', 's3:ListBucket on arn:aws:s3:::check', 'GET', 'list-type'),
            ('read', 's3:GetObject on arn:aws:s3:::check/data/*', 'GET', '/check/data/x'),
            ('write', 's3:PutObject on arn:aws:s3:::check/data/*', 'PUT', ''),
            ('delete', 's3:DeleteObject on arn:aws:s3:::check/data/*', 'DELETE', '')):
        config = w.config({'check': s3_bucket(w, server, 'check')})
        server.rules([{'role': 's3', 'method': method, 'path': path, 'status': 403, 'body': denied}])
        code, found = w.check(config, 'check')
        server.rules([])
        f = find(found, check)
        tap.ok(code == 4 and has(f, 'failed', 'AccessDenied', need), f'{check} is refused: {need}', f)

    config = w.config({'check': s3_bucket(w, server, 'check', region='eu-west-1')})
    code, found = w.check(config, 'check')
    tap.ok(code == 0 and has(find(found, 'region'), 'warning', 'us-east-1', 'write region: us-east-1'),
           'another region: which one to write', find(found, 'region'))

    config = w.config({'open': {'dataset_path': 's3://check/data', 'default_credential': None}})
    code, found = w.check(config, 'open', env={'AWS_ENDPOINT_URL_S3': server.s3, 'AWS_S3_FORCE_PATH_STYLE': 'true'})
    tap.ok(has(find(found, 'identity'), 'warning', 'unsigned', 'secretName') and
           has(find(found, 'list'), 'failed', '', 's3:ListBucket'), 'no credential at all: it says so, and what to give',
           found)


def plain_server():
    """HOST:PORT of one that answers whatever comes with plain HTTP."""
    listener = socket.create_server(('127.0.0.1', 0))

    def serve():
        while True:
            conn, _ = listener.accept()
            conn.recv(4096)
            conn.sendall(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
            conn.close()

    threading.Thread(target=serve, daemon=True).start()
    return f'127.0.0.1:{listener.getsockname()[1]}'


def test_way(tap, w, server):
    def bucket(url):
        w.secret('away', access_key_id='a', access_key='b', override_url=url)
        return {'dataset_path': 's3://check/data', 'default_credential': {'secretName': 'away'}}

    for what, url, check, fix in (
            ('a host that there is not', 'http://no-such-host.invalid', 'resolve', 'DNS'),
            ('a port where nobody listens', 'http://127.0.0.1:1', 'connect', 'firewall'),
            ('TLS where none is spoken', 'https://' + plain_server(), 'tls', 'http://')):
        code, found = w.check(w.config({'away': bucket(url)}), 'away')
        f = find(found, check)
        tap.ok(code in (4, 5) and has(f, 'failed', '', fix) and found[-1] == f, f'{what}: it fails at "{check}"', found)

    server.settings(skew_s=1800)
    config = w.config({'check': s3_bucket(w, server, 'check')})
    code, found = w.check(config, 'check')
    server.settings(skew_s=0)
    tap.ok(has(find(found, 'clock'), 'failed', '1800 s behind', 'timedatectl'), 'a wrong clock is told', found)

    server.settings(conditions=False)
    code, found = w.check(w.config({'check': s3_bucket(w, server, 'check')}), 'check')
    server.settings(conditions=True)
    tap.ok(has(find(found, 'conditions'), 'warning', 'create-only no', 'catalog elsewhere'),
           'a store that ignores conditions: what that means', find(found, 'conditions'))


def test_default_bucket(tap, w):
    local = {'production': {'dataset_path': f'file://{w.top}/bucket'}}
    code, found = w.check(w.config(local, default='prodction'))
    f = find(found, 'default bucket')
    tap.ok(code == 2 and has(f, 'failed', '"prodction" is no registered bucket', 'default_bucket: production') and
           'config show --origin' in f['fix'], 'a default_bucket that names no bucket: the names, and what is in force', f)
    code, found = w.check(w.config(local, default='production'))
    tap.ok(has(find(found, 'default bucket'), 'ok', 'NAME means production/NAME'),
           'a right one: how references read', found)
    code, found = w.check(w.config(local))
    tap.ok(has(find(found, 'default bucket'), 'ok', 'BUCKET/NAME'), 'none: what to write then', found)


def test_text(tap, w):
    config = w.config({'production': {'dataset_path': f'file://{w.top}/bucket'}})
    os.makedirs(w.top + '/bucket', exist_ok=True)
    p = run('-c', config, 'bucket', 'check')
    lines = p.stdout.splitlines()
    tap.ok(p.returncode == 0 and lines[-1].startswith('0 failed') and
           any(line.startswith('ok       production: list: ') for line in lines), 'for people: a line a step', p.stdout)


def main():
    tap = Tap()
    harness.own_namespace()
    with scratch() as top, Scripted() as server:
        w = World(top)
        tests = [(test_well, (server, 'scripted')), (test_kept, (server,)), (test_bucket_not_found, (server,)),
                 (test_access_denied, (server,)), (test_way, (server,)), (test_default_bucket, ()), (test_text, ())]
        for test, args in tests:
            try:
                test(tap, w, *args)
            except Exception as e:      # a test that dies is a failure, the others still run
                tap.ok(False, f'{test.__name__} ran to its end', repr(e))
        try:
            with Radosgw(top + '/rgw') as store:
                test_well(tap, World(top + '/r'), store, 'radosgw')
        except NotInstalled as e:
            tap.skip('radosgw', str(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
