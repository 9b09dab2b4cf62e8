# SPDX-License-Identifier: Apache-2.0
"""A service that answers as OSMO's (up to release 6.3) about datasets: what an
import asks of it, and nothing else."""
import http.server
import json
import threading
import urllib.parse


class Service:
    """Datasets are infos as the service gives them; `listed` of them by last_created.
    token: what Authorization must be.  fail: statuses to answer with before the next right answer."""

    def __init__(self, infos, token=None, user=None, page=1000):
        self.infos, self.token, self.user, self.page = infos, token, user, page
        self.fail, self.asked, self.gone = [], [], set()
        self.lock = threading.Lock()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *args):
                pass

            def do_GET(self):
                service.answer(self)

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        target = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(target.query))
        with self.lock:
            self.asked.append((target.path, query, dict(request.headers)))
            status = self.fail.pop(0) if self.fail else 200
        body = {'message': 'injected'}
        if status == 200:
            status, body = self.route(target.path, query, request.headers)
        text = json.dumps(body, indent=4).encode()
        request.send_response(status)
        request.send_header('Content-Length', str(len(text)))
        if status == 302:
            request.send_header('Location', 'https://login.example.com/')
        if status == 429:
            request.send_header('Retry-After', '0')
        request.end_headers()
        request.wfile.write(text)

    def route(self, path, query, headers):
        if self.token and headers.get('Authorization') != 'Bearer ' + self.token:
            return 401, {'message': 'token expired'}
        if self.user and headers.get('x-osmo-user') != self.user:
            return 302, {}
        if path == '/api/bucket/list_dataset':
            return 200, {'datasets': self.listed(query)}
        parts = path.split('/')
        if parts[:3] == ['', 'api', 'bucket'] and len(parts) == 7 and parts[4] == 'dataset' and parts[6] == 'info':
            return self.info(parts[3], parts[5], query)
        return 404, {'message': 'Not Found'}

    def listed(self, query):
        found = [i for i in self.infos if i['bucket'] == query['buckets']]
        if 'latest_before' in query:
            found = [i for i in found if i['last_created'] < query['latest_before']]
        found.sort(key=lambda i: i['last_created'], reverse=query.get('order') == 'DESC')
        if query.get('all_users') != 'true':
            found = []
        keys = ('name', 'id', 'bucket', 'last_created', 'hash_location', 'hash_location_size', 'type')
        return [dict({k: i[k] for k in keys}, create_time=i['created_date'], version_id=None)
                for i in found[:min(self.page, int(query['count']))]]

    def info(self, bucket, name, query):
        for i in self.infos:
            if (i['bucket'], i['name']) == (bucket, name) and name not in self.gone:
                count = int(query.get('count', 100)) or len(i['versions'])
                return 200, dict({k: v for k, v in i.items() if k != 'last_created'}, versions=i['versions'][:count])
        return 400, {'message': f'There is no dataset {name} in bucket {bucket}.', 'error_code': 'USER'}


def dataset(bucket, name, n_versions, number=0, tags=()):
    """An info with so many versions."""
    ident = f'{name}{number}'.ljust(22, 'x')
    when = f'2026-05-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}'
    prefix = f's3://prod/data/{ident}'
    versions = [{'name': name, 'version': str(v), 'status': 'READY', 'created_by': 'ada', 'created_date': when,
                 'last_used': when, 'size': v, 'checksum': 'd41d8cd98f00b204e9800998ecf8427e',
                 'location': f'{prefix}/manifests/{v}.json', 'uri': f'{prefix}/manifests/{v}.json', 'metadata': {},
                 'tags': list(tags) + ['latest'] if v == n_versions else [], 'collections': []}
                for v in range(1, n_versions + 1)]
    return {'name': name, 'id': ident, 'bucket': bucket, 'created_by': 'ada', 'created_date': when,
            'last_created': when, 'hash_location': prefix + '/hashes', 'hash_location_size': 1, 'labels': {},
            'type': 'DATASET', 'versions': versions}
