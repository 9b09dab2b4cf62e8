#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dataset import osmo from the service itself."""
import json
import os
import sys

import harness
from harness import Tap, run, scratch
from osmo_service import Service, dataset


class World:
    def __init__(self, top, name):
        self.top = os.path.join(top, name)
        os.makedirs(self.top + '/bucket')
        os.makedirs(self.top + '/osmo')
        self.config = harness.write_config(self.top + '/config.yaml', {
            'production': {'dataset_path': f'file://{self.top}/bucket'}}, cache_dir=self.top + '/cache')

    def login(self, text):
        with open(self.top + '/osmo/login.yaml', 'w') as f:
            f.write(text)

    def imports(self, *args, **kw):
        return run('-c', self.config, 'dataset', 'import', 'osmo', *args,
                   env={'OSMO_CONFIG_FILE_DIR': self.top + '/osmo'}, **kw)

    def names(self):
        where = self.top + '/bucket/.datasetfs/catalog/names'
        return sorted(n[:-len('.json')] for n in os.listdir(where)) if os.path.isdir(where) else []

    def versions(self, ident):
        return len(os.listdir(f'{self.top}/bucket/.datasetfs/catalog/datasets/{ident}/versions'))


def test_whole(tap, top):
    w = World(top, 'whole')
    infos = [dataset('production', 'imagenet', 250, 1, ['best']), dataset('production', 'empty', 0, 2),
             dataset('other', 'theirs', 1, 3)]
    s = Service(infos, token='t0k3n-of-ada')
    w.login(f'url: {s.url}/\ntoken_login: {{id_token: t0k3n-of-ada, refresh_token: never-sent}}\n')
    p = w.imports('production', s.url)
    tap.ok(p.returncode == 0 and w.names() == ['empty', 'imagenet'] and w.versions(infos[0]['id']) == 250,
           'all datasets of the bucket, with all versions, as "osmo login" left it', p.stdout + p.stderr)
    tap.ok('note' not in p.stderr, 'and nothing is said of limits that do not hold here', p.stderr)
    asked = [path for path, _, _ in s.asked]
    tap.equal(sorted(asked), ['/api/bucket/list_dataset', '/api/bucket/production/dataset/empty/info',
                              '/api/bucket/production/dataset/imagenet/info'], 'by one request each')
    p = w.imports('--json', 'production', s.url)
    tap.equal(json.loads(p.stdout)['versions']['unchanged'], 250, 'again, nothing has changed')
    s.close()


def test_paging(tap, top):
    w = World(top, 'paging')
    # three datasets a second, so that every page ends inside one
    infos = [dataset('production', f'd{i:04}', 1, i // 3) for i in range(2500)]
    s = Service(infos, user='ada')
    s.fail = [503, 429, 500, 429]
    p = w.imports('--user', 'ada', 'production', s.url, timeout=300)
    tap.equal((p.returncode, len(w.names())), (0, 2500),
              '2,500 datasets by pages of 1,000, with 429 and 5xx between')
    lists = [q for path, q, _ in s.asked if path.endswith('list_dataset')]
    tap.equal(len([q for q in lists if 'latest_before' in q]), 2, 'three pages are asked for')
    s.close()
    s = Service([dataset('production', f'same{i:04}', 1, 7) for i in range(1001)])
    w = World(top, 'same')
    p = w.imports('production', s.url)
    tap.ok(p.returncode == 6 and 'pg_dump' in p.stderr and not w.names(),
           'a list that cannot be paged is an error, and nothing is written', p.stderr)
    s.close()


def test_refused(tap, top):
    w = World(top, 'refused')
    s = Service([dataset('production', 'a', 1)], token='right')
    p = w.imports('production', s.url)
    tap.ok(p.returncode == 4 and 'osmo login' in p.stderr and '401' in p.stderr, 'without a token: exit 4', p.stderr)
    with open(w.top + '/token', 'w') as f:
        f.write('wrong-S3CR3T\n')
    p = w.imports('--token-file', w.top + '/token', 'production', s.url)
    tap.ok(p.returncode == 4 and 'S3CR3T' not in p.stderr + p.stdout, 'a refused token is not shown', p.stderr)
    with open(w.top + '/token', 'w') as f:
        f.write('  right\n')
    p = w.imports('--token-file', w.top + '/token', 'production', s.url)
    tap.equal((p.returncode, w.names()), (0, ['a']), '--token-file gives another')
    w.login(f'url: https://elsewhere.example.com\ntoken_login: {{id_token: right}}\n')
    p = w.imports('production', s.url)
    tap.ok(p.returncode == 4 and all('Authorization' not in h for _, _, h in s.asked[-1:]),
           'the token of another service is not sent', p.stderr)
    w.login('url: [S3CR3T\n')
    p = w.imports('production', s.url)
    tap.ok(p.returncode == 2 and 'login.yaml:' in p.stderr and 'S3CR3T' not in p.stderr,
           'a broken login file is named by its position only', p.stderr)
    p = w.imports('--token-file', w.top + '/token', 'production', 'http://osmo.example.com')
    tap.ok(p.returncode == 4 and 'https://' in p.stderr, 'no token goes over plain text', p.stderr)
    s.close()


def test_odd(tap, top):
    w = World(top, 'odd')
    s = Service([dataset('production', 'a', 1), dataset('production', 'b', 1, 5)])
    s.gone = {'b'}
    p = w.imports('production', s.url)
    tap.ok(p.returncode == 0 and w.names() == ['a'] and 'There is no dataset b' in p.stderr,
           'one that the service will not tell about is a note', p.stdout + p.stderr)
    p = w.imports('production', s.url + '/wrong')
    tap.ok(p.returncode == 3 and 'pg_dump' in p.stderr, 'a service without the interface: exit 3 and what to do',
           p.stderr)
    s.close()
    p = w.imports('production', s.url, timeout=200)
    tap.ok(p.returncode == 5, 'a service that is away: exit 5', f'{p.returncode} {p.stderr}')
    s = Service([])
    p = w.imports('production', s.url)
    tap.ok(p.returncode == 3 and 'no dataset in bucket production' in p.stderr, 'a bucket without datasets: exit 3',
           p.stderr)
    s.close()


def main():
    tap = Tap()
    with scratch() as top:
        for test in (test_whole, test_paging, test_refused, test_odd):
            try:
                test(tap, top)
            except Exception as e:      # a test that dies is a failure, the others still run
                tap.ok(False, f'{test.__name__} ran to its end', repr(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
