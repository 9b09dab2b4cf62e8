#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The scripted server answers as its README says: what tests of credentials
and of Google's dialect stand on.
"""
import base64
import gzip
import hashlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ds_servers                                            # noqa: E402
import harness                                               # noqa: E402
import s3_client                                             # noqa: E402


def ask(url, method='GET', headers=None, body=None, form=None):
    """(status, {header: value}, body) of one request on a connection of its own."""
    place = urllib.parse.urlsplit(url)
    conn = http.client.HTTPConnection(place.netloc, timeout=5)
    headers = dict(headers or {})
    if form is not None:
        body = urllib.parse.urlencode(form)
        headers['content-type'] = 'application/x-www-form-urlencoded'
    conn.request(method, (place.path or '/') + ('?' + place.query if place.query else ''), body, headers)
    answer = conn.getresponse()
    data = answer.read()
    conn.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, data


def xml_text(data, name):
    return data.decode().partition(f'<{name}>')[2].partition(f'</{name}>')[0]


def refused(call):
    """(status, code) of an S3 request that must fail."""
    try:
        call()
    except s3_client.S3Error as e:
        text = str(e)
        return e.status, text.partition('<Code>')[2].partition('</Code>')[0]
    return None


def check_s3(tap, server):
    client = server.client()
    client.make_bucket('b')
    client.put('b', 'k', b'0123456789')
    tap.equal(client.get('b', 'k'), b'0123456789', 's3: what was put is read')
    wrong = server.client()
    wrong.secret = 'wrong'
    tap.equal(refused(lambda: wrong.get('b', 'k')), (403, 'SignatureDoesNotMatch'), 's3: a wrong secret')
    tap.equal(ask(server.s3 + '/b/k')[0], 403, 's3: no signature')
    server.settings(skew_s=1200)
    tap.equal(refused(lambda: client.get('b', 'k')), (403, 'RequestTimeTooSkewed'), "s3: a clock that is wrong")
    server.settings(skew_s=0, region='eu-west-3')
    tap.equal(refused(lambda: client.get('b', 'k')), (400, 'AuthorizationHeaderMalformed'), 's3: another region')
    server.settings(region='us-east-1', requester_pays=True)
    tap.equal(refused(lambda: client.get('b', 'k')), (403, 'AccessDenied'), 's3: requester pays')
    server.settings(requester_pays=False)


def check_rules(tap, server):
    client = server.client()
    server.rules([{'role': 's3', 'path': '^/b/k$', 'times': 1, 'status': 307, 'location': '{other}{target}'},
                  {'role': 's3', 'path': '^/b/k$', 'times': 2, 'cut_at': 4}])
    try:
        status = client.call('GET', 'b', 'k')[0].status
    except s3_client.S3Error as e:
        status = e.status
    tap.equal(status, 307, 'rules: a redirect')
    try:
        client.get('b', 'k')
        cut = 'whole'
    except http.client.IncompleteRead as e:
        cut = e.partial
    tap.equal(cut, b'0123', 'rules: a body that is cut')
    client.local.conn = None
    tap.equal((client.get('b', 'k'), server.hits()), (b'0123456789', [1, 2]), 'rules: used up')
    tap.equal(server.counts().get('other.GET'), None, 'rules: the other server was not asked')
    try:
        server.rules([{'statsu': 503}])
        told = 'accepted'
    except ValueError as e:
        told = str(e)
    tap.ok('statsu' in told, 'rules: a member that is not known is refused', told)
    server.rules([])


def check_temporary(tap, server, name, found):
    """A key that was given out: good with its token, until it is revoked."""
    session = server.client()
    session.key, session.secret = found['AccessKeyId'], found['SecretAccessKey']
    tap.equal(refused(lambda: session.get('b', 'k'))[0], 403, f'{name}: no key without its token')
    known = server.ask('GET', '/__credentials')[found['AccessKeyId']]
    tap.ok(0 < known['expires_s'] - time.time() <= 3600, f'{name}: its key has an end')
    tap.ok(server.revoke(found['AccessKeyId']) == 1, f'{name}: its key can be revoked')


def check_metadata(tap, server):
    base = server.metadata
    tap.equal(ask(base + '/latest/meta-data/iam/security-credentials/')[0], 401, 'imds: nothing without a token')
    status, _, token = ask(base + '/latest/api/token', 'PUT', {'X-aws-ec2-metadata-token-ttl-seconds': '21600'})
    with_token = {'X-aws-ec2-metadata-token': token.decode()}
    role = ask(base + '/latest/meta-data/iam/security-credentials/', headers=with_token)[2]
    tap.equal((status, role), (200, b'node-role'), 'imds: the role')
    found = json.loads(ask(base + '/latest/meta-data/iam/security-credentials/node-role', headers=with_token)[2])
    tap.equal(found['Code'], 'Success', 'imds: a key')
    check_temporary(tap, server, 'imds', found)
    server.settings(imds='hang')
    try:
        hung = ask(base + '/latest/api/token', 'PUT', {'X-aws-ec2-metadata-token-ttl-seconds': '1'})
    except TimeoutError:
        hung = 'hangs'
    tap.equal(hung, 'hangs', 'imds: behind a hop limit')

    server.settings(container_authorization='Bearer pod')
    tap.equal(ask(base + '/v1/credentials')[0], 401, 'container: nothing without its authorization')
    found = json.loads(ask(base + '/v1/credentials', headers={'Authorization': 'Bearer pod'})[2])
    check_temporary(tap, server, 'container', found)

    gce = base + '/computeMetadata/v1/instance/service-accounts/default/token'
    tap.equal(ask(gce)[0], 403, 'gce: nothing without a flavor')
    _, headers, data = ask(gce, headers={'Metadata-Flavor': 'Google'})
    tap.equal((headers.get('metadata-flavor'), json.loads(data)['token_type']), ('Google', 'Bearer'), 'gce: a token')

    azure = base + '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com'
    tap.equal(ask(azure)[0], 400, 'azure: nothing without its header')
    found = json.loads(ask(azure, headers={'Metadata': 'true'})[2])
    tap.ok(isinstance(found['expires_on'], str), 'azure: a token, whose end is a string', found)
    service = base + '/msi/token?api-version=2019-08-01&resource=https://storage.azure.com'
    tap.equal(ask(service)[0], 403, 'app service: nothing without its header')
    tap.equal(ask(service, headers={'X-IDENTITY-HEADER': 'test-identity-header'})[0], 200, 'app service: a token')


def make_jwt(key, claims, kid='k1'):
    def part(what):
        return base64.urlsafe_b64encode(what if isinstance(what, bytes) else json.dumps(what).encode()).rstrip(b'=')
    signed = part({'alg': 'RS256', 'typ': 'JWT', 'kid': kid}) + b'.' + part(claims)
    p = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', key], input=signed, stdout=subprocess.PIPE, check=True)
    return (signed + b'.' + part(p.stdout)).decode()


def check_tokens(tap, server, key, public):
    url = server.tokens
    form = {'Action': 'AssumeRoleWithWebIdentity', 'Version': '2011-06-15', 'WebIdentityToken': 'jwt',
            'RoleArn': 'arn:aws:iam::123456789012:role/r', 'RoleSessionName': 'me'}
    status, _, data = ask(url + '/', 'POST', form=form)
    tap.equal(status, 200, 'sts: web identity')
    check_temporary(tap, server, 'sts', {n: xml_text(data, n) for n in ('AccessKeyId', 'SecretAccessKey')})
    server.settings(web_identity_token='another')
    data = ask(url + '/', 'POST', form=form)[2]
    tap.equal(xml_text(data, 'Code'), 'InvalidIdentityToken', 'sts: another token')

    server.settings(google_public_key=public)
    claims = {'iss': 'a@b', 'sub': 'a@b', 'aud': url + '/token', 'iat': int(time.time()), 'exp': int(time.time()) + 3600,
              'scope': 'https://www.googleapis.com/auth/devstorage.read_only'}
    grant = {'grant_type': 'urn:ietf:params:oauth:grant-type:jwt-bearer', 'assertion': make_jwt(key, claims)}
    status, _, data = ask(url + '/token', 'POST', form=grant)
    tap.equal(status, 200, 'google: a signed assertion')
    token = json.loads(data)['access_token']
    damaged = grant['assertion'][:-8] + 'AAAAAAA='[:8].replace('=', 'A')
    tap.equal(ask(url + '/token', 'POST', form=dict(grant, assertion=damaged))[0], 400, 'google: a damaged signature')
    late = make_jwt(key, dict(claims, exp=claims['iat'] + 7200))
    tap.equal(ask(url + '/token', 'POST', form=dict(grant, assertion=late))[0], 400, 'google: one that is good too long')
    refresh = {'grant_type': 'refresh_token', 'refresh_token': 'test-refresh-token', 'client_id': 'c',
               'client_secret': 'test-client-secret'}
    tap.equal(ask(url + '/token', 'POST', form=refresh)[0], 200, 'google: a refresh token')
    tap.equal(ask(url + '/token', 'POST', form=dict(refresh, refresh_token='x'))[0], 400, 'google: a wrong one')
    person = url + '/v1/projects/-/serviceAccounts/a@b:generateAccessToken'
    tap.equal((ask(person, 'POST', {'Authorization': 'Bearer ' + token}, '{"scope": ["s"]}')[0],
               ask(person, 'POST', {'Authorization': 'Bearer x'}, '{"scope": ["s"]}')[0]), (200, 401),
              'google: impersonation')
    azure = {'grant_type': 'client_credentials', 'client_id': 'c', 'client_secret': 'test-client-secret',
             'scope': 'https://storage.azure.com/.default'}
    place = url + '/tenant/oauth2/v2.0/token'
    tap.equal((ask(place, 'POST', form=azure)[0], ask(place, 'POST', form=dict(azure, client_secret='x'))[0]),
              (200, 401), 'azure: a client secret')
    return token, make_jwt(key, {k: v for k, v in claims.items() if k != 'aud'})


def check_gcs(tap, server, token, self_signed):
    bearer = {'Authorization': 'Bearer ' + token}
    client = server.client(server.gcs)
    client.make_bucket('g')
    base = server.gcs + '/g/'

    def put(key, body, **headers):
        return ask(base + key, 'PUT', dict(bearer, **{n.replace('_', '-'): v for n, v in headers.items()}), body)

    first = put('k', b'1', x_goog_if_generation_match='0')
    tap.equal((first[0], put('k', b'2', x_goog_if_generation_match='0')[0]), (200, 412), 'gcs: created once')
    generation = first[1]['x-goog-generation']
    tap.equal(put('k', b'3', x_goog_if_generation_match=generation)[0], 200, 'gcs: replaced under its generation')
    tap.equal((ask(base + 'k?generation=' + generation, headers=bearer)[0], ask(base + 'k', headers=bearer)[2]),
              (404, b'3'), 'gcs: a generation that is gone')
    tap.equal(put('k', b'4', x_goog_if_generation_match='0', x_amz_date='1')[0], 400, 'gcs: mixed headers')
    tap.equal(put('k', b'5', If_None_Match='*')[0], 200, 'gcs: If-None-Match is ignored on PUT')
    tap.equal(refused(lambda: client.call('PUT', 'g', 'k', body=b'6', headers={'x-goog-if-generation-match': '0'})),
              (400, 'ExcessHeaderValues'), "gcs: Google's condition in Amazon's dialect")
    tap.equal(client.get('g', 'k'), b'5', "gcs: Amazon's dialect reads")
    tap.equal(ask(base + 'k', headers={'Authorization': 'Bearer ' + self_signed})[2], b'5', 'gcs: a self-signed token')

    stored = gzip.compress(b'text ' * 100, mtime=0)
    put('z', stored, Content_Encoding='gzip')
    part = ask(base + 'z', headers=dict(bearer, **{'Accept-Encoding': 'gzip', 'Range': 'bytes=2-5'}))
    tap.equal((part[0], part[2]), (206, stored[2:6]), 'gcs: gzip as it is stored, for who asks for it')
    whole = ask(base + 'z', headers=dict(bearer, Range='bytes=2-5'))
    tap.equal((whole[0], whole[2]), (200, b'text ' * 100), 'gcs: ... undone for others, whole')
    hashes = client.call('GET', 'g', 'k')[0].msg.get_all('x-goog-hash')
    tap.equal(hashes, ['crc32c=V28O/A==', 'md5=' + base64.b64encode(hashlib.md5(b'5').digest()).decode()],
              'gcs: two lines of hashes')
    server.revoke('google_jwt')
    tap.equal(ask(base + 'k', headers=bearer)[0], 401, 'gcs: a token that is revoked')


def main():
    tap = harness.Tap()
    with ds_servers.Scripted() as server, tempfile.TemporaryDirectory() as top:
        key = top + '/key.pem'
        subprocess.run(['openssl', 'genrsa', '-out', key, '2048'], check=True, stderr=subprocess.DEVNULL)
        public = subprocess.run(['openssl', 'rsa', '-in', key, '-pubout'], check=True, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        check_s3(tap, server)
        check_rules(tap, server)
        check_metadata(tap, server)
        check_gcs(tap, server, *check_tokens(tap, server, key, public))
        tap.equal(server.ask('GET', '/__troubles'), [], 'no trouble of its own')
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
