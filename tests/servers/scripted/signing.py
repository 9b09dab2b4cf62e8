# SPDX-License-Identifier: Apache-2.0
"""Signatures, checked from what was on the wire: Version 4 in both its
dialects, and JWTs by the openssl command."""
import base64
import binascii
import calendar
import functools
import hashlib
import hmac
import json
import re
import subprocess
import tempfile
import time
import urllib.parse

SKEW_MAX_S = 900

AWS4 = {'algorithm': 'AWS4-HMAC-SHA256', 'key': 'AWS4', 'end': 'aws4_request', 'prefix': 'x-amz-'}
GOOG4 = {'algorithm': 'GOOG4-HMAC-SHA256', 'key': 'GOOG4', 'end': 'goog4_request', 'prefix': 'x-goog-'}


class Refused(Exception):
    """code as the store names it; status; what else the answer says."""

    def __init__(self, status, code, message='', extra='', headers=()):
        super().__init__(code)
        self.status, self.code, self.message, self.extra, self.headers = status, code, message, extra, headers


def canonical_query(query):
    pairs = []
    for item in query.split('&') if query else []:
        name, _, value = item.partition('=')
        pairs.append((name, value))
    return '&'.join(f'{n}={v}' for n, v in sorted(pairs))


def check_encoding(request):
    """What is signed is what is sent: once encoded, as the rules say."""
    path = urllib.parse.quote(urllib.parse.unquote_to_bytes(request.path), safe='/-._~')
    if path != request.path:
        raise Refused(403, 'SignatureDoesNotMatch', f'the path is not in its canonical encoding: {path}')
    for item in request.query.split('&') if request.query else []:
        for text in item.partition('=')[::2]:
            if urllib.parse.quote(urllib.parse.unquote_to_bytes(text), safe='-._~') != text:
                raise Refused(403, 'SignatureDoesNotMatch', f'the query is not in its canonical encoding: {item}')


def canonical_request(request, signed):
    lines = []
    for name in signed:
        values = [' '.join(v.split()) for n, v in request.headers if n == name]
        if not values:
            raise Refused(403, 'SignatureDoesNotMatch', f'signed and not sent: {name}')
        lines.append(f'{name}:{",".join(values)}')
    return lines


def signature(kind, secret, stamp, scope, canonical):
    key = (kind['key'] + secret).encode()
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    for part in (*scope.split('/'), '\n'.join([kind['algorithm'], stamp, scope, digest])):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def check_time(stamp, now_s):
    try:
        sent_s = calendar.timegm(time.strptime(stamp, '%Y%m%dT%H%M%SZ'))
    except ValueError:
        raise Refused(403, 'AccessDenied', 'no date') from None
    if abs(sent_s - now_s) > SKEW_MAX_S:
        raise Refused(403, 'RequestTimeTooSkewed', 'The difference between the request time and the current time is '
                                                   'too large.')


def check_v4(state, request, kind):
    """The Known key that signed it."""
    authorization = request.get('authorization')
    found = re.fullmatch(kind['algorithm'] + r' +Credential=(.*?)/(\d{8})/([^/]+)/([^/]+)/([^/,]+), *'
                         r'SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})', authorization)
    if not found:
        raise Refused(400, 'AuthorizationHeaderMalformed', 'The authorization header is malformed')
    name, day, region, service, end, headers, given = found.groups()
    stamp = request.get(kind['prefix'] + 'date') or ''
    check_time(stamp, state.now_s())
    known = state.find_key(name)
    if not known:
        raise Refused(403, 'InvalidAccessKeyId', 'The key Id you provided does not exist in our records.')
    check_encoding(request)
    signed = headers.split(';')
    check_signed_headers(request, signed, kind)
    payload = request.get(kind['prefix'] + 'content-sha256') or ''
    if service == 'sts' and not payload:        # only S3 wants it said
        payload = hashlib.sha256(request.body).hexdigest()
    if payload not in ('UNSIGNED-PAYLOAD', hashlib.sha256(request.body).hexdigest()):
        raise Refused(400, 'XAmzContentSHA256Mismatch', 'The provided content-sha256 header does not match')
    canonical = '\n'.join([request.method, request.path, canonical_query(request.query),
                           *canonical_request(request, signed), '', headers, payload])
    scope = f'{day}/{region}/{service}/{end}'
    if end != kind['end'] or not stamp.startswith(day) or \
            not hmac.compare_digest(given, signature(kind, known.secret, stamp, scope, canonical)):
        known.refusals += 1
        raise Refused(403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match',
                      extra=f'<StringToSign>{known.secret}</StringToSign>')
    check_standing(state, request, known, kind)
    known.uses += 1
    return known, region


def check_signed_headers(request, signed, kind):
    if signed != sorted(signed) or 'host' not in signed:
        raise Refused(403, 'SignatureDoesNotMatch', 'SignedHeaders is not in order, or without host')
    for name, _ in request.headers:
        if name.startswith(kind['prefix']) and name not in signed:
            raise Refused(403, 'AccessDenied', f'There were headers present in the request which were not signed: '
                                               f'{name}')


def check_standing(state, request, known, kind):
    """Whether the key is good still, and came with its token."""
    if known.token is not None and request.get(kind['prefix'] + 'security-token') != known.token:
        known.refusals += 1
        raise Refused(400 if request.get(kind['prefix'] + 'security-token') else 403,
                      'InvalidToken' if request.get(kind['prefix'] + 'security-token') else 'InvalidAccessKeyId')
    if known.token is None and request.get(kind['prefix'] + 'security-token') is not None:
        raise Refused(400, 'InvalidToken', 'The provided token is malformed or otherwise invalid.')
    if not known.is_good(state.now_s()):
        known.refusals += 1
        raise Refused(400, 'ExpiredToken', 'The provided token has expired.')


# JWT

def from_base64url(text):
    try:
        return base64.b64decode(text + '=' * (-len(text) % 4), b'-_', validate=True)
    except binascii.Error as e:
        raise ValueError(f'no base64url: {e}') from None


@functools.lru_cache(maxsize=64)
def rs256_is_good(public_key, signed, signature_bytes):
    with tempfile.NamedTemporaryFile() as key, tempfile.NamedTemporaryFile() as sig:
        key.write(public_key.encode())
        key.flush()
        sig.write(signature_bytes)
        sig.flush()
        p = subprocess.run(['openssl', 'dgst', '-sha256', '-verify', key.name, '-signature', sig.name],
                           input=signed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return p.returncode == 0


def check_jwt(text, public_key, now_s):
    """Header and claims of a JWT that is signed with the key and good now; ValueError says what is wrong."""
    parts = text.split('.')
    if len(parts) != 3:
        raise ValueError('a JWT has three parts')
    header, claims = (json.loads(from_base64url(part)) for part in parts[:2])
    if header.get('alg') != 'RS256' or header.get('typ') != 'JWT':
        raise ValueError(f'its header is {header}')
    if public_key and not rs256_is_good(public_key, f'{parts[0]}.{parts[1]}'.encode(), from_base64url(parts[2])):
        raise ValueError('its signature is wrong')
    issued_s, expires_s = claims.get('iat'), claims.get('exp')
    if not isinstance(issued_s, int) or not isinstance(expires_s, int):
        raise ValueError('iat and exp must be numbers')
    if issued_s > now_s + 60 or expires_s <= now_s or expires_s - issued_s > 3600:
        raise ValueError(f'it is good from {issued_s} to {expires_s}, and it is {int(now_s)}')
    return header, claims
