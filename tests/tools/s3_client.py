#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small S3 client for tests, standard library only: an implementation of its
own of Signature Version 4, so that it checks the program's.

  s3_client.py make-bucket BUCKET
  s3_client.py put-tree BUCKET DIR [PREFIX]     every file below DIR as an object
  s3_client.py put BUCKET KEY FILE | delete BUCKET KEY | head BUCKET KEY | list BUCKET [PREFIX]

Environment: S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, S3_REGION.
"""
import datetime
import hashlib
import hmac
import http.client
import os
import sys
import threading
import urllib.parse
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

UPLOAD_THREADS = 16


class S3Error(Exception):
    def __init__(self, status, body):
        super().__init__(f'{status}: {body[:300]!r}')
        self.status = status


class S3:
    def __init__(self, endpoint=None, key=None, secret=None, region=None):
        e = os.environ
        self.endpoint = endpoint or e['S3_ENDPOINT']
        self.key = key or e['AWS_ACCESS_KEY_ID']
        self.secret = secret or e['AWS_SECRET_ACCESS_KEY']
        self.region = region or e.get('S3_REGION', 'us-east-1')
        self.host = urllib.parse.urlsplit(self.endpoint).netloc
        self.local = threading.local()

    def _signature(self, stamp, scope, canonical):
        text = '\n'.join(['AWS4-HMAC-SHA256', stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        k = ('AWS4' + self.secret).encode()
        for part in (*scope.split('/'), text):
            k = hmac.new(k, part.encode(), hashlib.sha256).digest()
        return k.hex()

    def _sign(self, method, path, query, payload_hash):
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = now.strftime('%Y%m%dT%H%M%SZ'), now.strftime('%Y%m%d')
        headers = {'host': self.host, 'x-amz-content-sha256': payload_hash, 'x-amz-date': stamp}
        names = ';'.join(sorted(headers))
        canonical = '\n'.join([method, path, query, *(f'{k}:{headers[k]}' for k in sorted(headers)), '', names,
                               payload_hash])
        scope = f'{day}/{self.region}/s3/aws4_request'
        headers['authorization'] = (f'AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, '
                                    f'Signature={self._signature(stamp, scope, canonical)}')
        return headers

    def call(self, method, bucket, key='', query=(), body=b'', headers=None):
        quote = lambda s: urllib.parse.quote(s, safe='-._~')
        raw = f'/{bucket}' + (f'/{key}' if key else '')
        path = urllib.parse.quote(raw, safe='/-._~')
        q = '&'.join(sorted(f'{quote(k)}={quote(v)}' for k, v in query))
        signed = self._sign(method, path, q, hashlib.sha256(body).hexdigest())
        signed.update(headers or {})
        for attempt in (0, 1):
            conn = getattr(self.local, 'conn', None)
            if conn is None:
                conn = self.local.conn = http.client.HTTPConnection(self.host, timeout=120)
            try:
                conn.putrequest(method, path + ('?' + q if q else ''), skip_host=True, skip_accept_encoding=True)
                for k, v in signed.items():
                    conn.putheader(k, v)
                conn.putheader('content-length', str(len(body)))
                conn.endheaders(body)
                rs = conn.getresponse()
                data = rs.read()
                break
            except (http.client.HTTPException, OSError):
                conn.close()
                self.local.conn = None
                if attempt:
                    raise
        if rs.status >= 300:
            raise S3Error(rs.status, data)
        return rs, data

    def presign(self, bucket, key, seconds=86400):
        """A URL that gets the object without a signed header, for that long."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime('%Y%m%dT%H%M%SZ')
        return self.presigned(urllib.parse.quote(f'/{bucket}/{key}', safe='/-._~'), now, seconds)

    def presigned(self, path, stamp, seconds):
        scope = f'{stamp[:8]}/{self.region}/s3/aws4_request'
        credential = urllib.parse.quote(f'{self.key}/{scope}', safe='')
        query = (f'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={stamp}'
                 f'&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host')
        canonical = f'GET\n{path}\n{query}\nhost:{self.host}\n\nhost\nUNSIGNED-PAYLOAD'
        return f'{self.endpoint}{path}?{query}&X-Amz-Signature={self._signature(stamp, scope, canonical)}'

    def make_bucket(self, bucket):
        self.call('PUT', bucket)

    def put(self, bucket, key, data, **headers):
        return self.call('PUT', bucket, key, body=data, headers=headers)[0].getheader('etag')

    def get(self, bucket, key):
        return self.call('GET', bucket, key)[1]

    def head(self, bucket, key):
        rs, _ = self.call('HEAD', bucket, key)
        return {'size': int(rs.getheader('content-length')), 'etag': rs.getheader('etag')}

    def delete(self, bucket, key):
        self.call('DELETE', bucket, key)

    def list(self, bucket, prefix=''):
        ns, token = '{http://s3.amazonaws.com/doc/2006-03-01/}', None
        while True:
            query = [('list-type', '2'), ('prefix', prefix)] + ([('continuation-token', token)] if token else [])
            root = ET.fromstring(self.call('GET', bucket, query=query)[1])
            for c in root.iter(ns + 'Contents'):
                yield c.find(ns + 'Key').text, int(c.find(ns + 'Size').text)
            token = root.findtext(ns + 'NextContinuationToken')
            if not token:
                return

    def put_tree(self, bucket, top, prefix=''):
        """Every file below top; returns how many."""
        files = []
        for root, _dirs, names in os.walk(top):
            files += [os.path.join(root, n) for n in names]

        def one(path):
            key = prefix + os.path.relpath(path, top)
            with open(path, 'rb') as f:
                data = f.read()
            self.put(bucket, os.fsencode(key).decode('utf-8'), data)

        with ThreadPoolExecutor(UPLOAD_THREADS) as pool:
            for _ in pool.map(one, files):
                pass
        return len(files)


def main(argv):
    s3 = S3()
    verb, args = argv[1], argv[2:]
    if verb == 'make-bucket':
        s3.make_bucket(args[0])
    elif verb == 'put-tree':
        print(s3.put_tree(args[0], args[1], args[2] if len(args) > 2 else ''))
    elif verb == 'put':
        with open(args[2], 'rb') as f:
            print(s3.put(args[0], args[1], f.read()))
    elif verb == 'delete':
        s3.delete(*args)
    elif verb == 'head':
        print(s3.head(*args))
    elif verb == 'list':
        for key, size in s3.list(*args):
            print(size, key)
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main(sys.argv)
