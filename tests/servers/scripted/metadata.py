# SPDX-License-Identifier: Apache-2.0
"""The metadata services of machines and containers: EC2 (IMDSv2), ECS and EKS,
Google's, Azure's and its App Service.  They differ in their paths, so one port
is all of them."""
import json
import time
import uuid

from wire import SILENCE_MAX_SECONDS, Answer


def stamp(time_s):
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time_s))


def as_json(what, status=200, headers=()):
    return Answer(status, [('Content-Type', 'application/json'), *headers], json.dumps(what).encode())


def keys_of(known, **more):
    return {'AccessKeyId': known.name, 'SecretAccessKey': known.secret, 'Token': known.token,
            'Expiration': stamp(known.expires_s), **more}


# EC2

def imds_token(state, request):
    """A hop limit of 1 makes this, and nothing else, hang for who is a hop further away."""
    state.count('imds.token')
    mode = state.settings['imds']
    if mode == 'hang':
        return Answer(hold_s=SILENCE_MAX_SECONDS, is_dropped=True)
    if mode == 'v1' or request.method != 'PUT':
        return Answer(404 if request.method == 'PUT' else 405)
    lifetime = request.get('x-aws-ec2-metadata-token-ttl-seconds') or ''
    if not lifetime.isdigit() or not 1 <= int(lifetime) <= 21600 or request.get('x-forwarded-for'):
        return Answer(400)
    token = uuid.uuid4().hex
    state.imds_tokens[token] = time.time() + int(lifetime)
    return Answer(body=token.encode(), headers=[('X-Aws-Ec2-Metadata-Token-Ttl-Seconds', lifetime)])


def imds(state, request):
    mode = state.settings['imds']
    if mode == 'off':
        return Answer(403)
    if request.path == '/latest/api/token':
        return imds_token(state, request)
    token = request.get('x-aws-ec2-metadata-token')
    if mode != 'v1' and state.imds_tokens.get(token, 0) <= time.time():
        state.count('imds.unauthorized')
        return Answer(401)
    role, path = state.settings['imds_role'], request.path
    base = '/latest/meta-data/iam/security-credentials/'
    if path in (base, base[:-1]):
        return Answer(body=role.encode()) if role else Answer(404)
    if path == base + (role or '\0'):
        state.count('imds.credentials')
        return as_json(keys_of(state.issue_key('imds'), Code='Success', Type='AWS-HMAC', LastUpdated=stamp(time.time())))
    if path == '/latest/meta-data/placement/region':
        return Answer(body=state.settings['region'].encode())
    if path == '/latest/dynamic/instance-identity/document':
        return as_json({'region': state.settings['region']})
    return Answer(404)


# ECS and EKS: AWS_CONTAINER_CREDENTIALS_FULL_URI

def container(state, request):
    state.count('container.credentials')
    wanted = state.settings['container_authorization']
    if wanted is not None and request.get('authorization') != wanted:
        return as_json({'code': 'AccessDenied', 'message': 'the authorization is wrong'}, 401)
    return as_json(keys_of(state.issue_key('container'), RoleArn='arn:aws:iam::123456789012:role/task'))


# Google

def google(state, request):
    flavor = [('Metadata-Flavor', 'Google')] if state.settings['gce_flavor'] else []
    if request.get('metadata-flavor') != 'Google' or request.get('x-forwarded-for'):
        state.count('gce.unflavored')
        return Answer(403, flavor)
    tail = request.path.removeprefix('/computeMetadata/v1/')
    if tail.startswith('instance/service-accounts/') and tail.endswith('/token'):
        state.count('gce.token')
        known = state.issue_bearer('gce')
        lifetime = int(known.expires_s - time.time())
        return as_json({'access_token': known.name, 'expires_in': lifetime, 'token_type': 'Bearer'}, headers=flavor)
    if tail == 'instance/service-accounts/default/email':
        return Answer(body=b'test@project.iam.gserviceaccount.com', headers=flavor)
    if tail == 'project/project-id':
        return Answer(body=b'test-project', headers=flavor)
    return Answer(404, flavor)


# Azure

def azure_token(state, request, source, api_version):
    args = request.args
    state.count(f'{source}.token')
    if args.get('api-version') != api_version or args.get('resource', '').rstrip('/') != 'https://storage.azure.com':
        return as_json({'error': 'invalid_request', 'error_description': 'api-version or resource'}, 400)
    wanted = state.settings['azure_client_id']
    if wanted is not None and args.get('client_id') != wanted:
        return as_json({'error': 'invalid_request', 'error_description': 'Identity not found'}, 400)
    known = state.issue_bearer(source)
    lifetime = int(known.expires_s - time.time())
    # All of them strings, as the services have them.
    return as_json({'access_token': known.name, 'client_id': args.get('client_id', ''), 'expires_in': str(lifetime),
                    'expires_on': str(int(known.expires_s)), 'not_before': str(int(time.time())),
                    'resource': args['resource'], 'token_type': 'Bearer'})


def azure_imds(state, request):
    if request.get('metadata', '').lower() != 'true' or request.get('x-forwarded-for'):
        return as_json({'error': 'invalid_request', 'error_description': 'Required metadata header not specified'}, 400)
    return azure_token(state, request, 'azure_imds', '2018-02-01')


def app_service(state, request):
    if request.get('x-identity-header') != state.settings['identity_header']:
        state.count('app_service.refused')
        return Answer(403)
    return azure_token(state, request, 'app_service', '2019-08-01')


PATHS = {'/latest/': imds, '/v2/credentials': container, '/v1/credentials': container, '/computeMetadata/': google,
         '/metadata/identity/oauth2/token': azure_imds, '/msi/token': app_service}


def answer(state, request):
    for start, one in PATHS.items():
        if request.path.startswith(start):
            return one(state, request)
    # What is asked at first to see whether Google is there at all.
    return google(state, request) if request.path == '/' else Answer(404)
