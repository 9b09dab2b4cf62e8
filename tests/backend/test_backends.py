#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The conformance suite against a local directory, and Ceph's gateway as each
of the dialects that are spoken to it, in both styles of addressing, over TLS
and IPv6, with a session token, with clocks that differ, and unsigned.
"""
import gzip
import json
import os
import sys
import urllib.parse
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'system'))

import harness                                                # noqa: E402
from ds_servers import FaultProxy, NotInstalled, Radosgw      # noqa: E402
from relay import Relay, make_certificate                     # noqa: E402
from suite import OBJECTS, keys_of, put_objects, reads, suite, write_truth  # noqa: E402


def port_of(store):
    return int(store.endpoint.rsplit(':', 1)[1])


def over_tls(tap, store, top):
    """Payloads are not signed there, and a bucket's dots need path style."""
    certificate = make_certificate(top)
    relay = Relay(port_of(store), certificate)
    url = f'https://s3.localhost:{relay.port}'
    trust = dict(keys_of(store), AWS_CA_BUNDLE=certificate[0])
    suite(tap, 'radosgw s3 tls', 's3://conform/tls', url=url, env=trust, number=10)
    store.client().make_bucket('dotted.name')
    suite(tap, 'radosgw s3 tls dots', 's3://dotted.name', url=url, env=trust, number=8)
    relay.close()


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


def dialects(tap, store):
    client = store.client()
    keys = keys_of(store)
    url, virtual = store.endpoint, store.virtual_endpoint

    client.make_bucket('conform')
    suite(tap, 'radosgw s3 path', 's3://conform', url=url, style='path', env=keys, number=8)
    suite(tap, 'radosgw s3 virtual', 's3://conform/some/prefix', url=virtual, style='virtual', env=keys, number=8)
    suite(tap, 'radosgw tos', 'tos://tos-s3-us-east-1.example.com/conform', url=virtual, env=keys)
    suite(tap, 'radosgw gs', 'gs://conform/gs', url=virtual, env=keys)

    # In Swift the name of the key holds the namespace.
    swift = {'AWS_ACCESS_KEY_ID': 'user:AUTH_team', 'AWS_SECRET_ACCESS_KEY': 'swift-secret'}
    store.admin('user', 'create', '--uid=team', '--display-name=team',
                f'--access-key={swift["AWS_ACCESS_KEY_ID"]}',
                f'--secret-key={swift["AWS_SECRET_ACCESS_KEY"]}')
    mine = store.client()
    mine.key, mine.secret = swift['AWS_ACCESS_KEY_ID'], swift['AWS_SECRET_ACCESS_KEY']
    mine.make_bucket('swifty')
    suite(tap, 'radosgw swift', 'swift://os.example.com/AUTH_team/swifty', url=url, env=swift)

    suite(tap, 'radosgw s3 session', 's3://conform', url=url, style='path', env=session(store), number=5)

    client.make_bucket('open')
    client.call('PUT', 'open', query=[('policy', '')],
                body=policy(Principal='*', Action=['s3:*'],
                            Resource=['arn:aws:s3:::open', 'arn:aws:s3:::open/*']).encode())
    suite(tap, 'radosgw s3 unsigned', 's3://open', url=url, style='path')


def from_elsewhere(tap, store, top):
    """Objects of another client, read by a clock that is wrong, and over IPv6."""
    client, keys = store.client(), keys_of(store)
    client.make_bucket('given')
    put_objects(client, 'given')
    truth = write_truth(top + '/given', OBJECTS)
    how = {'url': store.endpoint, 'style': 'path'}
    for off in ('+20m', '-20m'):
        reads(tap, f'radosgw clock {off}', 6, 's3://given', truth, **how, prefix=['faketime', '-f', off],
              env=dict(keys, FAKETIME_DONT_FAKE_MONOTONIC='1'))
    relay = Relay(port_of(store), address='::1')
    reads(tap, 'radosgw IPv6', 8, 's3://given', truth, url=f'http://[::1]:{relay.port}', style='path', env=keys)
    relay.close()

    packed = gzip.compress(b'text ' * 1000, mtime=0)
    client.make_bucket('packed')
    client.call('PUT', 'packed', 'z', body=packed, headers={'content-encoding': 'gzip'})
    reads(tap, 'radosgw gzip', 22, 's3://packed', write_truth(top + '/packed', {'z': packed}), **how, env=keys)
    spoilt(tap, store, truth)


def spoilt(tap, store, truth):
    """The same through a proxy that does each of these to some requests."""
    busy = {'status': 503, 'body': '<Error><Code>SlowDown</Code></Error>'}
    faults = [(21, 'a body that is cut', {'cut_at': 700, 'every': 2}),
              (21, '... by a reset', {'reset_at': 700, 'every': 2}),
              (31, 'a store that is busy', dict(busy, every=2)),
              (33, 'connections that close', {'drop': True, 'every': 3}),
              (34, 'a first byte that is late', {'ttfb_ms': 20000, 'after': 3, 'times': 1}),
              (34, 'a body that falls silent', {'stall_ms': 20000, 'stall_at': 10, 'after': 3, 'times': 1})]
    with FaultProxy(store.endpoint) as proxy:
        for number, name, rule in faults:
            proxy.rules([dict(rule, method='GET')])
            reads(tap, f'radosgw {name}', number, 's3://given', truth, url=proxy.endpoint, style='path',
                  env=keys_of(store))
            tap.ok(proxy.hits()[0] > 0, f'radosgw {name}: case {number}: happened', proxy.hits())


def main():
    tap = harness.Tap()
    with harness.scratch() as top:
        place = os.path.join(top, 'store')
        os.mkdir(place)
        suite(tap, 'file', 'file://' + place)
        try:
            with Radosgw(os.path.join(top, 'rgw')) as store:
                dialects(tap, store)
                over_tls(tap, store, top)
                from_elsewhere(tap, store, top)
        except NotInstalled as e:
            tap.skip('a real S3 server', str(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
