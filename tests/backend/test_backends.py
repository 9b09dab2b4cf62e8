#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The conformance suite against each store: a local directory, and a real S3
server as each of the dialects that are spoken to it, in both styles of
addressing, with a session token, and unsigned.
"""
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.parse
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'system'))

import harness                                                # noqa: E402
from ds_servers import NotInstalled, Radosgw, Scripted                  # noqa: E402

SUITE = os.path.join(os.environ.get('top_builddir', '.'), 'tests/backend/conformance')
CASES_MIN = 100


def suite(tap, name, *args, env=None):
    """Its cases become ours, under the name of the store."""
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith('AWS_') and k != 'OSMO_S3_ADDRESSING_STYLE'}
    p = subprocess.run([SUITE, *args], stdout=subprocess.PIPE, text=True,
                       errors='replace', timeout=300, env={**clean, **(env or {})})
    n = 0
    for line in p.stdout.splitlines():
        verdict, _, rest = line.partition(' - ')
        if verdict.startswith(('ok ', 'not ok ')):
            n += 1
            text, _, reason = rest.partition(' # SKIP ')
            if reason:
                tap.skip(f'{name}: {text}', reason)
            else:
                tap.ok(verdict.startswith('ok '), f'{name}: {text}')
        elif not line.startswith('1..'):
            print('# ' + line, flush=True)
    tap.ok(p.returncode == 0 and n >= CASES_MIN, f'{name}: {n} cases ran to the end',
           f'exit {p.returncode}\n' + p.stdout[-2000:])


class TlsRelay:
    """TLS in front of a plain server, with a certificate of our own."""

    def __init__(self, top, port):
        self.cert, self.port = top + '/cert.pem', port
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', '/CN=test',
                        '-addext', 'subjectAltName=DNS:s3.localhost,DNS:*.s3.localhost',
                        '-keyout', top + '/key.pem', '-out', self.cert],
                       check=True, stderr=subprocess.DEVNULL)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, top + '/key.pem')
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.address = f's3.localhost:{self.listener.getsockname()[1]}'
        self.context = context
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                inner, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(inner,), daemon=True).start()

    def relay(self, plain):
        try:
            with self.context.wrap_socket(plain, server_side=True) as client, \
                    socket.create_connection(('127.0.0.1', self.port)) as server:
                pipe = threading.Thread(target=self.copy, args=(server, client), daemon=True)
                pipe.start()
                self.copy(client, server)
                pipe.join(10)
        except OSError:
            pass

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def over_tls(tap, store, top, keys):
    """Payloads are not signed there, and a bucket's dots need path style."""
    if not shutil.which('openssl'):
        tap.skip('s3 tls', 'no openssl(1) to make a certificate with')
        return
    relay = TlsRelay(top, int(store.endpoint.rsplit(':', 1)[1]))
    trust = dict(keys, AWS_CA_BUNDLE=relay.cert)
    suite(tap, 's3 tls', 's3://conform/tls', 'https://' + relay.address, env=trust)
    store.client().make_bucket('dotted.name')
    suite(tap, 's3 tls dots', 's3://dotted.name', 'https://' + relay.address, env=trust)
    relay.listener.close()


def policy(**what):
    return json.dumps({'Version': '2012-10-17',
                       'Statement': [{'Effect': 'Allow', **what}]})


def session(store):
    """Temporary keys from the store's own STS, for a role that may do all."""
    client = store.client()

    def ask(action, version, **fields):
        fields |= {'Action': action, 'Version': version}
        body = '&'.join(f'{k}={urllib.parse.quote(v, safe="")}' for k, v in fields.items())
        data = client.call('POST', '', body=body.encode(),
                           headers={'content-type': 'application/x-www-form-urlencoded'})[1]
        return {e.tag.rsplit('}', 1)[-1]: e.text for e in ET.fromstring(data).iter()}

    ask('CreateRole', '2010-05-08', RoleName='all', Path='/',
        AssumeRolePolicyDocument=policy(Principal={'AWS': ['arn:aws:iam:::user/test']},
                                        Action=['sts:AssumeRole']))
    ask('PutRolePolicy', '2010-05-08', RoleName='all', PolicyName='all',
        PolicyDocument=policy(Action=['s3:*'], Resource=['arn:aws:s3:::*']))
    found = ask('AssumeRole', '2011-06-15', RoleArn='arn:aws:iam:::role/all',
                RoleSessionName='test')
    return {'AWS_ACCESS_KEY_ID': found['AccessKeyId'],
            'AWS_SECRET_ACCESS_KEY': found['SecretAccessKey'],
            'AWS_SESSION_TOKEN': found['SessionToken']}


def dialects(tap, store, top):
    client = store.client()
    keys = {'AWS_ACCESS_KEY_ID': store.access_key,
            'AWS_SECRET_ACCESS_KEY': store.secret_key}
    url = store.endpoint
    virtual = store.virtual_endpoint

    client.make_bucket('conform')
    suite(tap, 's3 path', 's3://conform', url, 'path', env=keys)
    suite(tap, 's3 virtual', 's3://conform/some/prefix', virtual, 'virtual', env=keys)
    suite(tap, 'tos', 'tos://tos-s3-us-east-1.example.com/conform', virtual, env=keys)
    suite(tap, 'gs', 'gs://conform/gs', virtual, env=keys)

    over_tls(tap, store, top, keys)

    # In Swift the name of the key holds the namespace.
    swift = {'AWS_ACCESS_KEY_ID': 'user:AUTH_team', 'AWS_SECRET_ACCESS_KEY': 'swift-secret'}
    store.admin('user', 'create', '--uid=team', '--display-name=team',
                f'--access-key={swift["AWS_ACCESS_KEY_ID"]}',
                f'--secret-key={swift["AWS_SECRET_ACCESS_KEY"]}')
    mine = store.client()
    mine.key, mine.secret = swift['AWS_ACCESS_KEY_ID'], swift['AWS_SECRET_ACCESS_KEY']
    mine.make_bucket('swifty')
    suite(tap, 'swift', 'swift://os.example.com/AUTH_team/swifty', url, env=swift)

    suite(tap, 's3 session', 's3://conform', url, 'path', env=session(store))

    client.make_bucket('open')
    client.call('PUT', 'open', query=[('policy', '')],
                body=policy(Principal='*', Action=['s3:*'],
                            Resource=['arn:aws:s3:::open', 'arn:aws:s3:::open/*']).encode())
    suite(tap, 's3 unsigned', 's3://open', url, 'path')


def google(tap):
    """Google's own dialect, with generations in place of ETags."""
    with Scripted() as server:
        server.client().make_bucket('conform')
        server.settings(keys={'GOOG1EXAMPLE': 'google-secret'})
        suite(tap, 'gs google', 'gs://conform/gs', server.gcs, 'path',
              env={'AWS_ACCESS_KEY_ID': 'GOOG1EXAMPLE', 'AWS_SECRET_ACCESS_KEY': 'google-secret'})
        tap.equal(server.ask('GET', '/__troubles'), [], 'gs google: the server had no trouble')


def main():
    tap = harness.Tap()
    google(tap)
    with harness.scratch() as top:
        place = os.path.join(top, 'store')
        os.mkdir(place)
        suite(tap, 'file', 'file://' + place)
        try:
            with Radosgw(os.path.join(top, 'rgw')) as store:
                dialects(tap, store, top)
        except NotInstalled as e:
            tap.skip('a real S3 server', str(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
