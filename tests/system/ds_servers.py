# SPDX-License-Identifier: Apache-2.0
"""Real servers for whole-system tests, as context managers.

    with Radosgw(top + '/rgw') as store:
        store.client().make_bucket('production')
        with FaultProxy(store.endpoint, latency_ms=20) as proxy:
            proxy.rules([{'method': 'GET', 'path': '/data/', 'times': 2, 'status': 503}])
            ... proxy.endpoint ... proxy.stats('/production/')['bytes_sent'] ...
"""
import http.client
import json
import os
import ssl
import subprocess
import sys
import urllib.parse

import harness

sys.path.insert(0, os.path.join(harness.TOP, 'tests', 'tools'))
import azure_client                                          # noqa: E402
import s3_client                                             # noqa: E402

SERVERS = os.path.join(harness.TOP, 'tests', 'servers')
NOT_INSTALLED = 77


class NotInstalled(Exception):
    """The server is not on this machine; its text says what to install."""


class Server:
    """What a script of tests/servers starts; its state is the folder state_dir."""

    script = None

    def __init__(self, state_dir, **settings):
        self.state_dir = str(state_dir)
        self.settings = settings        # the script's environment
        self.env = {}

    def _script(self, verb, *args):
        return subprocess.run(
            ['bash', os.path.join(SERVERS, self.script), verb, self.state_dir, *map(str, args)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=dict(os.environ, **self.settings))

    def start(self, *args):
        p = self._script('start', *args)
        if p.returncode == NOT_INSTALLED:
            raise NotInstalled(p.stderr.strip())
        if p.returncode != 0:
            raise AssertionError(p.stderr)
        self.env = dict(line.split('=', 1) for line in p.stdout.split())
        return self

    def stop(self):
        self._script('stop')

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class S3Server(Server):
    """One whose script says where its S3 API is, with which keys."""

    @property
    def endpoint(self):
        return self.env['S3_ENDPOINT']

    @property
    def virtual_endpoint(self):
        """Whose subdomains are buckets."""
        return 'http://' + self.env['S3_VHOST_SUFFIX']

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


class Radosgw(S3Server):
    """A Ceph RADOS gateway."""

    script = 'radosgw.sh'

    def __init__(self, state_dir, store='memstore', size=None):
        super().__init__(state_dir, RADOSGW_STORE=store,
                         **({'RADOSGW_SIZE': str(size)} if size else {}))

    def admin(self, *args):
        """The output of radosgw-admin."""
        p = self._script('admin', *args)
        if p.returncode != 0:
            raise AssertionError(p.stderr)
        return p.stdout


class Swift(S3Server):
    """OpenStack Swift: swift://HOST/AUTH_team/CONTAINER, by its S3 API."""

    script = 'swift.sh'


class Azurite(Server):
    """Azure's blob service in memory; AZURITE_TLS, AZURITE_LOOSE as its script says."""

    script = 'azurite.sh'

    @property
    def endpoint(self):
        return self.env['AZURE_ENDPOINT']

    def client(self, endpoint=None):
        return azure_client.Azure(endpoint or self.endpoint, self.account, self.key)

    @property
    def account(self):
        return self.env['AZURE_STORAGE_ACCOUNT']

    @property
    def key(self):
        return self.env['AZURE_STORAGE_KEY']


class Nginx(Server):
    """A folder over plain HTTP, told apart from a store's quirks and cost:
    start(ROOT)."""

    script = 'nginx.sh'
    region, access_key, secret_key = 'us-east-1', 'unused', 'unused'

    @property
    def endpoint(self):
        return self.env.get('HTTP_ENDPOINT')

    def client(self, endpoint=None):
        """Only for URLs: it knows no signatures, and ignores those of S3."""
        return s3_client.S3(endpoint or self.endpoint, self.access_key, self.secret_key, self.region)


class Scripted:
    """tests/servers/scripted, a server that does as it is told: its README.md.

    with Scripted() as server:
        server.settings(lifetime_s=2)
        server.rules([{'role': 's3', 'method': 'GET', 'times': 2, 'status': 503}])
        ... server.s3, server.gcs, server.metadata, server.tokens, server.other ...
    """

    access_key, secret_key, region = 'test-access-key', 'test-secret-key', 'us-east-1'

    def __init__(self, *args):
        self.args = args            # '--tls', CERT, KEY
        self.process = None

    def start(self):
        self.process = subprocess.Popen([sys.executable, os.path.join(SERVERS, 'scripted'), '-d', *self.args],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith('S3='):
            raise AssertionError(f'the scripted server did not start: {line!r}')
        for name, url in (word.split('=', 1) for word in line.split()):
            setattr(self, name.lower(), url)
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None

    def ask(self, method, path, body=None):
        place = urllib.parse.urlsplit(self.s3)
        if place.scheme == 'https':
            trust = ssl._create_unverified_context()            # noqa: SLF001 -- it is ours
            conn = http.client.HTTPSConnection(place.netloc, timeout=30, context=trust)
        else:
            conn = http.client.HTTPConnection(place.netloc, timeout=30)
        conn.request(method, path, body=json.dumps(body) if method == 'POST' else None)
        answer = conn.getresponse()
        text = answer.read().decode()
        conn.close()
        if answer.status != 200:
            raise ValueError(f'{path}: {answer.status} {text}')
        return json.loads(text)

    def settings(self, **changes):
        self.ask('POST', '/__settings', changes)

    def rules(self, rules):
        self.ask('POST', '/__rules', rules)

    def hits(self):
        return [rule['hits'] for rule in self.ask('GET', '/__rules')]

    def revoke(self, which='all'):
        return self.ask('POST', '/__revoke', which)['revoked']

    def counts(self):
        return self.ask('GET', '/__counts')

    def log(self, role=None):
        return [r for r in self.ask('GET', '/__log') if role in (None, r['role'])]

    def forget(self):
        self.ask('POST', '/__forget')

    def reset(self):
        self.ask('POST', '/__reset')

    def client(self, endpoint=None):
        return s3_client.S3(endpoint or self.s3, self.access_key, self.secret_key, self.region)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class FaultProxy:
    """tests/servers/faultproxy in front of a server; its rules are described
    in tests/servers/proxy/rules.h."""

    PROGRAM = os.path.join(os.environ.get('top_builddir', '.'), 'tests', 'servers', 'faultproxy')

    def __init__(self, upstream_endpoint, latency_ms=0):
        self.upstream = urllib.parse.urlsplit(upstream_endpoint).netloc
        self.latency_ms = latency_ms
        self.process = None
        self.endpoint = None

    def start(self):
        self.process = subprocess.Popen([self.PROGRAM, '-d', '-l', str(self.latency_ms), self.upstream],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith('listening '):
            raise AssertionError(f'the fault proxy did not start: {line!r}')
        self.endpoint = 'http://' + line.split()[1]
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None

    def _ask(self, method, path, body=None):
        conn = http.client.HTTPConnection(self.endpoint[len('http://'):], timeout=30)
        conn.request(method, path, body=body)
        answer = conn.getresponse()
        text = answer.read().decode()
        conn.close()
        if answer.status != 200:
            raise ValueError(f'{path}: {answer.status} {text}')
        return json.loads(text)

    def rules(self, rules):
        """Replaces the rules; the counters stay."""
        return self._ask('POST', '/__fault', json.dumps(rules))

    def hits(self):
        """How often each rule was used."""
        return [rule['hits'] for rule in self._ask('GET', '/__fault')]

    def latency(self, ms):
        self._ask('POST', '/__latency', str(ms))

    def stats(self, prefix=''):
        """Sums of what has ended, of the paths that begin with prefix."""
        return self._ask('GET', '/__stats' + (f'?prefix={prefix}' if prefix else ''))

    def log(self):
        return self._ask('GET', '/__log')

    def reset(self):
        """No rules, no latency, counters at 0."""
        self._ask('POST', '/__reset')

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
