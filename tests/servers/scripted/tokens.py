# SPDX-License-Identifier: Apache-2.0
"""Who gives keys and tokens for a proof: AWS's STS, Google's token endpoints,
Azure AD.  They differ in what is posted to them, so one port is all of them."""
import json
import re
import time

from metadata import as_json, stamp
from objects import xml
from signing import AWS4, Refused, check_jwt, check_v4
from wire import Answer

JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
ROLE_ARN = r'arn:aws[a-z-]*:iam::\d*:role/.+'
SESSION_NAME = r'[\w+=,.@-]{2,64}'


# STS

def sts_error(status, code, message):
    return Answer(status, [('Content-Type', 'text/xml')],
                  (f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
                   f'<Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>').encode())


def sts_keys(state, action, form):
    if not re.fullmatch(ROLE_ARN, form.get('RoleArn', '')) or \
            not re.fullmatch(SESSION_NAME, form.get('RoleSessionName', '')):
        return sts_error(400, 'ValidationError', 'RoleArn or RoleSessionName')
    known = state.issue_key('sts')
    return xml(f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
               f'<AccessKeyId>{known.name}</AccessKeyId><SecretAccessKey>{known.secret}</SecretAccessKey>'
               f'<SessionToken>{known.token}</SessionToken><Expiration>{stamp(known.expires_s)}</Expiration>'
               f'</Credentials></{action}Result></{action}Response>')


def sts(state, request, form):
    action = form['Action']
    state.count(f'sts.{action}')
    if form.get('Version') != '2011-06-15':
        return sts_error(400, 'InvalidAction', 'Version')
    if action == 'AssumeRoleWithWebIdentity':
        if request.get('authorization') is not None:
            return sts_error(403, 'AccessDenied', 'a signature where none is wanted')
        wanted = state.settings['web_identity_token']
        if not form.get('WebIdentityToken') or (wanted is not None and form['WebIdentityToken'] != wanted):
            return sts_error(400, 'InvalidIdentityToken', 'the token was not accepted')
        return sts_keys(state, action, form)
    if action == 'AssumeRole':
        try:
            _, region = check_v4(state, request, AWS4)
        except Refused as e:
            return sts_error(403, e.code, e.message)
        except TypeError:
            return sts_error(403, 'MissingAuthenticationToken', 'not signed')
        return sts_keys(state, action, form)
    return sts_error(400, 'InvalidAction', action)


# OAuth

def refused(code, text, status=400):
    return as_json({'error': code, 'error_description': text}, status)


def granted(state, source, **more):
    known = state.issue_bearer(source)
    return as_json({'access_token': known.name, 'expires_in': int(known.expires_s - time.time()),
                    'token_type': 'Bearer', **more})


def google(state, request, form):
    grant, settings = form.get('grant_type'), state.settings
    if grant == JWT_BEARER:
        state.count('google.jwt')
        try:
            _, claims = check_jwt(form.get('assertion', ''), settings['google_public_key'], state.now_s())
            audience = f'{state.urls["tokens"]}{request.path}'
            if claims.get('aud') != audience:
                raise ValueError(f'its audience is {claims.get("aud")}, not {audience}')
            if not claims.get('scope') or not claims.get('iss'):
                raise ValueError('scope and iss')
        except ValueError as e:
            return refused('invalid_grant', f'Invalid JWT: {e}')
        return granted(state, 'google_jwt')
    if grant == 'refresh_token':
        state.count('google.refresh')
        if form.get('refresh_token') != settings['google_refresh_token']:
            return refused('invalid_grant', 'Token has been expired or revoked.')
        if form.get('client_secret') != settings['google_client_secret'] or not form.get('client_id'):
            return refused('invalid_client', 'The OAuth client was not found.', 401)
        return granted(state, 'google_refresh')
    if grant == EXCHANGE:
        state.count('google.exchange')
        wanted = settings['google_subject_token']
        if not form.get('subject_token') or (wanted is not None and form['subject_token'] != wanted):
            return refused('invalid_grant', 'The subject token is not accepted')
        if not form.get('audience') or not form.get('scope') or not form.get('subject_token_type'):
            return refused('invalid_request', 'audience, scope and subject_token_type')
        return granted(state, 'google_exchange', issued_token_type='urn:ietf:params:oauth:token-type:access_token')
    return refused('unsupported_grant_type', str(grant))


def impersonate(state, request):
    """generateAccessToken: with a token of this server, for a scope."""
    state.count('google.impersonate')
    known = state.bearers.get((request.get('authorization') or '').removeprefix('Bearer '))
    if not known or not known.is_good(state.now_s()):
        return as_json({'error': {'code': 401, 'status': 'UNAUTHENTICATED', 'message': 'no such token'}}, 401)
    try:
        scopes = json.loads(request.body)['scope']
    except (ValueError, KeyError, TypeError):
        scopes = None
    if not isinstance(scopes, list) or not scopes:
        return as_json({'error': {'code': 400, 'status': 'INVALID_ARGUMENT', 'message': 'scope'}}, 400)
    new = state.issue_bearer('google_impersonation')
    return as_json({'accessToken': new.name, 'expireTime': stamp(new.expires_s)})


def azure(state, form):
    state.count('azure.token')
    if form.get('grant_type') != 'client_credentials' or form.get('scope') != 'https://storage.azure.com/.default':
        return refused('invalid_scope', 'AADSTS70011: grant_type or scope')
    if not form.get('client_id'):
        return refused('unauthorized_client', 'AADSTS700016: no client_id')
    if 'client_assertion' in form:
        state.count('azure.assertion')
        wanted = state.settings['azure_federated_token']
        if form.get('client_assertion_type') != ASSERTION or not form['client_assertion'] or \
                (wanted is not None and form['client_assertion'] != wanted):
            return refused('invalid_client', 'AADSTS700212: the assertion is not accepted', 401)
        return granted(state, 'azure_federated')
    if form.get('client_secret') != state.settings['azure_client_secret']:
        return refused('invalid_client', 'AADSTS7000215: Invalid client secret provided.', 401)
    return granted(state, 'azure_secret')


def answer(state, request):
    if request.method == 'GET' and request.path == '/subject-token':
        state.count('subject_token')
        token = state.settings['google_subject_token'] or 'test-subject-token'
        if 'json' in request.query:
            return as_json({'id_token': token})
        return Answer(body=token.encode())
    if request.method != 'POST':
        return Answer(405)
    form = request.form()
    if request.path.endswith('/oauth2/v2.0/token'):
        return azure(state, form)
    if request.path.endswith(':generateAccessToken'):
        return impersonate(state, request)
    if 'Action' in form:
        return sts(state, request, form)
    return google(state, request, form)
