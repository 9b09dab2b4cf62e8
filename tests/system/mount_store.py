# SPDX-License-Identifier: Apache-2.0
"""A store that can be made to wait: GET and HEAD of the files of one folder, as
an S3 server answers them, but not before its gate is open.

    with Store(folder) as store:
        store.close_gate() ... store.open_gate()
        store.be_busy() ... store.be_idle()         # 503 SlowDown
        store.have_hiccups()        # one answer in HICCUP_EVERY comes late

The server is a process of its own: tests fork.
"""
import hashlib
import http.server
import itertools
import os
import re
import subprocess
import sys
import time
import urllib.parse

PREFIX = '/store/p/'
HICCUP_EVERY, HICCUP_SECONDS = 40, 3


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, with_body):
        while self.waits():
            time.sleep(0.1)
        if os.path.exists(self.server.busy):
            return self.refuse(503, 'SlowDown')
        if os.path.exists(self.server.hiccups) and next(self.server.count) % HICCUP_EVERY == 0:
            time.sleep(HICCUP_SECONDS)
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if not path.startswith(PREFIX):
            return self.refuse(404, 'NoSuchKey')
        try:
            with open(os.path.join(self.server.folder, path[len(PREFIX):]), 'rb') as f:
                data = f.read()
        except OSError:
            return self.refuse(404, 'NoSuchKey')
        etag = hashlib.md5(data).hexdigest()
        if self.headers.get('If-Match', etag).strip('"') != etag:
            return self.refuse(412, 'PreconditionFailed')
        wanted = re.fullmatch(r'bytes=(\d+)-(\d+)', self.headers.get('Range', ''))
        first, last = 0, len(data) - 1
        if wanted:
            first, last = int(wanted[1]), min(int(wanted[2]), last)
        part = data[first:last + 1]
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header('Content-Range', f'bytes {first}-{last}/{len(data)}')
        self.send_header('Content-Length', str(len(part)))
        self.send_header('ETag', f'"{etag}"')
        self.end_headers()
        if with_body:
            self.wfile.write(part)

    def waits(self):
        try:
            with open(self.server.gate) as f:
                return f.read() in self.path
        except FileNotFoundError:
            return False

    def refuse(self, status, code):
        body = f'<Error><Code>{code}</Code></Error>'.encode()
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        pass        # the daemon hung up on a request that it had given up


class Store:
    """Objects of s3://store/p are the files of folder."""

    uri = 's3://store/p'

    def __init__(self, folder):
        self.folder = str(folder)
        self.gate = self.folder + '.closed'
        self.busy = self.folder + '.busy'
        self.hiccups = self.folder + '.hiccups'

    def __enter__(self):
        self.open_gate()
        self.be_idle()
        self.have_no_hiccups()
        self.process = subprocess.Popen([sys.executable, __file__, self.folder, self.gate, self.busy, self.hiccups],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def close_gate(self, only=''):
        """For all that has that in its path."""
        with open(self.gate + '.new', 'w') as f:
            f.write(only)
        os.replace(self.gate + '.new', self.gate)

    def open_gate(self):
        if os.path.exists(self.gate):
            os.unlink(self.gate)

    def be_busy(self):
        with open(self.busy, 'w'):
            pass

    def be_idle(self):
        if os.path.exists(self.busy):
            os.unlink(self.busy)

    def have_hiccups(self):
        with open(self.hiccups, 'w'):
            pass

    def have_no_hiccups(self):
        if os.path.exists(self.hiccups):
            os.unlink(self.hiccups)

    def bucket(self):
        """As write_config() wants it."""
        return {'dataset_path': self.uri, 'mode': 'read-only', 'region': 'us-east-1',
                'default_credential': self.credential()}

    def credential(self):
        return {'access_key_id': 'id', 'access_key': 'key', 'region': 'us-east-1',
                'override_url': f'http://127.0.0.1:{self.port}', 'addressing_style': 'path'}


if __name__ == '__main__':
    server = Server(('127.0.0.1', 0), Handler)
    server.folder, server.gate, server.busy, server.hiccups = sys.argv[1:]
    server.count = itertools.count(1)
    print(server.server_address[1], flush=True)
    server.serve_forever()
