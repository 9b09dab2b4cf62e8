# SPDX-License-Identifier: Apache-2.0
"""A small client of Azure's blob service for tests, written apart from the
project's own: SharedKey by the standard library.

    client = Azure('http://127.0.0.1:10000/account', 'account', key)
    client.make_container('c', public=True)
    client.put('c', 'some/key', b'bytes')
"""
import base64
import datetime
import email.utils
import hashlib
import hmac
import http.client
import os
import ssl
import urllib.parse

VERSION = '2023-11-03'
PLAIN = '-._~/'


class Refused(Exception):
    def __init__(self, status, code):
        super().__init__(f'{status} {code}')
        self.status, self.code = status, code


class Azure:
    def __init__(self, endpoint, account, key):
        self.place = urllib.parse.urlsplit(endpoint)
        self.account, self.key = account, base64.b64decode(key)

    def string_to_sign(self, method, path, query, headers, length):
        def line(name):
            return headers.get(name, '')
        words = [method, '', '', str(length or ''), line('content-md5'), line('content-type'), '', '',
                 line('if-match'), line('if-none-match'), '', '']
        text = '\n'.join(words) + '\n'
        text += ''.join(f'{k}:{v}\n' for k, v in sorted(headers.items()) if k.startswith('x-ms-'))
        text += f'/{self.account}{path}'
        return text + ''.join(f'\n{k}:{v}' for k, v in sorted(query.items()))

    def call(self, method, container, key=None, query=None, headers=None, body=b''):
        query, headers = dict(query or {}), dict(headers or {})
        path = f'{self.place.path}/{container}' + ('' if key is None else '/' + urllib.parse.quote(key, safe=PLAIN))
        headers |= {'x-ms-date': email.utils.formatdate(usegmt=True), 'x-ms-version': VERSION}
        text = self.string_to_sign(method, path, query, headers, len(body))
        mac = base64.b64encode(hmac.new(self.key, text.encode(), hashlib.sha256).digest()).decode()
        headers['authorization'] = f'SharedKey {self.account}:{mac}'
        target = path + ('?' + urllib.parse.urlencode(query, quote_via=urllib.parse.quote) if query else '')
        if self.place.scheme == 'https':
            conn = http.client.HTTPSConnection(self.place.netloc, timeout=30,
                                               context=ssl._create_unverified_context())    # noqa: SLF001 -- ours
        else:
            conn = http.client.HTTPConnection(self.place.netloc, timeout=30)
        if method in ('PUT', 'POST'):
            headers['content-length'] = str(len(body))
        conn.request(method, target, body=body or None, headers=headers)
        answer = conn.getresponse()
        data = answer.read()
        found = {k.lower(): v for k, v in answer.getheaders()}
        conn.close()
        if answer.status >= 300:
            raise Refused(answer.status, found.get('x-ms-error-code', ''))
        return found, data

    def make_container(self, name, public=False):
        headers = {'x-ms-blob-public-access': 'container'} if public else {}
        self.call('PUT', name, query={'restype': 'container'}, headers=headers)

    def put(self, container, key, data, **metadata):
        headers = {'x-ms-blob-type': 'BlockBlob', 'content-type': 'application/octet-stream'}
        headers |= {f'x-ms-meta-{k}': v for k, v in metadata.items()}
        self.call('PUT', container, key, headers=headers, body=data)

    def get(self, container, key):
        return self.call('GET', container, key)[1]

    def delete(self, container, key):
        self.call('DELETE', container, key)

    make_bucket = make_container        # as s3_client calls it

    def put_tree(self, container, top, prefix=''):
        for root, _, names in os.walk(top):
            for name in names:
                path = os.path.join(root, name)
                with open(path, 'rb') as f:
                    self.put(container, prefix + os.path.relpath(path, top), f.read())

    def sas(self, permissions='rwdlac', minutes=60, key=None):
        """One of the account: what is appended to a URL."""
        def when(delta):
            at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=delta)
            return at.strftime('%Y-%m-%dT%H:%M:%SZ')
        start, end, version = when(minutes - 120), when(minutes), '2020-12-06'
        text = '\n'.join([self.account, permissions, 'b', 'sco', start, end, '', '', version, '', ''])
        mac = hmac.new(key or self.key, text.encode(), hashlib.sha256).digest()
        return urllib.parse.urlencode({'sv': version, 'ss': 'b', 'srt': 'sco', 'sp': permissions, 'st': start,
                                       'se': end, 'sig': base64.b64encode(mac).decode()})
