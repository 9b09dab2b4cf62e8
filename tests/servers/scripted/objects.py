# SPDX-License-Identifier: Apache-2.0
"""Objects with generations, and what both XML dialects do with them: ranges,
lists, uploads in parts."""
import email.utils
import hashlib
import time
import urllib.parse
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

from wire import Answer

NS = 'http://s3.amazonaws.com/doc/2006-03-01/'


class Object:
    def __init__(self, data, generation, headers, etag=None):
        self.data, self.generation, self.headers = data, generation, headers
        self.md5 = hashlib.md5(data).digest() if etag is None else None     # none of a whole made of parts
        self.etag = etag or self.md5.hex()
        self.mtime_s = time.time()

    def header(self, name):
        return next((v for n, v in self.headers if n == name), None)


class Bucket:
    def __init__(self):
        self.objects = {}       # key in bytes -> Object
        self.uploads = {}       # id -> (key, headers, {number: data})


class Buckets(dict):
    last_generation = 1700000000000000
    last_upload = 0

    def make(self, name):
        self.setdefault(name, Bucket())

    def next_generation(self):
        self.last_generation += 1
        return self.last_generation

    def put(self, bucket, key, data, headers, etag=None):
        found = Object(data, self.next_generation(), headers, etag)
        self[bucket].objects[key] = found
        return found


def place_of(request):
    """(bucket, key in bytes or b'') of a path; the host may name the bucket
    (BUCKET.localhost:PORT)."""
    path = request.path.lstrip('/') if request.path in ('', '/') else request.path[1:]
    host = (request.get('host') or '').rsplit(':', 1)[0]
    if host.endswith('.localhost'):
        return host[:-len('.localhost')], urllib.parse.unquote_to_bytes(path)
    bucket, _, key = path.partition('/')
    return urllib.parse.unquote(bucket), urllib.parse.unquote_to_bytes(key)


def error(status, code, message='', extra='', headers=()):
    body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{escape(message)}</Message>'
            f'{extra}<RequestId>TEST</RequestId></Error>')
    return Answer(status, [('Content-Type', 'application/xml'), *headers], body.encode())


def xml(body):
    return Answer(headers=[('Content-Type', 'application/xml')],
                  body=f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode())


def unquoted(etag):
    return etag.strip().strip('"') if etag is not None else None


def wanted_range(header, size):
    """(first, last) of one range, None to ignore it, False where it is none of the object."""
    if not header or not header.startswith('bytes=') or ',' in header:
        return None
    first, dash, last = header[6:].partition('-')
    if not dash or not (first + last).isdigit():
        return None
    if not first:
        return (max(size - int(last), 0), size - 1) if int(last) and size else False
    if int(first) >= size or (last and int(last) < int(first)):
        return None if last and int(last) < int(first) else False
    return int(first), min(int(last), size - 1) if last else size - 1


def serve(found, request, headers, data=None):
    """The answer to GET or HEAD of an object, as both dialects give it."""
    data = found.data if data is None else data
    headers = [('Last-Modified', email.utils.formatdate(found.mtime_s, usegmt=True)),
               ('Accept-Ranges', 'bytes'), *headers]
    if request.get('if-match') not in (None, '*') and unquoted(request.get('if-match')) != found.etag:
        return error(412, 'PreconditionFailed')
    if unquoted(request.get('if-none-match')) == found.etag:
        return Answer(304, headers)
    span = wanted_range(request.get('range'), len(data))
    if span is False:
        return error(416, 'InvalidRange', headers=[('Content-Range', f'bytes */{len(data)}')])
    if span is None:
        return Answer(200, headers, data)
    headers.append(('Content-Range', f'bytes {span[0]}-{span[1]}/{len(data)}'))
    return Answer(206, headers, data[span[0]:span[1] + 1])


# Lists

def page_of(bucket, prefix, delimiter, after, max_keys):
    """[(name, Object or None for a common prefix)] behind after, and whether there are more."""
    found = []
    for key in sorted(bucket.objects):
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        name = key if at < 0 else key[:at + len(delimiter)]
        if name <= after or (found and found[-1][0] == name):
            continue
        if len(found) == max_keys:
            return found, True
        found.append((name, bucket.objects[key] if at < 0 else None))
    return found, False


def text_of(name, is_encoded):
    """As AWS encodes: a space is a plus."""
    return urllib.parse.quote_plus(name, safe='/-._~*') if is_encoded else escape(name.decode('utf-8', 'replace'))


