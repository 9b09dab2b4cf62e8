#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Google's store by every kind of token that a machine may have, in the order
in which they are looked for.  The token endpoints and the store are
tests/servers/scripted, which verifies by openssl(1) what a service account
signs.
"""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'system'))

import harness                                                # noqa: E402
from ds_servers import Scripted                               # noqa: E402
from suite import OBJECTS, put_objects, reads, suite, write_truth  # noqa: E402

PLANTED = {'google_refresh_token': 'planted-refresh', 'google_client_secret': 'planted-client-secret',
           'google_subject_token': 'planted-subject'}
SECRETS = (*PLANTED.values(), 'bearer-of-issue', 'PRIVATE KEY')


class Machine:
    """Where credentials are looked for: a home folder and an environment."""

    def __init__(self, top, server):
        self.server, self.home = server, top + '/home'
        self.truth = write_truth(top + '/truth', OBJECTS)
        self.env = {'HOME': self.home, 'STORAGE_EMULATOR_HOST': server.gcs,
                    'GCE_METADATA_HOST': server.metadata.removeprefix('http://'),
                    'CLOUDSDK_CONFIG': '', 'GOOGLE_APPLICATION_CREDENTIALS': '', 'NO_GCE_CHECK': ''}

    def write(self, name, content):
        path = f'{self.home}/{name}'
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as f:
            f.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def named(self, name, content):
        return dict(self.env, GOOGLE_APPLICATION_CREDENTIALS=self.write(name, content))

    def read(self, tap, name, env, *args, number=38):
        self.server.forget()
        reads(tap, f'google {name}', number, 'gs://given', self.truth, *args, env=env)
        return self.server.counts()


def openssl(*args, text=None):
    return subprocess.run(['openssl', *args], input=text, check=True, capture_output=True, text=True).stdout


def service_account(server):
    """A new key, whose public half the server verifies with."""
    key = openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048')
    server.settings(google_public_key=openssl('pkey', '-pubout', text=key))
    return {'type': 'service_account', 'project_id': 'p', 'private_key_id': 'kid-1', 'private_key': key,
            'client_email': 'reader@p.iam.gserviceaccount.com', 'universe_domain': 'googleapis.com'}


def user(server):
    return {'type': 'authorized_user', 'client_id': 'id', 'client_secret': 'planted-client-secret',
            'refresh_token': 'planted-refresh', 'token_uri': server.tokens + '/token'}


def external(server, source, **more):
    return {'type': 'external_account', 'audience': '//iam.googleapis.com/projects/1/x',
            'subject_token_type': 'urn:ietf:params:oauth:token-type:jwt',
            'token_url': server.tokens + '/v1/token', 'credential_source': source, **more}


def identities(machine):
    """name, environment, what the server must have counted."""
    server = machine.server
    sa = machine.named('sa.json', service_account(server))
    yield 'service account', sa, {'bearer.self_signed'}
    yield 'authorized user', machine.named('user.json', user(server)), {'google.refresh', 'bearer.google_refresh'}
    token = machine.write('subject', 'planted-subject\n')
    yield 'external account, file', machine.named('file.json', external(server, {'file': token})), \
        {'google.exchange', 'bearer.google_exchange'}
    as_json = {'url': server.tokens + '/subject-token?json',
               'format': {'type': 'json', 'subject_token_field_name': 'id_token'}}
    whom = server.tokens + '/v1/projects/-/serviceAccounts/a@p:generateAccessToken'
    yield 'external account, address, impersonation', \
        machine.named('url.json', external(server, as_json, service_account_impersonation_url=whom)), \
        {'subject_token', 'google.exchange', 'google.impersonate', 'bearer.google_impersonation'}
    yield 'metadata service', machine.env, {'gce.token', 'bearer.gce'}
    machine.write('.config/gcloud/application_default_credentials.json', user(server))
    yield "gcloud's file before the metadata service", machine.env, {'google.refresh', 'bearer.google_refresh'}
    yield "the variable before gcloud's file", sa, {'bearer.self_signed'}


def tell_kinds(tap, machine):
    server = machine.server
    for name, env, wanted in identities(machine):
        counts = machine.read(tap, name, env)
        seen = {n for n in counts if n.startswith(('google.', 'gce.', 'bearer.', 'subject_token'))}
        tap.equal(seen, wanted, f'google {name}: case 38: nobody else was asked')
        tap.ok(all(counts.get(n) == 1 for n in wanted if not n.startswith('bearer.')),
               f'google {name}: case 37: asked once', counts)
    shutil.rmtree(machine.home + '/.config')


def whole_suite(tap, machine):
    """What is written too, with a bearer token."""
    env = machine.named('sa.json', service_account(machine.server))
    suite(tap, 'google service account', 'gs://conform/sa', env=env)


def renewals(tap, machine):
    server, env = machine.server, machine.named('user.json', user(machine.server))
    # The first that reads is refused, asks anew, and reads.
    server.rules([{'role': 'gcs', 'method': 'GET', 'times': 1, 'status': 401}])
    counts = machine.read(tap, 'refused once', env, number=37)
    tap.equal(counts.get('google.refresh'), 2, 'google refused once: case 37: one more token')
    server.rules([{'role': 'tokens', 'times': 2, 'status': 503}])
    counts = machine.read(tap, 'a token endpoint that fails twice', env)
    tap.equal(counts.get('google.refresh'), 1, 'google token endpoint: case 38: asked until it answers')
    server.rules([{'role': 'metadata', 'times': 2, 'drop': True}])
    machine.read(tap, 'a metadata service that is not there yet', machine.env)
    server.rules([])


def nothing_found(tap, machine):
    """Unsigned only where there is no credential at all."""
    server = machine.server
    server.settings(anonymous=True)
    absent = {'forbidden': dict(machine.env, NO_GCE_CHECK='true')}
    for name, env in absent.items():
        counts = machine.read(tap, f'unsigned, metadata {name}', env)
        tap.ok(not any(n.startswith(('gce.', 'google.', 'bearer.')) for n in counts),
               f'google unsigned, metadata {name}: case 38: nobody was asked', counts)
    server.settings(gce_flavor=False)
    counts = machine.read(tap, 'unsigned, the metadata service is another', machine.env)
    tap.ok(not any(n.startswith('bearer.') for n in counts),
           'google unsigned: case 38: a token of somebody else was not used', counts)
    server.settings(gce_flavor=True)
    server.rules([{'role': 'metadata', 'status': 404, 'headers': {'Metadata-Flavor': 'Google'}}])
    machine.read(tap, 'unsigned, the instance has no service account', machine.env)
    server.rules([])


def failures(machine):
    """name, environment, what is said; each is there, so nothing goes unsigned."""
    server = machine.server
    yield 'a file that is not there', dict(machine.env, GOOGLE_APPLICATION_CREDENTIALS=machine.home + '/no.json'), \
        'no.json'
    yield 'a file that is no JSON', machine.named('bad.json', '{"private_key": "planted-client-secret'), 'no JSON'
    bad = dict(user(server), refresh_token='planted-wrong')
    yield 'a refresh token that is revoked', machine.named('bad.json', bad), 'gives no token: 400 invalid_grant'
    bad = dict(user(server), client_secret='planted-wrong')
    yield 'another client secret', machine.named('bad.json', bad), 'gives no token: 401 invalid_client'
    bad = external(server, {'file': machine.write('subject', 'planted-wrong')})
    yield 'a subject token that is not accepted', machine.named('bad.json', bad), 'gives no token: 400 invalid_grant'
    bad = external(server, {'file': machine.home + '/none'})
    yield 'a subject token that is not there', machine.named('bad.json', bad), 'none'
    bad = external(server, {'executable': {'command': f'touch {machine.home}/ran'}})
    yield 'a program', machine.named('bad.json', bad), 'executable is not supported'
    bad = dict(external(server, {'file': machine.home + '/subject'}), token_url='https://sts.example/v1')
    yield 'an endpoint of somebody else', machine.named('bad.json', bad), 'below googleapis.com'


def refused(tap, machine):
    config = harness.write_config(machine.home + '/config.yaml', {'b': {'dataset_path': 'gs://given'}})
    for name, env, says in failures(machine):
        p = harness.run('-c', config, 'dataset', 'list', 'b', env=env)
        tap.ok(p.returncode == 4 and says in p.stderr and not any(s in p.stderr for s in SECRETS) and
               'planted' not in p.stderr, f'google {name}: case 38: refused, named, not quoted',
               f'exit {p.returncode}\n{p.stderr}')
    tap.ok(not os.path.exists(machine.home + '/ran'), 'google a program: case 39: was not run')


def main():
    tap = harness.Tap()
    if not shutil.which('openssl'):
        tap.skip('tokens of Google', 'no openssl(1) to make and verify keys with')
        return tap.done()
    with harness.scratch() as top, Scripted() as server:
        server.client().make_bucket('given')
        server.client().make_bucket('conform')
        put_objects(server.client(), 'given')
        server.settings(**PLANTED)
        machine = Machine(top, server)
        tell_kinds(tap, machine)
        whole_suite(tap, machine)
        renewals(tap, machine)
        nothing_found(tap, machine)
        refused(tap, machine)
        tap.equal(server.ask('GET', '/__troubles'), [], 'the server had no trouble')
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
