#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reading what a plain web server has: files of a folder as objects of a bucket
that is open to everybody, with validators, ranges, and without ranges.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'system'))

import harness                                                # noqa: E402
from ds_servers import FaultProxy, Nginx, NotInstalled        # noqa: E402
from suite import OBJECTS, reads, write_truth                 # noqa: E402

# Those that a file can be named.
KEYS = ["space here", "a+b", "a=b&c=d", "100%", "#hash", "q?x=y", "(par)*'s", "~tilde", "co:lon", "ü/日本"]


def write_files(folder, objects):
    for key, data in objects.items():
        path = os.path.join(folder, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write(data)


def main():
    tap = harness.Tap()
    with harness.scratch() as top:
        odd = {key: key.encode() for key in KEYS}
        write_files(top + '/root/bkt/p', OBJECTS)
        write_files(top + '/root/odd/p', odd)
        write_files(top + '/root/broken/p', {'text': OBJECTS['text']})
        server = Nginx(os.path.join(top, 'nginx'))
        try:
            server.start(top + '/root')
        except NotInstalled as e:
            tap.skip('nginx', str(e))
            return tap.done()
        try:
            drive(tap, server, top, odd)
        finally:
            server.stop()
    return tap.done()


def drive(tap, server, top, odd):
    how = {'url': server.endpoint, 'style': 'path'}
    truth = write_truth(top + '/truth', OBJECTS)
    reads(tap, 'nginx', 17, 's3://bkt/p', truth, **how)
    reads(tap, 'nginx odd names', 2, 's3://odd/p', write_truth(top + '/odd-truth', odd), **how)
    with FaultProxy(server.endpoint) as proxy:
        proxy.rules([{'method': 'GET', 'cut_at': 700, 'every': 2}])
        reads(tap, 'nginx a body that is cut', 21, 's3://bkt/p', truth, url=proxy.endpoint, style='path')
    # The whole in place of a part is refused.
    reads(tap, 'nginx without ranges', 18, 's3://norange/broken/p',
          write_truth(top + '/broken-truth', {'text': OBJECTS['text']}), '-f', **how)


if __name__ == '__main__':
    sys.exit(main())