def list_answer(state, request, bucket, extra=lambda found: ''):
    """list-type=2; the token is the last name in hexadecimal, behind an "e" for an empty page."""
    args = {k: v.encode() for k, v in request.args.items()}
    token = args.get('continuation-token', b'').decode()
    is_encoded = args.get('encoding-type') == b'url'
    max_keys = max(0, min(int(args.get('max-keys', b'1000')), state.settings['page_max']))
    try:
        after = bytes.fromhex(token.lstrip('e')) if token else args.get('start-after', b'')
    except ValueError:
        return error(400, 'InvalidArgument', 'The continuation token provided is incorrect')
    if state.settings['empty_pages'] and not token.startswith('e'):
        found, is_more, next_token = [], True, 'e' + after.hex()
    else:
        found, is_more = page_of(bucket, args.get('prefix', b''), args.get('delimiter', b''), after, max_keys)
        next_token = found[-1][0].hex() if found else ''
        if state.settings['repeat_token'] and token:
            next_token, is_more = token, True
    parts = [f'<ListBucketResult xmlns="{NS}"><KeyCount>{len(found)}</KeyCount><MaxKeys>{max_keys}</MaxKeys>',
             f'<IsTruncated>{"true" if is_more else "false"}</IsTruncated>',
             '<EncodingType>url</EncodingType>' if is_encoded else '',
             f'<NextContinuationToken>{next_token}</NextContinuationToken>' if is_more else '']
    for name, it in found:
        text = text_of(name, is_encoded)
        if it is None:
            parts.append(f'<CommonPrefixes><Prefix>{text}</Prefix></CommonPrefixes>')
        else:
            stamp = time.strftime('%Y-%m-%dT%H:%M:%S.000Z', time.gmtime(it.mtime_s))
            parts.append(f'<Contents><Key>{text}</Key><LastModified>{stamp}</LastModified>'
                         f'<ETag>&quot;{it.etag}&quot;</ETag><Size>{len(it.data)}</Size>{extra(it)}'
                         '<StorageClass>STANDARD</StorageClass></Contents>')
    return xml(''.join(parts) + '</ListBucketResult>')


# Uploads in parts

def start_upload(state, bucket_name, key, headers):
    state.buckets.last_upload += 1
    upload_id = f'upload-{state.buckets.last_upload}'
    state.buckets[bucket_name].uploads[upload_id] = (key, headers, {})
    return xml(f'<InitiateMultipartUploadResult><UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>')


def put_part(parts, args, body):
    number = int(args['partNumber'])
    if not 1 <= number <= 10000:
        return error(400, 'InvalidArgument', 'Part number must be 1 to 10000')
    parts[number] = body
    return Answer(headers=[('ETag', f'"{hashlib.md5(body).hexdigest()}"')])


def complete_upload(state, bucket_name, upload_id, body):
    key, headers, parts = state.buckets[bucket_name].uploads[upload_id]
    chosen, digests = [], b''
    for part in (p for p in ET.fromstring(body) if p.tag.endswith('Part')):
        named = {child.tag.rpartition('}')[2]: child.text for child in part}
        data = parts.get(int(named['PartNumber']))
        if data is None or hashlib.md5(data).hexdigest() != unquoted(named['ETag']):
            return error(400, 'InvalidPart')
        chosen.append(data)
        digests += hashlib.md5(data).digest()
    if not chosen:
        return error(400, 'MalformedXML')
    del state.buckets[bucket_name].uploads[upload_id]
    etag = f'{hashlib.md5(digests).hexdigest()}-{len(chosen)}'
    state.buckets.put(bucket_name, key, b''.join(chosen), headers, etag)
    return xml(f'<CompleteMultipartUploadResult><ETag>&quot;{etag}&quot;</ETag></CompleteMultipartUploadResult>')


def upload_answer(state, request, bucket_name, key, check_end):
    """To one of the four requests of an upload; None: it is none.  check_end:
    raises where the end may not replace what is there."""
    args = request.args
    if request.method == 'POST' and 'uploads' in args:
        return start_upload(state, bucket_name, key, request.headers)
    if 'uploadId' not in args:
        return None
    uploads = state.buckets[bucket_name].uploads
    if uploads.get(args['uploadId'], (None,))[0] != key:
        return error(404, 'NoSuchUpload')
    if request.method == 'PUT':
        return put_part(uploads[args['uploadId']][2], args, request.body)
    if request.method == 'DELETE':
        del uploads[args['uploadId']]
        return Answer(204)
    check_end()
    return complete_upload(state, bucket_name, args['uploadId'], request.body)
