# SPDX-License-Identifier: Apache-2.0
"""Real servers for whole-system tests, as context managers.

    with Radosgw(top + '/rgw') as store:
        store.client().make_bucket('production')
        ... store.endpoint, store.env ...
"""
import os
import subprocess
import sys

import harness

sys.path.insert(0, os.path.join(harness.TOP, 'tests', 'tools'))
import s3_client                                             # noqa: E402

SERVERS = os.path.join(harness.TOP, 'tests', 'servers')
NOT_INSTALLED = 77


class NotInstalled(Exception):
    """The server is not on this machine; its text says what to install."""


class Radosgw:
    """A Ceph RADOS gateway whose state is the folder state_dir."""

    def __init__(self, state_dir, store='memstore', size=None):
        self.state_dir = str(state_dir)
        self.settings = {'RADOSGW_STORE': store}
        if size:
            self.settings['RADOSGW_SIZE'] = str(size)
        self.env = {}

    def _script(self, verb, *args):
        return subprocess.run(
            ['bash', os.path.join(SERVERS, 'radosgw.sh'), verb, self.state_dir, *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=dict(os.environ, **self.settings))

    def start(self):
        p = self._script('start')
        if p.returncode == NOT_INSTALLED:
            raise NotInstalled(p.stderr.strip())
        if p.returncode != 0:
            raise AssertionError(p.stderr)
        self.env = dict(line.split('=', 1) for line in p.stdout.split())
        return self

    def stop(self):
        self._script('stop')

    def admin(self, *args):
        """The output of radosgw-admin."""
        p = self._script('admin', *args)
        if p.returncode != 0:
            raise AssertionError(p.stderr)
        return p.stdout

    @property
    def endpoint(self):
        return self.env['S3_ENDPOINT']

    @property
    def access_key(self):
        return self.env['AWS_ACCESS_KEY_ID']

    @property
    def secret_key(self):
        return self.env['AWS_SECRET_ACCESS_KEY']

    @property
    def region(self):
        return self.env['S3_REGION']

    def client(self, endpoint=None):
        """Requests to it, or to a proxy in front of it."""
        return s3_client.S3(endpoint or self.endpoint, self.access_key,
                            self.secret_key, self.region)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
