#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The conformance suite against Azurite, Azure's blob service: with the
account's key, with a SAS, with a token over TLS, unsigned, and what another
client has written.
"""
import base64
import json
import os
import shutil
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'system'))

import harness                                                # noqa: E402
from ds_servers import Azurite, FaultProxy, NotInstalled      # noqa: E402
from relay import make_certificate                            # noqa: E402
from suite import OBJECTS, put_objects, reads, suite, write_truth  # noqa: E402

LACKS = ['backslash', 'abort']


def connection(text):
    return {'AZURE_STORAGE_CONNECTION_STRING': text}


def token():
    """What Entra would give; of it Azurite looks at the claims alone."""
    now = int(time.time())
    claims = {'iss': 'https://sts.windows.net/tenant/', 'aud': 'https://storage.azure.com', 'iat': now - 60,
              'nbf': now - 60, 'exp': now + 3600}
    parts = [json.dumps(p).encode() for p in ({'alg': 'RS256', 'typ': 'JWT'}, claims)] + [b'signature']
    return '.'.join(base64.urlsafe_b64encode(p).decode().rstrip('=') for p in parts)


def over_tls(tap, top):
    if not shutil.which('openssl'):
        tap.skip('azurite tls', 'no openssl(1) to make a certificate with')
        return
    certificate = make_certificate(top)
    with Azurite(os.path.join(top, 'azurite-tls'), AZURITE_TLS=top) as store:
        store.client().make_container('conform')
        port = urllib.parse.urlsplit(store.endpoint).port
        suite(tap, 'azurite token tls', f'azure://{store.account}/conform',
              url=f'https://localhost:{port}/{store.account}', lacks=LACKS,
              env={'AZURE_TOKEN': token(), 'AWS_CA_BUNDLE': certificate[0]})


def main():
    tap = harness.Tap()
    with harness.scratch() as top:
        try:
            with Azurite(os.path.join(top, 'azurite')) as store:
                drive(tap, store, top)
            over_tls(tap, top)
        except NotInstalled as e:
            tap.skip("Azure's blob service", str(e))
    return tap.done()


def drive(tap, store, top):
    client, url, uri = store.client(), store.endpoint, f'azure://{store.account}'
    key = connection(f'AccountName={store.account};AccountKey={store.key}')
    sas = connection(f'BlobEndpoint={url};SharedAccessSignature={client.sas()}')
    client.make_container('conform')
    suite(tap, 'azurite', f'{uri}/conform/some/prefix', url=url, env=key, lacks=LACKS, number=8)
    suite(tap, 'azurite sas', f'{uri}/conform', url=url, env=sas, lacks=LACKS)

    client.make_container('given')
    client.make_container('open', public=True)
    for container in 'given', 'open':
        put_objects(client, container)
    # A directory, as Hadoop's client marks it: no object.
    client.put('given', 'deep/er', b'', hdi_isfolder='true')
    truth = write_truth(top + '/given', OBJECTS)
    reads(tap, 'azurite unsigned', 39, f'{uri}/open', truth, url=url)
    reads(tap, 'azurite another client', 14, f'{uri}/given', truth, url=url, env=key)
    with FaultProxy(url) as proxy:
        proxy.rules([{'method': 'GET', 'cut_at': 700, 'every': 2}])
        reads(tap, 'azurite a body that is cut', 21, f'{uri}/given', truth,
              url=f'{proxy.endpoint}/{store.account}', env=key)


if __name__ == '__main__':
    sys.exit(main())
