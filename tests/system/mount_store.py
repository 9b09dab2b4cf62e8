# SPDX-License-Identifier: Apache-2.0
"""A store that can be made to wait: GET and HEAD of the files of one folder,
as an S3 server answers them, but not before its gate is open."""
import hashlib
import http.server
import os
import re
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, with_body):
        store = self.server.store
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        with store.lock:
            store.requests.append(path)
        if store.stalls(path):
            store.gate.wait()
        if not path.startswith(store.prefix):
            return self.refuse(404, 'NoSuchKey')
        try:
            with open(os.path.join(store.folder, path[len(store.prefix):]), 'rb') as f:
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
            with store.lock:
                store.bytes_sent += len(part)

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
    """As a context manager; objects of s3://store/p are files of folder."""

    uri = 's3://store/p'
    prefix = '/store/p/'

    def __init__(self, folder):
        self.folder = str(folder)
        self.lock = threading.Lock()
        self.requests = []
        self.bytes_sent = 0
        self.gate = threading.Event()
        self.gate.set()
        self.stalls = lambda path: True

    def __enter__(self):
        self.server = Server(('127.0.0.1', 0), Handler)
        self.server.store = self
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    def credential(self):
        host, port = self.server.server_address
        return {'access_key_id': 'id', 'access_key': 'key', 'region': 'us-east-1',
                'override_url': f'http://{host}:{port}', 'addressing_style': 'path'}
