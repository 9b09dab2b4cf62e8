#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every path of the dataset "nasty" (tests/tools/osmo_nasty.py), mounted: each
readable byte is the source's, each unreadable one is an errno and a log line.
In a local directory, and in a real S3 server behind a proxy that refuses some
requests and cuts some answers; mounted by root and by an ordinary user."""
import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import json

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ds_servers                                            # noqa: E402
import harness                                               # noqa: E402
from harness import Mount, Tap, run                          # noqa: E402

LATE_SECONDS = 10
SMALL_FILES = int(os.environ.get('NASTY_SMALL_FILES', '2000'))
HUGE = ['--huge'] if os.environ.get('NASTY_HUGE') else []
DEEP = 600                       # bytes of a path that a test's name shows


def make(top, uri, *options):
    subprocess.run([sys.executable, harness.MAKER, top + '/made', '--uri', uri, '--nasty',
                    '--small-files', str(SMALL_FILES), *HUGE, *options], check=True)
    with open(top + '/made/expect.json') as f:
        return json.load(f)


def read_all(path):
    """(sha256, size, None), or (None, None, the errno's name)."""
    total, size = hashlib.sha256(), 0
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as e:
        return None, None, errno.errorcode[e.errno]
    try:
        while True:
            block = os.read(fd, 1 << 20)
            if not block:
                return total.hexdigest(), size, None
            total.update(block)
            size += len(block)
    except OSError as e:
        return None, None, errno.errorcode[e.errno]
    finally:
        os.close(fd)


def check_good(root, row):
    path = os.path.join(root, row['path'])
    size = os.stat(path).st_size
    got = read_all(path)
    if size != row['size'] or got != (row['sha256'], row['size'], None):
        return f"{row['path'][:DEEP]!a} ({row['why']}): {size} bytes, read {got}"
    return None


def check_bad(root, row):
    path = os.path.join(root, row['path'])
    end = time.monotonic() + (LATE_SECONDS if row.get('late') else 0)
    while True:
        got = read_all(path)
        if got[2] == row['errno']:
            return None
        if time.monotonic() > end:
            return f"{row['path'][:DEEP]!a} ({row['why']}): read {got}, expected {row['errno']}"
        time.sleep(0.1)


def list_all(root):
    """Every path below a version's directory: files, directories."""
    files, folders = set(), set()
    for folder, names, plain in os.walk(os.fsencode(root), onerror=fail):
        base = os.path.relpath(folder, os.fsencode(root))
        for n in names:
            folders.add(os.fsdecode(os.path.normpath(os.path.join(base, n))))
        for n in plain:
            files.add(os.fsdecode(os.path.normpath(os.path.join(base, n))))
    return files, folders


def fail(e):
    raise e


def first(problems):
    return '\n'.join(p for p in problems if p)


def logged_once(log, rows):
    """One line for each unreadable path, whatever the number of reads."""
    counts = {}
    for path in re.findall(r'read failed: .* path="([^"]*)"', log):
        counts[path] = counts.get(path, 0) + 1
    return first(f"{row['path']}: {counts.get(row['path'], 0)} lines" for row in rows
                 if counts.get(row['path'], 0) != 1)


def check_version(tap, where, root, version, number):
    if version['errno']:
        try:
            got = os.listdir(root)
        except OSError as e:
            got = errno.errorcode[e.errno]
        tap.equal(got, version['errno'], f'{where}: version {number} cannot be opened')
        return
    files, folders = list_all(root)
    tap.equal(sorted(files ^ {row['path'] for row in version['files']}), [],
              f'{where}: version {number} lists what it holds, and nothing else')
    good = [row for row in version['files'] if not row['errno']]
    problems = [check_good(root, row) for row in good]
    tap.ok(not any(problems), f'{where}: version {number}: each of {len(good)} readable files has its bytes',
           first(problems))
    if not version['absent']:
        return
    bad = [row for row in version['files'] if row['errno']]
    problems = [check_bad(root, row) for row in bad]
    tap.ok(not any(problems), f'{where}: version {number}: each of {len(bad)} others has its errno', first(problems))
    tap.equal([p for p in version['absent'] if os.path.lexists(os.path.join(root, p))], [],
              f'{where}: no entry became a path that it must not be')
    tap.equal([p for p in version['directories'] if p not in folders], [],
              f'{where}: a directory keeps its name beside a file')


def counts_logged(log, expect):
    """What the log says of the first version's expansion."""
    line = re.search(r'expanded: version=\S*nasty@1 (.*)', log)
    got = dict(pair.split('=') for pair in line.group(1).split()) if line else {}
    return {k: int(got.get(k, -1)) for k in expect}


def check_mounts(tap, where, top, expect, config, env=None):
    """config(cache_dir) writes the configuration."""
    check_mount(tap, where + ' root', config(top + '/cache'), top + '/root', expect, env)
    if os.geteuid() == 0:
        user = harness.ordinary_user()
        check_mount(tap, where + ' user', config(top + '/user/cache'), top + '/user', expect, env, user)


def check_mount(tap, where, config, top, expect, env, uid=None):
    mountpoint = top + '/mnt'
    os.makedirs(mountpoint)
    if uid:                       # allow_other: so that this process may look
        os.chmod(config, 0o644)
        subprocess.run(['chown', '-R', str(uid), top], check=True)
    with Mount(config, mountpoint, top + '/log', env=env, uid=uid, options='allow_other' if uid else None) as m:
        for number, version in expect['versions'].items():
            check_version(tap, where, f'{mountpoint}/production/nasty@{number}', version, number)
        log = m.log()
        bad = [row for row in expect['versions']['1']['files'] if row['errno'] and not row.get('late')]
        problems = logged_once(log, bad)
        tap.ok(not problems, f'{where}: each unreadable path has one line in the log', problems)
        counts = expect['versions']['1']['counts']
        tap.equal(counts_logged(log, counts), counts, f'{where}: what was left out or repaired is counted')
        tap.equal(m.stop(), 0, f'{where}: the daemon ended by itself')
        tap.ok('ERROR: AddressSanitizer' not in m.log(), f'{where}: no sanitizer report', m.log()[-2000:])


def in_a_directory(tap, top):
    uri = 'file://' + top + '/bucket'
    expect = make(top, uri)
    for place in expect['places']:
        shutil.copytree(f"{top}/made/{place['folder']}", place['uri'][len('file://'):], dirs_exist_ok=True)
    subprocess.run(['chmod', '-R', 'a+rX', top], check=True)

    def config(cache_dir):
        return harness.write_config(
            top + '/config.yaml', {'production': {'dataset_path': uri}}, cache_dir=cache_dir,
            extra={'buckets': {'production': {'foreign': expect['foreign']}}})
    run('-c', config(top + '/cache'), 'dataset', 'import', 'osmo', 'production', top + '/made/osmo', check=True)
    subprocess.run(['chmod', '-R', 'a+rX', top + '/bucket'], check=True)
    check_mounts(tap, 'file', top, expect, config)


# A store on a bad day: every answer of these kinds must be asked for again.
BAD_DAY = [{'method': 'GET', 'every': 23, 'status': 503, 'body': ''},
           {'method': 'GET', 'path': '/hashes/', 'every': 19, 'cut_at': 1000}]


def in_a_server(tap, top):
    with ds_servers.Radosgw(top + '/rgw') as store, ds_servers.FaultProxy(store.endpoint) as proxy:
        client = store.client()
        expect = make(top, 's3://nasty-bucket/some/prefix')
        for place in expect['places']:
            bucket = place['uri'].split('/')[2]
            if not place['folder'].endswith('-odd'):
                client.make_bucket(bucket)
            client.put_tree(bucket, f"{top}/made/{place['folder']}")
        cred = dict(access_key_id=store.access_key, access_key=store.secret_key, region=store.region,
                    override_url=proxy.endpoint, addressing_style='path')
        os.makedirs(top + '/osmo-client', mode=0o700)
        with open(top + '/osmo-client/config.yaml', 'w') as f:
            json.dump({'auth': {'data': {'s3://nasty-bucket-foreign': cred}}}, f)
        os.chmod(top + '/osmo-client/config.yaml', 0o600)
        subprocess.run(['chown', '-R', str(harness.ordinary_user()), top + '/osmo-client'], check=True)
        env = {'OSMO_CONFIG_FILE_DIR': top + '/osmo-client'}

        def config(cache_dir):
            return harness.write_config(
                top + '/config.yaml',
                {'production': {'dataset_path': 's3://nasty-bucket/some/prefix', 'region': store.region,
                                'default_credential': {k: v for k, v in cred.items() if k != 'region'}}},
                cache_dir=cache_dir, extra={'buckets': {'production': {'foreign': expect['foreign']}}})
        run('-c', config(top + '/cache'), 'dataset', 'import', 'osmo', 'production', top + '/made/sql/dump.sql',
            env=env, check=True)
        proxy.rules(BAD_DAY)
        check_mounts(tap, 's3', top, expect, config, env)
        tap.ok(all(n > 0 for n in proxy.hits()), 's3: the proxy did refuse and cut', proxy.hits())


def main():
    harness.own_namespace()
    tap = Tap()
    if not os.path.exists('/dev/fuse'):
        tap.skip('the dataset "nasty", mounted', 'no /dev/fuse on this machine')
        return tap.done()
    with harness.scratch() as top:
        harness.open_dev_fuse(top)
        harness.allow_other(top)
        in_a_directory(tap, top)
    with harness.scratch() as top:
        try:
            in_a_server(tap, top)
        except ds_servers.NotInstalled as e:
            tap.skip('the dataset "nasty" in an S3 server', str(e))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
