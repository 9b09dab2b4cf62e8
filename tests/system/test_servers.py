#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The scripts that start real servers: what each prints is where it answers, a
second start finds the first, and a stop leaves nothing.
"""
import os
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ds_servers                                            # noqa: E402
import harness                                               # noqa: E402


def status(url):
    """Of a GET without a credential."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as e:
        return e.code
    except OSError as e:
        return e.reason


def check(tap, server, url_of, want):
    name = server.script
    try:
        server.start()
    except ds_servers.NotInstalled as e:
        tap.skip(name, str(e))
        return
    try:
        first = dict(server.env)
        tap.equal(status(url_of(server)), want, f'{name}: answers where it says')
        tap.equal(server.start().env, first, f'{name}: a second start finds the first')
    finally:
        server.stop()
    gone = status(url_of(server))
    tap.ok(isinstance(gone, ConnectionRefusedError) and not os.path.exists(server.state_dir),
           f'{name}: a stop leaves nothing', f'{gone!r}, {server.state_dir}')


def main():
    tap = harness.Tap()
    with harness.scratch() as top:
        check(tap, ds_servers.Radosgw(top + '/radosgw'), lambda s: s.endpoint + '/none', 404)
        check(tap, ds_servers.Swift(top + '/swift'), lambda s: s.endpoint + '/healthcheck', 200)
        check(tap, ds_servers.Azurite(top + '/azurite'),
              lambda s: s.endpoint + '/none?restype=container&comp=list', 403)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
