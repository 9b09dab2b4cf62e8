# SPDX-License-Identifier: Apache-2.0
"""The S3 dialect as AWS speaks it: strict about signatures, tokens, regions
and conditions, each of which the settings can change."""
import base64
import hashlib
import uuid

import objects
from objects import error, unquoted
from signing import AWS4, Refused, check_v4
from wire import Answer

KEPT = ('content-encoding', 'content-type', 'cache-control')


def authorize(state, request, bucket_name):
    settings = state.settings
    if request.get('authorization') is None:
        if settings['anonymous']:
            return
        raise Refused(403, 'AccessDenied', 'Access Denied')
    known, region = check_v4(state, request, AWS4)
    state.count(f'key.{known.source}')
    if region != settings['region']:
        refuse_region(settings, request, bucket_name)
    if settings['requester_pays'] and request.get('x-amz-request-payer') != 'requester':
        raise Refused(403, 'AccessDenied', 'Access Denied')
    owner = request.get('x-amz-expected-bucket-owner')
    if settings['bucket_owner'] and owner not in (None, settings['bucket_owner']):
        raise Refused(403, 'AccessDenied', 'Access Denied')


def refuse_region(settings, request, bucket_name):
    """In each of the ways in which AWS does it."""
    region = settings['region']
    told = [('x-amz-bucket-region', region)]
    how = settings['wrong_region']
    if how == '400' and request.method == 'HEAD':
        raise Refused(400, 'BadRequest', headers=told)
    if how == '400':
        raise Refused(400, 'AuthorizationHeaderMalformed', f"the region is wrong; expecting '{region}'",
                      f'<Region>{region}</Region>')
    code = {'301': 'PermanentRedirect', '307': 'TemporaryRedirect'}[how]
    place = f'http://{bucket_name}.s3.{region}.example.com/'
    raise Refused(int(how), code, 'use the endpoint', f'<Endpoint>{place}</Endpoint>', [*told, ('Location', place)])


def check_conditions(state, found, request):
    """Of a PUT, an upload's end, a DELETE."""
    if not state.settings['conditions']:
        return
    if request.get('if-none-match') == '*' and found:
        raise Refused(412, 'PreconditionFailed')
    wanted = request.get('if-match')
    if wanted is None:
        return
    if not found:
        raise Refused(404, 'NoSuchKey')
    if not (wanted.startswith('"') and unquoted(wanted) == found.etag):
        raise Refused(412, 'PreconditionFailed')


def headers_of(state, found):
    headers = [(n, v) for n, v in found.headers if n in KEPT or n.startswith('x-amz-meta-')]
    if state.settings['etags']:
        headers.append(('ETag', f'"{found.etag}"'))
    return [*headers, ('x-amz-bucket-region', state.settings['region'])]


def put(state, request, name, bucket, key):
    check_conditions(state, bucket.objects.get(key), request)
    digest = request.get('content-md5')
    if digest and base64.b64decode(digest) != hashlib.md5(request.body).digest():
        raise Refused(400, 'BadDigest')
    etag = uuid.uuid4().hex if state.settings['kms'] else None
    found = state.buckets.put(name, key, request.body, request.headers, etag)
    return Answer(headers=headers_of(state, found))


def delete(state, request, bucket, key):
    found = bucket.objects.get(key)
    if found or request.get('if-match') is None:
        check_conditions(state, found, request)
    bucket.objects.pop(key, None)
    return Answer(204)


def of_bucket(state, request, name):
    region = [('x-amz-bucket-region', state.settings['region'])]
    if request.method == 'PUT' and not request.query:
        state.buckets.make(name)
        return Answer()
    if name not in state.buckets:
        return error(404, 'NoSuchBucket', headers=region)
    if request.method == 'HEAD':
        return Answer(headers=region)
    if request.method == 'GET' and request.args.get('list-type') == '2':
        return objects.list_answer(state, request, state.buckets[name])
    if request.method == 'GET' and 'location' in request.args:
        return objects.xml(f'<LocationConstraint>{state.settings["region"]}</LocationConstraint>')
    return error(501, 'NotImplemented')


def of_object(state, request, name, key):
    if name not in state.buckets:
        return error(404, 'NoSuchBucket')
    bucket = state.buckets[name]
    part = objects.upload_answer(state, request, name, key,
                                 lambda: check_conditions(state, bucket.objects.get(key), request))
    if part:
        return part
    if request.method == 'PUT':
        return put(state, request, name, bucket, key)
    if request.method == 'DELETE':
        return delete(state, request, bucket, key)
    if request.method not in ('GET', 'HEAD'):
        return error(405, 'MethodNotAllowed')
    found = bucket.objects.get(key)
    return objects.serve(found, request, headers_of(state, found)) if found else error(404, 'NoSuchKey')


def answer(state, request):
    name, key = objects.place_of(request)
    try:
        authorize(state, request, name)
        return of_object(state, request, name, key) if key else of_bucket(state, request, name)
    except Refused as e:
        # AWS tells the region of a bucket to everybody.
        told = [('x-amz-bucket-region', state.settings['region'])] if not key and name in state.buckets else []
        return error(e.status, e.code, e.message, e.extra, [*e.headers, *told])
