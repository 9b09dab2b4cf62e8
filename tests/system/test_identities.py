#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bucket without a credential is read as who the machine is: each kind of
AWS identity against the scripted server, by commands and through a mount while
keys are taken back.
"""
import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ds_servers                                            # noqa: E402
import harness                                               # noqa: E402
from harness import Mount, Tap, run                          # noqa: E402

FILES, ROTATIONS = 40, int(os.environ.get('ROTATIONS', 60))
ROLE = 'arn:aws:iam::123456789012:role/reader'


def write(path, text):
    with open(path, 'w') as f:
        f.write(text)
    return path


def content(i):
    return (b'%06d ' % i) * 3000


def make_bucket(top, server, env):
    """A dataset of its own files in s3://team/p; its configuration."""
    os.mkdir(top + '/tree')
    for i in range(FILES):
        with open(f'{top}/tree/f{i:02}', 'wb') as f:
            f.write(content(i))
    config = harness.write_config(top + '/config.yaml', {'team': {'dataset_path': 's3://team/p'}},
                                  cache_dir=top + '/cache')
    subprocess.run([sys.executable, harness.MAKER, top + '/made', '--uri', 's3://team/p',
                    '--bucket-name', 'team', '--dataset', f'd={top}/tree', '--star'], check=True)
    client = server.client()
    client.make_bucket('team')
    client.put_tree('team', top + '/made/objects')
    keys = dict(env, AWS_ACCESS_KEY_ID=server.access_key, AWS_SECRET_ACCESS_KEY=server.secret_key)
    run('-c', config, 'dataset', 'import', 'osmo', 'team', top + '/made/sql/dump.sql', env=keys, check=True)
    return config


def kinds(top, server):
    """What is in the environment, which source gives the keys, and its name."""
    jwt = write(top + '/jwt', 'the-pods-jwt\n')
    proof = write(top + '/proof', 'the-containers-proof')
    program = write(top + '/program', '#!/bin/sh\n'
                    'echo \'{"Version": 1, "AccessKeyId": "test-access-key", "SecretAccessKey": "test-secret-key"}\'\n')
    os.chmod(program, 0o755)
    role = write(top + '/role', f'[default]\nrole_arn = {ROLE}\nsource_profile = base\n'
                 '[profile base]\naws_access_key_id = test-access-key\naws_secret_access_key = test-secret-key\n')
    by_program = write(top + '/by_program', f'[default]\ncredential_process = "{program}" a\\ b\n')
    sts = {'AWS_ENDPOINT_URL_STS': server.tokens}
    return [
        ('EC2 instance role', 'imds', {'AWS_EC2_METADATA_DISABLED': 'false',
                                       'AWS_EC2_METADATA_SERVICE_ENDPOINT': server.metadata}),
        ('container', 'container', {'AWS_CONTAINER_CREDENTIALS_FULL_URI': server.metadata + '/v1/credentials',
                                    'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE': proof}),
        ('web identity', 'sts', dict(sts, AWS_WEB_IDENTITY_TOKEN_FILE=jwt, AWS_ROLE_ARN=ROLE)),
        ('role of profile default', 'sts', dict(sts, AWS_CONFIG_FILE=role)),
        ('program of profile default', None, {'AWS_CONFIG_FILE': by_program}),
    ]


def used(server, source):
    found = server.ask('GET', '/__credentials')
    return sum(c['uses'] for c in found.values() if c['source'] == source)


def check_kinds(tap, config, env, server, all_kinds):
    server.settings(container_authorization='the-containers-proof', web_identity_token='the-pods-jwt')
    for name, source, more in all_kinds:
        full = dict(env, **more)
        p = run('-c', config, 'dataset', 'list', 'team', env=full)
        tap.ok(p.returncode == 0 and p.stdout.splitlines()[-1].split()[:2] == ['team', 'd'] and 'warn' not in p.stderr,
               f'{name}: lists the bucket', p.stdout + p.stderr)
        if source:
            tap.ok(used(server, source) > 0, f'{name}: with keys of {source}', server.ask('GET', '/__credentials'))
        p = run('-c', config, 'bucket', 'check', 'team', env=full)
        tap.ok(name in p.stdout, f'{name}: bucket check names it', p.stdout + p.stderr)
        p = run('-c', config, 'doctor', env=full)
        tap.ok(f'no credential of its own, {name}' in p.stdout, f'{name}: doctor names it', p.stdout + p.stderr)


