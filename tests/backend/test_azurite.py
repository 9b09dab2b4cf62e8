#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The conformance suite against Azurite, Azure's blob service: with the
account's key, with a SAS, unsigned, and what another client has written.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'system'))

import harness                                                # noqa: E402
from ds_servers import Azurite, FaultProxy, NotInstalled      # noqa: E402
from suite import OBJECTS, put_objects, reads, suite, write_truth  # noqa: E402

LACKS = ['backslash', 'abort']


def connection(text):
    return {'AZURE_STORAGE_CONNECTION_STRING': text}


def main():
    tap = harness.Tap()
    with harness.scratch() as top:
        try:
            with Azurite(os.path.join(top, 'azurite')) as store:
                drive(tap, store, top)
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
