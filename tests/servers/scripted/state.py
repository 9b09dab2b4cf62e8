# SPDX-License-Identifier: Apache-2.0
"""What the server knows: settings, keys and tokens that it accepts, objects,
scripted answers, and what it was asked.  All of it is under one lock, held
while an answer is made and not while it is sent.
"""
import collections
import copy
import json
import re
import threading
import time

from objects import Buckets
from wire import Answer

LOG_MAX = 5000

# README.md says what each means.
SETTINGS = {
    'skew_s': 0, 'lifetime_s': 3600, 'keys': {'test-access-key': 'test-secret-key'}, 'region': 'us-east-1',
    'wrong_region': '400', 'anonymous': False, 'requester_pays': False, 'bucket_owner': None, 'kms': False,
    'conditions': True, 'page_max': 1000, 'empty_pages': False, 'repeat_token': False, 'etags': True,
    'imds': 'v2', 'imds_role': 'node-role', 'container_authorization': None, 'gce_flavor': True,
    'azure_client_id': None, 'identity_header': 'test-identity-header',
    'web_identity_token': None, 'google_public_key': None, 'google_refresh_token': 'test-refresh-token',
    'google_client_secret': 'test-client-secret', 'google_subject_token': None,
    'azure_client_secret': 'test-client-secret', 'azure_federated_token': None,
}
RULE_MEMBERS = {
    'role', 'method', 'path', 'header', 'body_has', 'after', 'times', 'every', 'reused', 'status', 'headers', 'body',
    'location', 'hold_ms', 'drop', 'lost', 'cut_at', 'reset_at', 'stall_at', 'stall_ms', 'chunked',
}


class Known:
    """A key or token: until when it is good, and how often it came."""

    def __init__(self, name, secret=None, token=None, expires_s=None, source='static'):
        self.name, self.secret, self.token, self.expires_s, self.source = name, secret, token, expires_s, source
        self.is_revoked = False
        self.uses = self.refusals = 0

    def is_good(self, now_s):
        return not self.is_revoked and (self.expires_s is None or now_s < self.expires_s)


class State:
    def __init__(self, roles):
        self.lock = threading.RLock()
        self.roles = roles          # name -> what answers for it
        self.urls = {}
        self.reset()

    def reset(self):
        self.settings = copy.deepcopy(SETTINGS)
        self.rules = []
        self.issued = {}            # access key -> Known
        self.bearers = {}           # token -> Known
        self.buckets = Buckets()
        self.imds_tokens = {}       # token -> expires_s
        self.counts = collections.Counter()
        self.log = collections.deque(maxlen=LOG_MAX)
        self.troubles = []
        self.n_issued = 0

    def now_s(self):
        return time.time() + self.settings['skew_s']

    def set(self, changes):
        for name, value in changes.items():
            if name not in SETTINGS:
                raise ValueError(f'no such setting: {name}')
            self.settings[name] = value

    # Keys and tokens

    def issue_key(self, source):
        """A temporary key; never the same twice."""
        self.n_issued += 1
        n = self.n_issued
        known = Known(f'ASIATEST{n:012}', f'secret-of-issue-{n}', f'token-of-issue-{n}//+==',
                      time.time() + self.settings['lifetime_s'], source)
        self.issued[known.name] = known
        return known

    def issue_bearer(self, source):
        self.n_issued += 1
        known = Known(f'bearer-of-issue-{self.n_issued}', expires_s=time.time() + self.settings['lifetime_s'],
                      source=source)
        self.bearers[known.name] = known
        return known

    def find_key(self, name):
        if name in self.settings['keys'] and name not in self.issued:
            self.issued[name] = Known(name, self.settings['keys'][name])
        return self.issued.get(name)

    def revoke(self, which):
        """All that was issued by now, or by one source, or one name."""
        n = 0
        for known in [*self.issued.values(), *self.bearers.values()]:
            if not known.is_revoked and (which in (known.name, known.source) or
                                         (which == 'all' and known.source != 'static')):
                known.is_revoked = True
                n += 1
        return n

    # Scripted answers

    def set_rules(self, rules):
        for rule in rules:
            unknown = set(rule) - RULE_MEMBERS
            if unknown:
                raise ValueError(f'no such member of a rule: {", ".join(sorted(unknown))}')
            re.compile(rule.get('path', ''))
        self.rules = [dict(rule, hits=0, seen=0) for rule in rules]

    @staticmethod
    def _matches(rule, request, n_before):
        name, _, text = rule.get('header', '').partition(':')
        return (rule.get('role', request.role) == request.role and
                rule.get('method', request.method) == request.method and
                re.search(rule.get('path', ''), request.target) is not None and
                (not name or text.strip() in (request.get(name.lower()) or '')) and
                rule.get('body_has', '') in request.body.decode('utf-8', 'replace') and
                ('reused' not in rule or rule['reused'] == (n_before > 0)))

    def scripted_answer(self, request, n_before):
        """Of the first rule that matches and is not used up; None: the role answers."""
        for rule in self.rules:
            if not self._matches(rule, request, n_before):
                continue
            at = rule['seen'] - rule.get('after', 0)
            if at < 0 or at >= rule.get('times', 1 << 60) or at % rule.get('every', 1):
                rule['seen'] += 1
                continue
            rule['seen'] += 1
            rule['hits'] += 1
            return self._make(rule, request)
        return None

    def _make(self, rule, request):
        headers = list(rule.get('headers', {}).items())
        if 'location' in rule:      # {other}: the base URL of that role
            headers.append(('Location', rule['location'].format(target=request.target, **self.urls)))
        if 'status' not in rule and not rule.get('drop'):
            return self._spoilt(rule, request)
        return Answer(status=rule.get('status', 200), headers=headers, body=rule.get('body', '').encode(),
                      is_dropped=rule.get('drop', False), **self._faults(rule))

    @staticmethod
    def _faults(rule):
        return {'hold_s': rule.get('hold_ms', 0) / 1000, 'cut_at': rule.get('cut_at'),
                'reset_at': rule.get('reset_at'), 'stall_at': rule.get('stall_at'),
                'stall_s': rule.get('stall_ms', 120000) / 1000, 'is_chunked': rule.get('chunked', False)}

    def _spoilt(self, rule, request):
        """The role's own answer with something wrong about it."""
        answer = self.roles[request.role](self, request)
        for name, value in rule.get('headers', {}).items():
            answer.headers = [(n, v) for n, v in answer.headers if n.lower() != name.lower()]
            if value is not None:
                answer.headers.append((name, value))
        if 'body' in rule:
            answer.body = rule['body'].encode()
        for name, value in self._faults(rule).items():
            setattr(answer, name, value)
        answer.is_dropped = rule.get('lost', False)
        return answer

    # What was asked

    def note(self, request, answer):
        self.counts[f'{request.role}.{request.method}'] += 1
        self.log.append({'role': request.role, 'method': request.method, 'target': request.target,
                         'headers': dict(request.headers), 'status': 0 if answer.is_dropped else answer.status,
                         'body': request.body[:4096].decode('utf-8', 'replace'), 'time_s': time.time()})

    def count(self, what):
        self.counts[what] += 1

    def note_trouble(self, text):
        with self.lock:
            self.troubles.append(text)

    def credentials(self):
        return {known.name: {'source': known.source, 'uses': known.uses, 'refusals': known.refusals,
                             'is_revoked': known.is_revoked, 'expires_s': known.expires_s}
                for known in [*self.issued.values(), *self.bearers.values()]}

    def as_json(self, what):
        return json.dumps(what, default=str).encode()