def check_hop_limit(tap, config, env, server, more):
    server.settings(imds='hang')
    begun = time.monotonic()
    p = run('-v', '-c', config, 'bucket', 'check', 'team', env=dict(env, **more))
    tap.ok(time.monotonic() - begun < 10 and p.returncode == 4 and 'requests are unsigned' in p.stdout,
           'a hop limit of 1 ends fast, and as a denial', p.stdout + p.stderr)
    tap.ok('hop limit of 1' in p.stderr, '... and is named', p.stderr)
    server.settings(imds='v2')


class Readers(threading.Thread):
    """Reads every file again and again, past the kernel's cache and ours."""

    def __init__(self, point, config):
        super().__init__()
        self.point, self.config = point, config
        self.stopping = threading.Event()
        self.reads, self.failures = 0, []

    def run(self):
        while not self.stopping.is_set():
            for i in range(FILES):
                try:
                    with open(f'{self.point}/team/d@1/f{i:02}', 'rb') as f:
                        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                        if f.read() != content(i):
                            self.failures.append(f'f{i:02}: other bytes')
                except OSError as e:
                    self.failures.append(f'f{i:02}: {e}')
                self.reads += 1
            p = run('-c', self.config, 'cache', 'evict', '-m', self.point)
            if p.returncode != 0:
                self.failures.append(p.stderr)


def check_rotations(tap, top, config, env, server, more):
    point = top + '/mnt'
    os.mkdir(point)
    server.forget()
    with Mount(config, point, top + '/log', env=dict(env, **more)) as m:
        reader = Readers(point, config)
        reader.start()
        for _ in range(ROTATIONS):
            time.sleep(0.05)
            server.revoke('imds')
        reader.stopping.set()
        reader.join()
        asked = server.counts().get('imds.credentials', 0)
        tap.ok(not reader.failures and reader.reads > FILES, f'no read fails while keys are taken back: '
               f'{ROTATIONS} times, {reader.reads} reads, {asked} keys', reader.failures[:5])
        tap.ok(asked > ROTATIONS / 3, '... and they were in use', asked)
        p = run('status', '--json', point)
        who = json.loads(p.stdout)['buckets'][0]['identity']
        tap.ok(who['name'] == 'EC2 instance role' and who['expires'].endswith('Z') and who['problem'] is None,
               'status says who it is, and until when', who)
        p = run('status', point)
        tap.ok(f"EC2 instance role until {who['expires']}" in p.stdout, '... for people, too', p.stdout)
        tap.ok('secret-of-issue' not in m.log() and 'token-of-issue' not in m.log(), 'no secret in the log', m.log())


def main():
    tap = Tap()
    harness.own_namespace()
    with harness.scratch() as top, ds_servers.Scripted() as server:
        env = {k: '' for k in os.environ if k.startswith('AWS_')}
        env |= {'AWS_ENDPOINT_URL_S3': server.s3, 'AWS_S3_FORCE_PATH_STYLE': 'true', 'HOME': top,
                'AWS_EC2_METADATA_DISABLED': 'true', 'OSMO_CONFIG_FILE_DIR': top + '/none'}
        config = make_bucket(top, server, env)
        all_kinds = kinds(top, server)
        check_kinds(tap, config, env, server, all_kinds)
        check_hop_limit(tap, config, env, server, all_kinds[0][2])
        if os.path.exists('/dev/fuse'):
            check_rotations(tap, top, config, env, server, all_kinds[0][2])
        else:
            tap.skip('a mount while keys are taken back', 'no /dev/fuse on this machine')
        tap.equal(server.ask('GET', '/__troubles'), [], 'the server had no troubles of its own')
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
