#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signatures of GOOG4-HMAC-SHA256, computed apart from the program.

Google publishes no vectors of it.  This prints those of tests/unit/sigv4_test.c:
the scheme of https://cloud.google.com/storage/docs/authentication/signatures,
with the canonical request in one f-string and nothing shared with sigv4.c.  The
two named lua-* are also what another implementation (the tests of the public
lua-resty-gcs-signature) says of the same requests.
"""
import hashlib
import hmac
from urllib.parse import quote

EMPTY = hashlib.sha256(b'').hexdigest()


def signature(method, host, path, query, headers, payload, stamp, secret):
    headers = {'host': host, 'x-goog-content-sha256': payload, 'x-goog-date': stamp, **headers}
    names = sorted(headers)
    words = sorted((quote(k, safe='-._~'), quote(v, safe='-._~')) for k, v in query.items())
    query = '&'.join(f'{k}={v}' for k, v in words)
    lines = ''.join(f'{name}:{headers[name]}\n' for name in names)
    canonical = (f'{method}\n{quote(path, safe="/-._~")}\n{query}\n'
                 f'{lines}\n{";".join(names)}\n{payload}')
    scope = f'{stamp[:8]}/auto/storage/goog4_request'
    text = f'GOOG4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}'
    key = b'GOOG4' + secret.encode()
    for part in scope.split('/'):
        key = hmac.new(key, part.encode(), 'sha256').digest()
    return hmac.new(key, text.encode(), 'sha256').hexdigest()


LUA = ('20241121T023539Z', 'YYYYY')
OWN = ('20260102T030405Z', 'bGoa+V7g/yqDXvKRqq+JTFn4uQZbPiQJo4pf9RzJ')
VECTORS = {
    'lua-unsigned': ('GET', 'example.com', '/foo/bar', {}, {}, 'UNSIGNED-PAYLOAD', *LUA),
    'lua-signed': ('GET', 'example.com', '/foo/bar', {}, {},
                   'b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c', *LUA),
    'range-of-a-generation': ('GET', 'bkt.storage.googleapis.com', '/a b/\u00fc+(1).bin',
                              {'generation': '1732156539000123'}, {'range': 'bytes=0-9'},
                              EMPTY, *OWN),
    'create-only': ('PUT', 'storage.googleapis.com', '/bkt/p/k', {},
                    {'content-md5': '1B2M2Y8AsgTpgAmY7PhCfg==',
                     'content-type': 'application/json', 'x-goog-if-generation-match': '0'},
                    EMPTY, *OWN),
    'list': ('GET', 'storage.googleapis.com', '/bkt',
             {'prefix': 'p/\u00e9 &', 'list-type': '2', 'encoding-type': 'url', 'uploads': ''},
             {}, EMPTY, *OWN),
}

if __name__ == '__main__':
    for name, vector in VECTORS.items():
        print(name, signature(*vector))
