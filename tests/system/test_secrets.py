#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Case 40: secrets that were planted are looked for wherever they could be seen:
logs at debug level, command lines and environments, status, doctor, attributes,
the cache directory, a core dump; and a server that is named by a redirect sees
no credential.
"""
import errno
import json
import os
import signal
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ds_servers                                            # noqa: E402
import harness                                               # noqa: E402
from harness import Mount, Tap, run                          # noqa: E402
from mount_bucket import Bucket                              # noqa: E402
from mount_world import USER, Served, fails_with, fork_as    # noqa: E402

STATIC = 'planted-static-secret-4711'
WRONG = 'planted-wrong-secret-4712'
WEB_TOKEN = 'planted.web-identity.token-4714'
SAS = 'planted-sas-signature-4715'
ACCOUNT_KEY = 'cGxhbnRlZC1henVyZS1hY2NvdW50LWtleS00NzE2cGE='
# What the scripted server gives out.
ISSUED = ['secret-of-issue-', 'token-of-issue-']
PLANTED = [STATIC, WRONG, WEB_TOKEN, SAS, ACCOUNT_KEY, *ISSUED]


def shapes(secret):
    """As it is, and as a query or a log would encode it."""
    return {s.encode() for s in (secret, urllib.parse.quote(secret, safe=''), json.dumps(secret)[1:-1])}


def found_in(data):
    """Those of the planted secrets that the bytes hold."""
    return [secret for secret in PLANTED if any(shape in data for shape in shapes(secret))]


def found_below(top):
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, 'rb') as f:
                    seen = found_in(f.read())
                if seen:
                    found[path] = seen
    return found


def write_bucket(top, server, name, uri):
    bucket = Bucket(f'{top}/{name}', uri, 'catalog-' + name)
    dataset = bucket.dataset('imagenet')
    bucket.version(dataset, 1, {f'd/f{i}': b'%d' % i * 1000 for i in range(20)})
    bucket.publish(dataset, tags={'latest': 1})
    client = server.client()
    client.secret = STATIC
    client.make_bucket(name)
    client.put_tree(name, bucket.folder, 'p/')


def configure(top, server):
    """Buckets by a static key, by a web identity, and some that are refused; the configuration's secrets are
    in files of their own."""
    where = {'override_url': server.s3, 'addressing_style': 'path'}
    buckets = {
        'static': {'dataset_path': 's3://static/p', 'default_credential': {
            'access_key_id': server.access_key, 'access_key': STATIC, **where}},
        'web': {'dataset_path': 's3://web/p'},
        'refused': {'dataset_path': 's3://refused/p', 'default_credential': {
            'access_key_id': server.access_key, 'access_key': WRONG, **where}},
        'azure': {'dataset_path': 'azure://account/container', 'default_credential': {
            'access_key_id': 'account', 'access_key':
            f'DefaultEndpointsProtocol=https;AccountName=account;AccountKey={ACCOUNT_KEY};'
            f'BlobEndpoint={server.s3}/account'}},
        'sas': {'dataset_path': 'azure://account/other', 'default_credential': {
            'access_key_id': 'account', 'access_key':
            f'BlobEndpoint={server.s3}/account;SharedAccessSignature=sv=2023-11-03&sig={SAS}'}},
    }
    with open(top + '/token', 'w') as f:
        f.write(WEB_TOKEN)
    env = {'AWS_ROLE_ARN': 'arn:aws:iam::123456789012:role/r', 'AWS_WEB_IDENTITY_TOKEN_FILE': top + '/token',
           'AWS_ENDPOINT_URL_STS': server.tokens, 'AWS_ENDPOINT_URL_S3': server.s3, 'AWS_REGION': 'us-east-1',
           'AWS_S3_FORCE_PATH_STYLE': 'true', 'HOME': top}
    return harness.write_config(top + '/config.yaml', buckets, cache_dir=top + '/cache'), env


def exercise(point, server):
    """Reads that go well, fail, are refused, redirected, and told off with the secret itself."""
    def try_all():
        for name in ('static', 'web', 'refused', 'azure', 'sas'):
            for folder, _, names in os.walk(f'{point}/{name}', onerror=lambda e: None):
                for file in names:
                    try:
                        with open(os.path.join(folder, file), 'rb') as f:
                            f.read()
                    except OSError:
                        pass

    server.rules([{'role': 's3', 'method': 'GET', 'path': 'hashes', 'every': 4, 'status': 503,
                   'body': f'<Error><Code>SlowDown</Code><Message>{STATIC}</Message></Error>'}])
    try_all()
    server.revoke('all')
    server.rules([{'role': 's3', 'method': 'HEAD', 'status': 307, 'location': '{other}{target}'},
                  {'role': 's3', 'path': 'refused', 'status': 301, 'location': '{other}{target}'}])
    try_all()
    server.rules([])


def attributes(point):
    data = b''
    for path in (point, point + '/static', point + '/static/imagenet@1', point + '/static/imagenet@1/d/f1'):
        for name in ('source', 'etag', 'dataset', 'version', 'bucket', 'credential', 'status', 'manifest'):
            try:
                data += os.getxattr(path, 'user.datasetfs.' + name)
            except OSError:
                pass
    return data


def processes(pid):
    """Command line and environment of the daemon and of all below it."""
    data, left = {}, [pid]
    while left:
        one = left.pop()
        for what in ('cmdline', 'environ'):
            with open(f'/proc/{one}/{what}', 'rb') as f:
                data[f'{one} {what}'] = f.read()
        for task in os.listdir(f'/proc/{one}/task'):
            with open(f'/proc/{one}/task/{task}/children') as f:
                left += [int(child) for child in f.read().split()]
    return data


def check_core(tap, top, config, env):
    """A user's daemon: its memory is nobody's to read, not even that user's, and a crash leaves nothing."""
    place, point = top + '/user', top + '/user-mnt'
    for folder in (place, point):
        os.mkdir(folder)
        os.chown(folder, USER, USER)
    subprocess.run(['chmod', '-R', 'a+rwX', top + '/cache'], check=True)
    before = os.getcwd()
    os.chdir(place)
    try:
        m = Served(config, point, top + '/user-log', uid=USER, env=dict(env, XDG_CACHE_HOME=place))
        with m:
            pid = m.process.pid
            with open(f'/proc/{pid}/limits') as f:
                limit = next(line.split()[4] for line in f if line.startswith('Max core file size'))
            tap.equal((limit, os.stat(f'/proc/{pid}/environ').st_uid), ('0', 0),
                      'scripted: case 40: no core file, and no memory to look into')
            ok, detail = fork_as(USER, fails_with, errno.EACCES, open, f'/proc/{pid}/mem', 'rb')
            tap.ok(ok, 'scripted: case 40: ... by its own user', detail)
            m.process.send_signal(signal.SIGSEGV)
            m.process.wait(20)
            tap.equal([n for n in os.listdir(place) if n.startswith('core')], [],
                      'scripted: case 40: a crash leaves none')
            m.process = None
    finally:
        os.chdir(before)


