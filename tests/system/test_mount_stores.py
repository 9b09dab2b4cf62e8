#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The mount's cases (test_mount.py) on every kind of store that a server here
stands for, at once and 20 ms away.  A case that is not run names what the
server lacks.
"""
import contextlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ds_servers                                            # noqa: E402
import harness                                               # noqa: E402
import test_mount                                            # noqa: E402
from mount_world import World, fork_as, named                # noqa: E402

LATENCY_MS = 20
CASES_MIN = 25
LISTS = 'a plain web server has no lists'


class Place:
    """Where the bucket "production" is (mount_world.World)."""

    own, env, lacks, is_filled = None, {}, {}, False

    def __init__(self, name, uri, endpoint, client, **cred):
        self.name, self.uri, self.endpoint, self.client = name, uri, endpoint, client
        self.cred = {'access_key_id': client.key, 'access_key': client.secret, **cred}

    @property
    def settings(self):
        return {'default_credential': dict(self.cred, override_url=self.endpoint)}

    def fill(self, folder):
        """The same each time, so it is done once."""
        if not self.is_filled:
            self.client.make_bucket('production')
            self.client.put_tree('production', folder, 'p/')
        self.is_filled = True


class WebPlace(Place):
    """Files of a web server, open to everybody; the catalog, which needs lists, is beside it."""

    # Those that read a version without a manifest.
    lacks = dict.fromkeys(['collections hold links to their members', 'empty and legacy versions',
                           'programs of every day'], LISTS)
    settings = {}

    def __init__(self, name, uri, endpoint, root):
        self.name, self.uri, self.endpoint, self.root = name, uri, endpoint, root

    @property
    def env(self):
        return {'AWS_ENDPOINT_URL_S3': self.endpoint, 'AWS_S3_FORCE_PATH_STYLE': 'true', 'HOME': self.root}

    def fill(self, folder):
        if not self.is_filled:
            os.mkdir(self.root + '/production')
            os.symlink(folder, self.root + '/production/p')
        self.is_filled = True
        self.own = {'catalog': 'file://' + folder}


class AzurePlace(Place):
    """One account: its name is the endpoint's path."""

    def __init__(self, name, server):
        self.name, self.account, self.endpoint = name, server.account, server.endpoint
        self.uri, self.client = f'azure://{server.account}/production/p', server.client()
        self.cred = {'access_key_id': 'unused',
                     'access_key': f'AccountName={server.account};AccountKey={server.key}'}

    @property
    def settings(self):
        url = f'{self.endpoint.removesuffix("/" + self.account)}/{self.account}'
        return {'default_credential': dict(self.cred, override_url=url)}


def run_cases(tap, top, place, endpoint, name):
    place.endpoint = endpoint
    w = World(top, name.replace(' ', '-'), None, place)
    w.scratch = w.top + '/scratch'
    os.mkdir(w.scratch)
    n = n_good = 0
    with w.mount(env=place.env):
        for case, fn in named('case_', vars(test_mount)):
            if case in place.lacks:
                tap.skip(f'{name}: {case}', place.lacks[case])
                continue
            ok, detail = fork_as(None, fn, w)
            n += 1
            n_good += tap.ok(ok, f'{name}: {case}', detail)
    tap.ok(n == n_good and n >= CASES_MIN, f'{name}: {n_good} of {n} cases')


def run_place(tap, top, place):
    direct = place.endpoint
    run_cases(tap, top, place, direct, place.name)
    with ds_servers.FaultProxy(direct, latency_ms=LATENCY_MS) as proxy:
        run_cases(tap, top, place, proxy.endpoint, f'{place.name} {LATENCY_MS} ms away')


@contextlib.contextmanager
def radosgw(top):
    with ds_servers.Radosgw(top + '/server') as server:
        yield [Place('radosgw', 's3://production/p', server.endpoint, server.client(),
                     addressing_style='path')]


@contextlib.contextmanager
def swift(top):
    with ds_servers.Swift(top + '/server') as server:
        yield [Place('swift', 'swift://os.example.com/AUTH_team/production/p', server.endpoint, server.client())]


@contextlib.contextmanager
def scripted(top):
    with ds_servers.Scripted() as server:
        google = {'access_key_id': 'GOOG1EXAMPLE', 'access_key': 'google-secret'}
        server.settings(keys={server.access_key: server.secret_key, 'GOOG1EXAMPLE': 'google-secret'})
        yield [Place('scripted s3', 's3://production/p', server.s3, server.client(), addressing_style='path'),
               Place('scripted gs', 'gs://production/p', server.gcs, server.client(server.gcs),
                     addressing_style='path', **google)]


@contextlib.contextmanager
def azurite(top):
    with ds_servers.Azurite(top + '/server') as server:
        yield [AzurePlace('azurite', server)]


@contextlib.contextmanager
def nginx(top):
    server = ds_servers.Nginx(top + '/server')
    os.mkdir(top + '/root')
    server.start(top + '/root')
    try:
        yield [WebPlace('nginx', 's3://production/p', server.endpoint, top + '/root')]
    finally:
        server.stop()


def main():
    tap = harness.Tap()
    if os.getuid() != 0 or not os.path.exists('/dev/fuse'):
        tap.skip('the mount on every store', 'it mounts as root, and needs /dev/fuse')
        return tap.done()
    harness.own_namespace()
    for key in [k for k in os.environ if k.startswith('AWS_')]:
        del os.environ[key]
    os.environ['AWS_EC2_METADATA_DISABLED'] = 'true'
    only = sys.argv[1:]
    for kind in (radosgw, swift, scripted, azurite, nginx):
        if only and kind.__name__ not in only:
            continue
        with harness.scratch() as top:
            try:
                with kind(top) as places:
                    for place in places:
                        run_place(tap, top, place)
            except ds_servers.NotInstalled as e:
                tap.skip(kind.__name__, str(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
