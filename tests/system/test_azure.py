#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""azure:// buckets from OSMO's configuration to the last byte: connection
strings with a key, with a SAS and of the emulator, in a Secret and in OSMO's
client file; catalogs imported into Azurite, two at once; all under one mount.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ds_servers                                            # noqa: E402
import harness                                               # noqa: E402
from harness import Mount, Tap, run                          # noqa: E402
from test_stores import Case, import_twice, same_tree, secret_dir, write_tree  # noqa: E402


def connection(store, **fields):
    return ';'.join(f'{k}={v}' for k, v in fields.items()) + f';BlobEndpoint={store.endpoint}'


def with_key(store):
    return connection(store, DefaultEndpointsProtocol='http', AccountName=store.account, AccountKey=store.key)


def pair(access_key):
    return {'access_key_id': 'ignored', 'access_key': access_key}


def cases(top, store, sas):
    uri = f'azure://{store.account}'
    secret_dir(top, 'key', dict(pair(with_key(store)), endpoint=uri + '/one'))
    return [
        Case('key', f'{uri}/one/some/prefix', 'one', {'secretName': 'key'}),
        Case('sas', f'{uri}/two', 'two', pair(connection(store, SharedAccessSignature=sas))),
    ]


def hopeless(store):
    uri = f'azure://{store.account}'
    key = with_key(store)
    wrong = key.replace(store.key, 'bm90LXRoZS1rZXk=')
    return {
        'denied': {'dataset_path': f'{uri}/one/other', 'default_credential': pair(wrong)},
        'nowhere': {'dataset_path': f'{uri}/no-such/p', 'default_credential': pair(key)},
        'foreign': {'dataset_path': 'azure://somebodyelse/one', 'default_credential': pair(key)},
        'bare': {'dataset_path': f'{uri}/two', 'default_credential': pair(store.key)},
    }


def check_refused(tap, config, env, store):
    """What is told of each that cannot work."""
    for name, words in {'denied': ('AuthenticationFailed', 'AuthorizationFailure'),
                        'nowhere': ('no such bucket',),
                        'foreign': ('another account than somebodyelse',),
                        'bare': ('connection string',)}.items():
        p = run('-c', config, 'dataset', 'list', name, env=env)
        text = p.stdout + p.stderr
        tap.ok(p.returncode != 0 and any(w in text for w in words) and store.key not in text,
               f'{name}: refused, with a word about it', text)


def check_doctor(tap, config, env):
    p = run('-c', config, '--json', 'doctor', env=env, timeout=120)
    found = {f['check']: f for f in json.loads(p.stdout)['findings']}
    tap.equal({n: found[f'bucket {n}']['result'] for n in ('key', 'sas', 'denied', 'nowhere', 'foreign', 'bare')},
              {'key': 'ok', 'sas': 'ok', 'denied': 'failed', 'nowhere': 'failed', 'foreign': 'failed',
               'bare': 'failed'}, 'doctor tells them apart')


def check_bucket(tap, config, env):
    """Each step of "bucket check", and what the service does with conditions."""
    p = run('-c', config, '--json', 'bucket', 'check', 'key', env=env, timeout=120)
    found = {f['check']: f for f in json.loads(p.stdout)['findings']}
    tap.ok(p.returncode == 0 and all(f['result'] == 'ok' for f in found.values()) and
           {'answer', 'list', 'read', 'clock', 'write', 'delete'} <= set(found) and
           'create-only yes, compare-and-swap yes, uploads yes, deletes yes' in found['conditions']['text'],
           'bucket check: every step', p.stdout + p.stderr)


def check_client_file(tap, top, config, env, store):
    """The emulator's account stands for the one that the URI names."""
    os.makedirs(top + '/client')
    emulated = with_key(store)
    with open(top + '/client/config.yaml', 'w') as f:
        json.dump({'auth': {'data': {f'azure://{store.account}': pair(emulated)}}}, f)
    own = harness.write_config(top + '/client.yaml',
                               {'key': {'dataset_path': f'azure://{store.account}/one/some/prefix'}})
    p = run('-c', own, 'dataset', 'list', 'key', env=dict(env, OSMO_CONFIG_FILE_DIR=top + '/client'))
    tap.ok(p.returncode == 0 and 'imagenet' in p.stdout, "the credential of OSMO's client file", p.stderr)


def check_mounted(tap, top, config, env, all_cases, tree, secrets):
    os.mkdir(top + '/mnt')
    with Mount(config, top + '/mnt', top + '/log', env=env) as m:
        for case in all_cases:
            with tap.case(f'{case.name}: every byte under the mount'):
                wrong = same_tree(tree, f'{top}/mnt/{case.name}/imagenet@1')
                assert not wrong, wrong
        status = run('-c', config, '--json', 'status', top + '/mnt', env=env)
        seen = m.log() + status.stdout + status.stderr
        tap.ok(status.returncode == 0 and not any(s in seen for s in secrets),
               'no secret in the log and the status', seen)
        tap.equal(m.stop(), 0, 'the daemon ended by itself')


def drive(tap, top, store):
    tree, client, sas = write_tree(top + '/tree'), store.client(), store.client().sas()
    all_cases = cases(top, store, sas)
    config = harness.write_config(top + '/config.yaml',
                                  {c.name: c.settings for c in all_cases} | hopeless(store),
                                  cache_dir=top + '/cache', extra={'secrets_dir': top + '/secrets'})
    env = dict({k: '' for k in os.environ if k.startswith(('AWS_', 'AZURE_'))}, HOME=top,
               AZURE_TOKEN_CREDENTIALS='EnvironmentCredential', OSMO_CONFIG_FILE_DIR=top + '/none')
    for case in all_cases:
        client.make_container(case.container)
        import_twice(tap, config, env, case, case.fill(client, top, tree))
    check_refused(tap, config, env, store)
    check_doctor(tap, config, env)
    check_bucket(tap, config, env)
    check_client_file(tap, top, config, env, store)
    secrets = (store.key, sas.split('sig=')[1], 'bm90LXRoZS1rZXk=')
    if os.path.exists('/dev/fuse'):
        check_mounted(tap, top, config, env, all_cases, tree, secrets)
    else:
        tap.skip('the buckets, mounted', 'no /dev/fuse on this machine')


def main():
    tap = Tap()
    with harness.scratch() as top:
        try:
            with ds_servers.Azurite(top + '/azurite') as store:
                drive(tap, top, store)
        except ds_servers.NotInstalled as e:
            tap.skip("buckets in Azure's blob service", str(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
