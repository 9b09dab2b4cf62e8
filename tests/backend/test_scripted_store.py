#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The conformance suite, and objects that are there, against the scripted
server: S3 as AWS speaks it, Google's XML API, and what both do on bad days.
"""
import gzip
import hashlib
import os
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'system'))

import harness                                                # noqa: E402
from ds_servers import Scripted                               # noqa: E402
from relay import make_certificate                            # noqa: E402
from suite import OBJECTS, keys_of, put_objects, reads, suite, write_truth  # noqa: E402

BUSY = '<Error><Code>SlowDown</Code></Error>'
TIMEOUT = '<Error><Code>RequestTimeout</Code></Error>'


def whole_suites(tap, server):
    client, keys = server.client(), keys_of(server)
    client.make_bucket('conform')
    server.client(server.gcs).make_bucket('conform')
    virtual = server.s3.replace('127.0.0.1', 'localhost')
    suite(tap, 'scripted s3 path', 's3://conform', url=server.s3, style='path', env=keys, number=8)
    suite(tap, 'scripted s3 virtual', 's3://conform/x', url=virtual, style='virtual', env=keys, number=8)
    # Amazon's dialect has no conditions there, Google's has generations.
    suite(tap, 'scripted gs', 'gs://conform', url=server.gcs, style='path', env=keys, lacks=['conditions'])
    google = {'AWS_ACCESS_KEY_ID': 'GOOG1EXAMPLE', 'AWS_SECRET_ACCESS_KEY': 'google-secret'}
    server.settings(keys=server.ask('GET', '/__settings')['keys'] | {'GOOG1EXAMPLE': 'google-secret'})
    suite(tap, 'scripted gs google', 'gs://conform/gs', url=server.gcs, style='path', env=google)
    suite(tap, 'scripted s3 session', 's3://conform', url=server.s3, style='path', env=session(server), number=5)
    server.settings(page_max=3, empty_pages=True)
    suite(tap, 'scripted s3 empty pages', 's3://conform', url=server.s3, style='path', env=keys, number=12)
    server.settings(page_max=1000, empty_pages=False)


def session(server):
    """Temporary keys."""
    form = {'Action': 'AssumeRoleWithWebIdentity', 'Version': '2011-06-15', 'WebIdentityToken': 'jwt',
            'RoleArn': 'arn:aws:iam::123456789012:role/r', 'RoleSessionName': 'me'}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(server.tokens, urllib.parse.urlencode(form).encode(), timeout=20) as answer:
        text = answer.read().decode()

    def named(name):
        return text.partition(f'<{name}>')[2].partition(f'</{name}>')[0]
    return {'AWS_ACCESS_KEY_ID': named('AccessKeyId'), 'AWS_SECRET_ACCESS_KEY': named('SecretAccessKey'),
            'AWS_SESSION_TOKEN': named('SessionToken')}


class Given:
    """Objects that are there, read while something is wrong."""

    def __init__(self, tap, server, top):
        self.tap, self.server = tap, server
        server.client().make_bucket('given')
        put_objects(server.client(), 'given')
        self.truth = write_truth(top + '/given', OBJECTS)

    def read(self, number, name, *args, **how):
        how = {'url': self.server.s3, 'style': 'path', 'env': keys_of(self.server), **how}
        self.server.forget()
        reads(self.tap, f'scripted {name}', number, 's3://given', self.truth, *args, **how)

    def read_under(self, number, name, rule):
        self.server.rules([dict({'role': 's3', 'method': 'GET'}, **rule)])
        self.read(number, name)
        self.tap.ok(self.server.hits()[0] > 0, f'scripted {name}: case {number}: happened', self.server.hits())
        self.server.rules([])


def clocks(given):
    """Corrected once: one refusal for all that follows."""
    for skew in (1200, -1200):
        given.server.settings(skew_s=skew)
        given.read(6, f'clock {skew:+} s')
        refused = [r['status'] for r in given.server.log('s3')].count(403)
        given.tap.equal(refused, 1, f'scripted clock {skew:+} s: case 6: corrected once')
    given.server.settings(skew_s=0)


def regions(given):
    for how in ('400', '301', '307'):
        given.server.settings(region='eu-west-3', wrong_region=how)
        given.read(7, f'region by {how}')
    given.server.settings(region='us-east-1', wrong_region='400')


def redirects(given):
    for status in (301, 302, 303, 307, 308):
        given.server.rules([{'role': 's3', 'status': status, 'location': '{other}{target}'}])
        given.read(9, f'redirect {status}', '-f')
    given.tap.equal([r for r in given.server.log() if r['role'] == 'other'], [],
                    'scripted redirect: case 9: the other host was not asked')
    given.server.rules([])


def payloads(tap, given, top):
    """Over HTTP the payload is hashed, over TLS it is not."""
    def hashes(server):
        return {r['headers'].get('x-amz-content-sha256') for r in server.log('s3') if r['method'] == 'PUT'}

    server = given.server
    server.forget()
    suite(tap, 'scripted s3 plain', 's3://conform', url=server.s3, style='path', env=keys_of(server), number=10)
    sent = hashes(server)
    tap.ok('UNSIGNED-PAYLOAD' not in sent and hashlib.sha256(b'x').hexdigest() in sent,
           'scripted s3 plain: case 10: payloads are hashed', sent)
    certificate = make_certificate(top)
    with Scripted('--tls', *certificate) as secure:
        secure.ask('POST', '/__buckets', 'conform')
        suite(tap, 'scripted s3 tls', 's3://conform', url=secure.s3, style='path', number=10,
              env=dict(keys_of(server), AWS_CA_BUNDLE=certificate[0]))
        tap.equal(hashes(secure) - {hashlib.sha256(b'').hexdigest()}, {'UNSIGNED-PAYLOAD'},
                  'scripted s3 tls: case 10: payloads are not, but where there are none')


def google(tap, server, top):
    """What is stored as gzip is read as it is stored."""
    packed = gzip.compress(b'text ' * 1000, mtime=0)
    client = server.client(server.gcs)
    client.make_bucket('packed')
    client.call('PUT', 'packed', 'z', body=packed, headers={'content-encoding': 'gzip'})
    truth = write_truth(top + '/packed', {'z': packed})
    for name, key in (('gs', server.access_key), ('gs google', 'GOOG1EXAMPLE')):
        secret = server.ask('GET', '/__settings')['keys'][key]
        reads(tap, f'scripted {name} gzip', 22, 'gs://packed', truth, url=server.gcs, style='path',
              env={'AWS_ACCESS_KEY_ID': key, 'AWS_SECRET_ACCESS_KEY': secret})


def main():
    tap = harness.Tap()
    with harness.scratch() as top, Scripted() as server:
        whole_suites(tap, server)
        given = Given(tap, server, top)
        clocks(given)
        regions(given)
        redirects(given)
        given.read_under(21, 'a body that is cut', {'cut_at': 700, 'every': 2})
        given.read_under(21, '... by a reset', {'reset_at': 700, 'every': 2})
        given.read_under(31, 'a store that is busy', {'status': 503, 'body': BUSY, 'every': 2})
        given.read_under(32, 'RequestTimeout', {'status': 400, 'body': TIMEOUT, 'every': 3})
        given.read_under(33, 'kept connections that are reset', {'reused': True, 'reset_at': 0, 'every': 2})
        given.read_under(34, 'a first byte that is late', {'hold_ms': 20000, 'after': 3, 'times': 1})
        given.read_under(34, 'a body that falls silent', {'stall_at': 10, 'stall_ms': 20000, 'after': 3, 'times': 1})
        server.settings(etags=False)
        given.read(24, 'no etags')
        server.settings(etags=True)
        payloads(tap, given, top)
        google(tap, server, top)
        tap.equal(server.ask('GET', '/__troubles'), [], 'the scripted server had no trouble of its own')
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
