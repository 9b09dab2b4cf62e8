# SPDX-License-Identifier: Apache-2.0
"""Google's XML API: generations, preconditions in the dialects that have them,
and gzip that is undone for who does not ask for it."""
import base64
import gzip

import objects
from objects import error
from signing import AWS4, GOOG4, Refused, check_jwt, check_v4
from wire import Answer

DATA_SCOPES = ('https://www.googleapis.com/auth/devstorage.read_only',
               'https://www.googleapis.com/auth/devstorage.read_write',
               'https://www.googleapis.com/auth/devstorage.full_control',
               'https://www.googleapis.com/auth/cloud-platform')
CRC32C = []
CRC32C_MAX_BYTES = 1 << 16


def crc32c(data):
    """None of what is large: a byte at a time takes a second for 5 MiB."""
    if len(data) > CRC32C_MAX_BYTES:
        return None
    if not CRC32C:
        for n in range(256):
            for _ in range(8):
                n = (n >> 1) ^ (0x82f63b78 if n & 1 else 0)
            CRC32C.append(n)
    crc = 0xffffffff
    for byte in data:
        crc = (crc >> 8) ^ CRC32C[(crc ^ byte) & 0xff]
    return base64.b64encode((crc ^ 0xffffffff).to_bytes(4, 'big')).decode()


def check_mix(request, foreign, own):
    """Headers of both dialects in one request."""
    if any(n.startswith(foreign) for n, _ in request.headers):
        raise Refused(400, 'ExcessHeaderValues', f'Some headers are {foreign}*, others {own}*')


def bearer(state, request):
    """A token that was issued here, or a JWT that the service account signed for itself (AIP-4111)."""
    token = request.get('authorization').split(' ', 1)[1]
    known = state.bearers.get(token)
    if known:
        if not known.is_good(state.now_s()):
            known.refusals += 1
            raise Refused(401, 'AuthenticationRequired', 'the token has expired')
        known.uses += 1
        state.count(f'bearer.{known.source}')
        return
    try:
        header, claims = check_jwt(token, state.settings['google_public_key'], state.now_s())
        if claims.get('iss') != claims.get('sub') or not header.get('kid'):
            raise ValueError('iss, sub and kid')
        if 'aud' in claims and claims.get('aud') != 'https://storage.googleapis.com/':
            raise ValueError('its audience is another')
        if 'aud' not in claims and not set(claims.get('scope', '').split()) & set(DATA_SCOPES):
            raise ValueError('no scope of storage')
    except (ValueError, AttributeError) as e:
        raise Refused(401, 'AuthenticationRequired', f'no token of ours: {e}') from None
    state.count('bearer.self_signed')


def authorize(state, request):
    """Whether x-goog-if-* count: not in Amazon's dialect."""
    authorization = request.get('authorization')
    if authorization is None:
        if not state.settings['anonymous']:
            raise Refused(403, 'AccessDenied', 'Anonymous caller does not have access')
        return True
    if authorization.startswith(AWS4['algorithm']):
        check_mix(request, 'x-goog-', 'x-amz-')
        state.count(f'key.{check_v4(state, request, AWS4)[0].source}')
        return False
    check_mix(request, 'x-amz-', 'x-goog-')
    if authorization.startswith(GOOG4['algorithm']):
        state.count(f'key.{check_v4(state, request, GOOG4)[0].source}')
    elif authorization.startswith('Bearer '):
        bearer(state, request)
    else:
        raise Refused(401, 'AuthenticationRequired')
    return True


def check_generation(state, request, found, is_honoured):
    wanted = request.get('x-goog-if-generation-match') if is_honoured else None
    if wanted is None or not state.settings['conditions']:
        return
    if not wanted.isdigit():
        raise Refused(400, 'InvalidArgument')
    if int(wanted) != (found.generation if found else 0):
        raise Refused(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold.')


def headers_of(found):
    """Two lines of x-goog-hash, as it sends them."""
    headers = [(n, v) for n, v in found.headers if n in ('content-type', 'cache-control')
               or n.startswith('x-goog-meta-')]
    headers += [('ETag', f'"{found.etag}"'), ('x-goog-generation', str(found.generation)),
                ('x-goog-metageneration', '1'),
                ('x-goog-stored-content-length', str(len(found.data))),
                ('x-goog-stored-content-encoding', found.header('content-encoding') or 'identity')]
    crc = crc32c(found.data)
    if crc:
        headers.append(('x-goog-hash', f'crc32c={crc}'))
    if found.md5:
        headers.append(('x-goog-hash', f'md5={base64.b64encode(found.md5).decode()}'))
    return headers


def read(request, found):
    generation = request.args.get('generation')
    if found is None or (generation is not None and generation != str(found.generation)):
        return error(404, 'NoSuchKey')
    headers = headers_of(found)
    if found.header('content-encoding') != 'gzip':
        return objects.serve(found, request, headers)
    if 'gzip' in (request.get('accept-encoding') or ''):
        return objects.serve(found, request, [*headers, ('Content-Encoding', 'gzip')])
    # Undone for who did not ask: whatever range is wanted, the whole, of no length that is told.
    whole = Answer(200, [*headers, ('Warning', '214 UploadServer gunzipped'),
                         ('x-guploader-response-body-transformations', 'gunzipped')], gzip.decompress(found.data))
    whole.is_chunked = True
    return whole


def of_bucket(state, request, name):
    if request.method == 'PUT':
        state.buckets.make(name)
        return Answer()
    if name not in state.buckets:
        return error(404, 'NoSuchBucket')
    if request.method == 'HEAD':
        return Answer()
    if request.method == 'GET' and request.args.get('list-type') == '2':
        return objects.list_answer(state, request, state.buckets[name], lambda found: (
            f'<Generation>{found.generation}</Generation><MetaGeneration>1</MetaGeneration>'))
    return error(501, 'NotImplemented')


def of_object(state, request, name, key, is_honoured):
    if name not in state.buckets:
        return error(404, 'NoSuchBucket')
    bucket = state.buckets[name]
    # No preconditions for an upload in parts.
    part = objects.upload_answer(state, request, name, key, lambda: None)
    if part:
        return part
    found = bucket.objects.get(key)
    check_generation(state, request, found, is_honoured)
    if request.method in ('GET', 'HEAD'):
        return read(request, found)
    if request.method == 'PUT':
        return Answer(headers=headers_of(state.buckets.put(name, key, request.body, request.headers)))
    if request.method == 'DELETE':
        return Answer(204) if bucket.objects.pop(key, None) else error(404, 'NoSuchKey')
    return error(405, 'MethodNotAllowed')


def answer(state, request):
    name, key = objects.place_of(request)
    try:
        is_honoured = authorize(state, request)
        if key:
            return of_object(state, request, name, key, is_honoured)
        return of_bucket(state, request, name)
    except Refused as e:
        return error(e.status, e.code, e.message, e.extra, e.headers)