def check_used(tap, server):
    """The secrets were worth something to look for: each went to the server in the place that is meant for it."""
    log = server.log()
    def sent(text, where):
        return any(text in where(r) for r in log)
    signed = [sent(text, lambda r: r['headers'].get('authorization', ''))
              for text in (f'Credential={server.access_key}/', 'Credential=ASIATEST')]
    tap.ok(all(signed) and sent('token-of-issue-', lambda r: r['headers'].get('x-amz-security-token', '')) and
           sent(urllib.parse.quote(WEB_TOKEN), lambda r: r['body']),
           'scripted: case 40: keys, tokens and the proof of an identity were used', signed)


def drive(tap, top, server):
    server.settings(keys={server.access_key: STATIC}, web_identity_token=WEB_TOKEN)
    for name in ('static', 'web', 'refused'):
        write_bucket(top, server, name, f's3://{name}/p')
    config, env = configure(top, server)
    os.mkdir(top + '/mnt')
    with Mount(config, top + '/mnt', top + '/log', env=env, args=['-vv']) as m:
        exercise(top + '/mnt', server)
        tap.ok(os.path.exists(top + '/mnt/static/imagenet@1/d/f1') and os.path.exists(top + '/mnt/web/imagenet@1/d/f1'),
               'scripted: case 40: both identities were used', server.ask('GET', '/__credentials'))
        for what, data in processes(m.process.pid).items():
            tap.equal(found_in(data), [], f'scripted: case 40: nothing in {what.split()[1]} of a process')
        seen = attributes(top + '/mnt')
        tap.ok(seen and not found_in(seen), 'scripted: case 40: nothing in attributes', seen)
        for words in (['status'], ['status', '--json'], ['doctor'], ['doctor', '--json'], ['bucket', 'check'],
                      ['config', 'show'], ['config', 'check']):
            target = [top + '/mnt'] if words[0] == 'status' else []
            p = run('-c', config, *words, *target, env=env, timeout=120)
            tap.ok(p.stdout + p.stderr and not found_in((p.stdout + p.stderr).encode()),
                   f'scripted: case 40: nothing in {" ".join(words)}', found_in((p.stdout + p.stderr).encode()))
    with open(top + '/log', 'rb') as f:
        log = f.read()
    tap.ok(b' debug ' in log, 'scripted: case 40: the log was at its most talkative')
    tap.equal(found_in(log), [], 'scripted: case 40: nothing in the log')
    tap.equal(found_below(top + '/cache'), {}, 'scripted: case 40: nothing in the cache directory')
    check_used(tap, server)
    elsewhere = [r['target'] for r in server.log('other')]
    tap.equal(elsewhere, [], 'scripted: case 9: who a redirect named was asked nothing')
    asked = [r for r in server.log() if any(s in r['target'] for s in PLANTED if s != SAS)]
    tap.equal(asked, [], 'scripted: case 40: nothing in the target of a request')
    check_core(tap, top, config, env)
    # The test itself: each of them was there to be seen.
    with open(config, 'rb') as f:
        tap.equal(found_in(f.read()), [STATIC, WRONG, SAS, ACCOUNT_KEY], 'what is looked for is found where it is')


def main():
    tap = Tap()
    if os.getuid() != 0 or not os.path.exists('/dev/fuse'):
        tap.skip('secrets', 'it mounts as root, and needs /dev/fuse')
        return tap.done()
    harness.own_namespace()
    for key in [k for k in os.environ if k.startswith(('AWS_', 'AZURE_', 'GOOGLE_'))]:
        del os.environ[key]
    with harness.scratch() as top, ds_servers.Scripted() as server:
        harness.open_dev_fuse(top)
        try:
            drive(tap, top, server)
        finally:
            subprocess.run(['umount', '-l', top + '/dev'], stderr=subprocess.DEVNULL)
        tap.equal(server.ask('GET', '/__troubles'), [], 'the scripted server had no trouble of its own')
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
