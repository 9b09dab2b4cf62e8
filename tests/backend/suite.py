# SPDX-License-Identifier: Apache-2.0
"""Runs the conformance suite (conformance.c) against a store."""
import os
import subprocess
import urllib.parse

SUITE = os.path.join(os.environ.get('top_builddir', '.'), 'tests/backend/conformance')
CASES_MIN = 100


def run_suite(tap, name, uri, *args, url=None, style=None, env=None, lacks=(), prefix=(), cases_min=1,
              number=None):
    """Its cases become ours, under the name of the store; number: the case of
    which it is one that all of it ran there."""
    words = [*args, *(f'-l{w}' for w in lacks)]
    words += ([f'-u{url}'] if url else []) + ([f'-s{style}'] if style else [])
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith(('AWS_', 'AZURE_')) and k != 'OSMO_S3_ADDRESSING_STYLE'}
    p = subprocess.run([*prefix, SUITE, *words, uri], stdout=subprocess.PIPE, text=True,
                       errors='replace', timeout=300, env={**clean, **(env or {})})
    n = 0
    for line in p.stdout.splitlines():
        verdict, _, rest = line.partition(' - ')
        if verdict.startswith(('ok ', 'not ok ')):
            n += 1
            text, _, reason = rest.partition(' # SKIP ')
            if reason:
                tap.skip(f'{name}: {text}', reason)
            else:
                tap.ok(verdict.startswith('ok '), f'{name}: {text}')
        elif not line.startswith('1..'):
            print('# ' + line, flush=True)
    of = f'case {number}: ' if number else ''
    return tap.ok(p.returncode in (0, 1) and n >= cases_min, f'{name}: {of}{n} cases ran to the end',
                  f'exit {p.returncode}\n' + p.stdout[-2000:])


def suite(tap, name, uri, **how):
    """All of it, which writes."""
    return run_suite(tap, name, uri, cases_min=CASES_MIN, **how)


def reads(tap, name, number, uri, folder, *args, **how):
    """What somebody else wrote there: the files of folder, for one of the forty cases."""
    return run_suite(tap, name, uri, '-d', folder, '-c', str(number), *args, **how)


def write_truth(folder, objects):
    """A folder for reads(): {key: bytes}."""
    os.makedirs(folder)
    for key, data in objects.items():
        with open(os.path.join(folder, urllib.parse.quote(key, safe='').replace('.', '%2E')), 'wb') as f:
            f.write(data)
    return folder


OBJECTS = {'empty': b'', 'one': b'1', 'text': b'0123456789' * 1000, 'deep/er/large': bytes(range(256)) * 4096}


def keys_of(store):
    """The environment of its static key."""
    return {'AWS_ACCESS_KEY_ID': store.access_key, 'AWS_SECRET_ACCESS_KEY': store.secret_key}


def put_objects(client, bucket, prefix='', objects=None):
    for key, data in (objects or OBJECTS).items():
        client.put(bucket, prefix + key, data)
