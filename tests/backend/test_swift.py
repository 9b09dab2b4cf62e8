#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The conformance suite against OpenStack Swift's S3 API, as swift:// and as
s3://.  It refuses conditions on PUT, and knows no temporary keys.
"""
import os
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'system'))

import harness                                                # noqa: E402
from ds_servers import FaultProxy, NotInstalled, Swift        # noqa: E402
from suite import OBJECTS, keys_of, put_objects, reads, suite, write_truth  # noqa: E402

LACKS = ['conditions', 'tokens']


def main():
    tap = harness.Tap()
    with harness.scratch() as top:
        try:
            with Swift(os.path.join(top, 'swift')) as store:
                drive(tap, store, top)
        except NotInstalled as e:
            tap.skip('OpenStack Swift', str(e))
    return tap.done()


def drive(tap, store, top):
    client, keys = store.client(), keys_of(store)
    client.make_bucket('conform')
    suite(tap, 'swift s3api', 'swift://os.example.com/AUTH_team/conform', url=store.endpoint, env=keys, lacks=LACKS)
    suite(tap, 'swift s3api virtual', 's3://conform/some/prefix', url=store.virtual_endpoint, style='virtual',
          env=keys, lacks=LACKS, number=8)
    client.make_bucket('given')
    put_objects(client, 'given')
    truth = write_truth(top + '/given', OBJECTS)
    for off in ('+20m', '-20m'):
        reads(tap, f'swift clock {off}', 6, 's3://given', truth, url=store.endpoint, style='path',
              prefix=['faketime', '-f', off], env=dict(keys, FAKETIME_DONT_FAKE_MONOTONIC='1'))
    other_client(tap, store, top)
    with FaultProxy(store.endpoint) as proxy:
        proxy.rules([{'method': 'GET', 'cut_at': 700, 'every': 2}])
        reads(tap, 'swift a body that is cut', 21, 's3://given', truth, url=proxy.endpoint, style='path', env=keys)


def other_client(tap, store, top):
    """Keys of curl's, by Swift's own API: control characters, which s3cmd does not send."""
    def curl(*words):
        return subprocess.run(['curl', '--silent', '--show-error', '--fail', '--path-as-is', '--noproxy', '*', *words],
                              stdout=subprocess.PIPE, text=True, check=True).stdout

    head = curl('--dump-header', '-', '--header', f'X-Auth-User: {store.env["ST_USER"]}', '--header',
                f'X-Auth-Key: {store.env["ST_KEY"]}', store.env['ST_AUTH'])
    told = dict(line.split(': ', 1) for line in head.splitlines() if ': ' in line)
    keys = {f'{code:03}-{chr(code)}x': b'%d' % code for code in [*range(1, 33), *range(127, 162)]}
    store.client().make_bucket('bytes')
    lines = [f'url = "{told["X-Storage-Url"]}/bytes/{urllib.parse.quote(key, safe="/")}"\nrequest = "PUT"\n'
             f'data-binary = "{data.decode()}"\nheader = "X-Auth-Token: {told["X-Auth-Token"]}"\n'
             for key, data in keys.items()]
    with open(top + '/curl', 'w') as f:
        f.write('next\n'.join(lines))
    curl('--config', top + '/curl')
    reads(tap, 'swift keys of curl', 2, 'swift://os.example.com/AUTH_team/bytes', write_truth(top + '/bytes', keys),
          url=store.endpoint, env=keys_of(store))


if __name__ == '__main__':
    sys.exit(main())
