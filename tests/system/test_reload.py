#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A mount follows its configuration: buckets come, go and move, credentials
rotate, a bad file is refused, and whoever reads notices nothing of it."""
import errno
import hashlib
import json
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ds_servers                                             # noqa: E402
from s3_client import S3Error                                 # noqa: E402
import harness                                                # noqa: E402
from harness import run                                       # noqa: E402
from mount_bucket import Bucket                               # noqa: E402
from mount_world import (                                     # noqa: E402
    ask_status, fails_with, fork_as, main, named, run_lives, wait_until)
from reload_reader import Reader, read_afresh                 # noqa: E402

SECONDS = 10        # within them a change is there, on a machine that has other work
RELOADS = int(os.environ.get('RELOADS', '200'))
ROTATIONS = int(os.environ.get('ROTATIONS', '6'))


# ---- the file and what it is replaced by ----

def buckets(w, **more):
    """Those of every configuration here; more: name -> settings, None: not there."""
    all_ = {'production': {'dataset_path': w.bucket.uri, 'mode': 'read-write'}, **more}
    return {name: b for name, b in all_.items() if b is not None}


def text_of(w, bs, default='production', **own):
    doc = {'buckets': bs, 'datasetfs': {'cache': {'dir': w.cache}, **own}}
    if default:
        doc['default_bucket'] = default
    return json.dumps(doc, indent=2)


def replace(path, text):
    """As editors and sops do it: another file, renamed over it."""
    with open(path + '.new', 'w') as f:
        f.write(text)
    os.rename(path + '.new', path)


def rewrite(w, *args, **kw):
    replace(w.config, text_of(w, *args, **kw))


def status(w):
    """A machine that is busy may miss the second that a question has."""
    told = []
    assert wait_until(lambda: told.append(ask_status(w)) or told[-1])
    return told[-1]


def configuration(w):
    return status(w)['configuration']


def sees(w, fn, *args):
    ok, result = fork_as(w.uid, fn, *args)
    return result if ok else None


def appears(w, *names):
    return wait_until(lambda: set(names) <= set(sees(w, os.listdir, w.point) or ()), SECONDS)


def goes(w, name):
    return wait_until(lambda: name not in sees(w, os.listdir, w.point), SECONDS)


def other_bucket(w, name, data, catalog_id=None):
    """A bucket of one dataset "ds" of one version; its settings."""
    b = Bucket(f'{w.top}/store/{name}', catalog_id=catalog_id or 'catalog-' + name)
    ds = b.dataset('ds')
    b.version(ds, 1, data)
    b.publish(ds, tags={'latest': 1})
    os.system(f"chmod -R a+rX '{b.folder}'")
    return {'dataset_path': b.uri, 'mode': 'read-only'}


def serving(w, text, **kw):
    """A mount with that configuration, for "with"."""
    replace(w.config, text)
    return w.mount(**kw)


# ---- buckets ----

def life_a_bucket_appears_is_read_and_goes(w):
    second = other_bucket(w, 'second', {'f': b'second\n'})
    with serving(w, text_of(w, buckets(w))):
        before = configuration(w)
        assert before['reloads'] == 0 and before['refused'] is None, before
        rewrite(w, buckets(w, second=second))
        assert appears(w, 'second'), sees(w, os.listdir, w.point)
        assert sees(w, read_afresh, w.path('second/ds@1/f')) == b'second\n'
        assert sees(w, read_afresh, w.path('production/imagenet@1/README.txt')) == b'hello\n'
        now = configuration(w)
        with open(w.config, 'rb') as f:
            assert now['sha256'] == hashlib.sha256(f.read()).hexdigest(), now
        assert now['reloads'] == 1 and now['file'] == w.config, now
        assert now['watched'] == 'inotify', now
        p = w.command('status', w.point, check=True)
        assert f"Configuration: {w.config}, loaded {now['loaded']}" in p.stdout, p.stdout

        rewrite(w, buckets(w))
        assert goes(w, 'second')
        assert sees(w, os.path.exists, w.path('second')) is False
        assert [b['name'] for b in status(w)['buckets']] == ['production']


def inside_a_bucket_that_goes(w, second):
    """Run as the mount's user: what is open goes on, as far as it is cached."""
    cached = os.open(w.path('second/ds@1/cached'), os.O_RDONLY)
    cold = os.open(w.path('second/ds@1/cold'), os.O_RDONLY)
    top = os.open(w.path('second'), os.O_RDONLY)
    assert os.pread(cached, 100, 0) == b'cached\n'
    rewrite(w, buckets(w))
    assert wait_until(lambda: not os.path.exists(w.path('second')), SECONDS)
    os.posix_fadvise(cached, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(cached, 100, 0) == b'cached\n'
    fails_with(errno.ESTALE, os.pread, cold, 100, 0)
    fails_with(errno.ESTALE, os.listdir, top)
    fails_with(errno.ESTALE, os.stat, 'ds@latest', dir_fd=top)

    rewrite(w, buckets(w, second=second))
    assert wait_until(lambda: os.path.exists(w.path('second')), SECONDS)
    # The same bucket: whoever held on to it is in it again.
    assert os.pread(cold, 100, 0) == b'cold\n'
    assert os.listdir(top) == ['ds@1', 'ds@latest'], os.listdir(top)
    assert os.fstat(cold).st_ino == os.stat(w.path('second/ds@1/cold')).st_ino


def life_open_files_of_a_bucket_that_goes_keep_what_is_cached(w):
    second = other_bucket(w, 'leaving', {'cached': b'cached\n', 'cold': b'cold\n'})
    os.chmod(w.top, 0o777)      # the user writes the configuration here
    with serving(w, text_of(w, buckets(w, second=second))):
        os.chmod(w.config, 0o666)
        ok, told = fork_as(w.uid, inside_a_bucket_that_goes, w, second)
        assert ok, told
    os.chmod(w.top, 0o755)


def life_a_bucket_that_moves_shows_what_is_there_now(w):
    """Even where the other place has the same catalog: a copy of the store."""
    one = other_bucket(w, 'one', {'f': b'one\n', 'cold': b'1'}, 'same')
    two = other_bucket(w, 'two', {'f': b'two\n', 'cold': b'2'}, 'same')

    def look():
        cold = os.open(w.path('b/ds@1/cold'), os.O_RDONLY)
        assert read_afresh(w.path('b/ds@1/f')) == b'one\n'
        rewrite(w, buckets(w, b=two))
        assert wait_until(lambda: read_afresh(w.path('b/ds@1/f')) == b'two\n', SECONDS)
        fails_with(errno.ESTALE, os.pread, cold, 100, 0)
        assert read_afresh(w.path('b/ds@1/cold')) == b'2'

    os.chmod(w.top, 0o777)
    with serving(w, text_of(w, buckets(w, b=one))):
        os.chmod(w.config, 0o666)
        ok, told = fork_as(w.uid, look)
        assert ok, told
    os.chmod(w.top, 0o755)


def life_access_and_the_default_bucket_change_in_place(w):
    second = other_bucket(w, 'second', {'f': b'second\n'})
    with serving(w, text_of(w, buckets(w, second=second))):
        path = w.path('second/ds@1/f')
        assert sees(w, read_afresh, path) == b'second\n'
        assert sees(w, os.readlink, w.path('imagenet')) == 'production/imagenet@latest'
        assert sees(w, os.path.lexists, w.path('ds')) is False
        rewrite(w, buckets(w, second=second), default='second',
                buckets={'second': {'uid': 4242, 'gid': 4243, 'access': '0555'}})

        def changed():
            st = sees(w, os.stat, path)
            return st and (st.st_uid, st.st_gid, st.st_mode & 0o777) == (4242, 4243, 0o444)
        assert wait_until(changed, SECONDS), sees(w, os.stat, path)
        assert sees(w, os.stat, w.path('second')).st_uid == 4242
        assert sees(w, read_afresh, path) == b'second\n'
        assert wait_until(lambda: sees(w, os.path.lexists, w.path('ds')), SECONDS)
        assert sees(w, os.readlink, w.path('ds')) == 'second/ds@latest'
        assert wait_until(lambda: not sees(w, os.path.lexists, w.path('imagenet')), SECONDS)


# ---- ways to replace a file ----

def life_a_file_that_is_written_in_place_is_seen(w):
    second = other_bucket(w, 'second', {'f': b'second\n'})
    with serving(w, text_of(w, buckets(w))):
        with open(w.config, 'w') as f:
            f.write(text_of(w, buckets(w, second=second)))
        assert appears(w, 'second')


def swap(folder, number, files):
    """What kubelet does: a folder with a date, a link to it, and a rename."""
    real = f'..2026_{number}'
    os.makedirs(f'{folder}/{real}')
    for name, text in files.items():
        with open(f'{folder}/{real}/{name}', 'w') as f:
            f.write(text)
        if not os.path.lexists(f'{folder}/{name}'):
            os.symlink(f'..data/{name}', f'{folder}/{name}')
    os.symlink(real, f'{folder}/..data_tmp')
    os.rename(f'{folder}/..data_tmp', f'{folder}/..data')
    for old in os.listdir(folder):
        if old.startswith('..2026_') and old != real:
            for name in os.listdir(f'{folder}/{old}'):
                os.unlink(f'{folder}/{old}/{name}')
            os.rmdir(f'{folder}/{old}')


def life_the_swaps_of_a_config_map_are_seen(w):
    second = other_bucket(w, 'second', {'f': b'second\n'})
    map_ = w.top + '/map'
    swap(map_, 1, {'config.yaml': text_of(w, buckets(w))})
    before, w.config = w.config, map_ + '/config.yaml'
    try:
        with w.mount():
            for i in range(2, 8):
                is_there = i % 2 == 0
                swap(map_, i, {'config.yaml': text_of(w, buckets(
                    w, second=second if is_there else None))})
                assert appears(w, 'second') if is_there else goes(w, 'second'), i
            assert configuration(w)['reloads'] == 6
    finally:
        w.config = before


def life_a_secret_that_is_missing_closes_a_bucket_until_it_comes(w):
    secrets = w.top + '/secrets'
    remote = {'dataset_path': 's3://nobody/asks', 'default_credential': {
        'secretName': 'late'}}
    with serving(w, text_of(w, buckets(w, remote=remote), secrets_dir=secrets)):
        def state():
            b, = (b for b in status(w)['buckets'] if b['name'] == 'remote')
            return b
        assert 'secret late' in state()['problem'], state()
        fails = fork_as(w.uid, fails_with, errno.EACCES, os.listdir, w.path('remote'))
        assert fails[0], fails
        swap(secrets + '/late', 1, {'access_key_id': 'id', 'access_key': 'key-one',
                                    'override_url': 'http://127.0.0.1:9'})
        # Its folder was not there: the slow poll, not inotify, finds it.
        assert wait_until(lambda: state()['usable'], 15), state()
        # A mistake closes nothing that is served.
        swap(secrets + '/late', 2, {'access_key_id': 'id'})
        assert wait_until(lambda: configuration(w)['refused'], SECONDS), state()
        assert 'bucket remote: ' in configuration(w)['refused']['reason'], configuration(w)
        assert state()['usable'], state()
        swap(secrets + '/late', 3, {'access_key_id': 'id', 'access_key': 'key-three',
                                    'override_url': 'http://127.0.0.1:9'})
        assert wait_until(lambda: configuration(w)['refused'] is None, SECONDS), configuration(w)
        assert state()['usable'], state()
        text = json.dumps(status(w))
    with open(w.log) as f:
        text += f.read()
    assert 'key-one' not in text and 'key-three' not in text


# ---- what is refused ----

def life_a_bad_file_is_refused_and_named_until_it_is_good(w):
    second = other_bucket(w, 'second', {'f': b'second\n'})
    good = text_of(w, buckets(w))
    with serving(w, good) as m:
        loaded = configuration(w)
        replace(w.config, 'buckets:\n  production: {dataset_path: "s3://b"\n  more\n')
        assert wait_until(lambda: configuration(w)['refused'], SECONDS)
        now = configuration(w)
        assert now['refused']['reason'].startswith(w.config + ':3:'), now
        assert now['sha256'] == loaded['sha256'] and now['reloads'] == 0, now
        assert sees(w, read_afresh, w.path('production/imagenet@1/README.txt')) == b'hello\n'
        p = w.command('status', w.point, check=True)
        assert f"REFUSED since {now['refused']['since']}, the one above stays: " \
               f"{w.config}:3:" in p.stdout, p.stdout
        assert f'configuration is refused, the one before stays: error="{w.config}:3:' \
            in m.log(), m.log()
        p = w.command('doctor', '--json')
        assert any(f['result'] == 'failed' and f['text'].startswith(w.config + ':3:')
                   for f in json.loads(p.stdout)['findings']), p.stdout
        told, = (f for f in json.loads(p.stdout)['findings']
                 if f['check'] == f'mount {w.point}')
        assert told['result'] == 'failed' and f': {w.config}:3:' in told['text'], told
        p = w.command('--json', 'status', w.point, check=True)
        assert json.loads(p.stdout)['configuration']['refused'] == now['refused']

        # Another reason, in another word; told once each.
        replace(w.config, json.dumps({'bucketz': {}}))
        assert wait_until(lambda: 'no dataset configuration'
                          in configuration(w)['refused']['reason'], SECONDS)
        assert m.log().count('configuration is refused') == 2, m.log()

        replace(w.config, good)
        assert wait_until(lambda: configuration(w)['refused'] is None, SECONDS)
        assert configuration(w)['reloads'] == 0
        rewrite(w, buckets(w, second=second))
        assert appears(w, 'second')


def life_a_file_that_is_gone_is_refused_until_it_is_back(w):
    good = text_of(w, buckets(w))
    with serving(w, good):
        os.unlink(w.config)
        assert wait_until(lambda: configuration(w)['refused'], SECONDS)
        assert configuration(w)['refused']['reason'] == f'{w.config}: no such file'
        assert sees(w, os.listdir, w.point) == ['production']
        replace(w.config, good)
        assert wait_until(lambda: configuration(w)['refused'] is None, SECONDS)


def life_strictly_a_bucket_with_a_problem_refuses_the_file(w):
    second = other_bucket(w, 'second', {'f': b'second\n'})
    odd = {'dataset_path': 'azure://account-only', 'mode': 'read-only'}
    with serving(w, text_of(w, buckets(w)), args=('--strict',)):
        rewrite(w, buckets(w, second=second, odd=odd))
        assert wait_until(lambda: configuration(w)['refused'], SECONDS)
        assert 'bucket odd: ' in configuration(w)['refused']['reason']
        assert sees(w, os.listdir, w.point) == ['production']
    with serving(w, text_of(w, buckets(w))) as m:
        rewrite(w, buckets(w, second=second, odd=odd))
        assert appears(w, 'second', 'odd')
        assert 'problem: at=' in m.log(), m.log()


def life_what_needs_another_mount_is_named(w):
    with serving(w, text_of(w, buckets(w))):
        rewrite(w, buckets(w), memory='512MiB',
                cache={'dir': w.top + '/elsewhere', 'size': '3GiB'})
        assert wait_until(lambda: configuration(w)['reloads'] == 1, SECONDS)
        assert configuration(w)['next_mount'] == ['cache.dir', 'cache.size', 'memory']
        p = w.command('status', w.point, check=True)
        assert 'Takes effect at the next mount: cache.dir, cache.size, memory\n' in p.stdout
        assert not os.path.exists(w.top + '/elsewhere')
        rewrite(w, buckets(w))
        assert wait_until(lambda: configuration(w)['next_mount'] == [], SECONDS)
    # What the command line says is not the file's to change.
    with serving(w, text_of(w, buckets(w), cache={'dir': w.top + '/elsewhere'}),
                 args=('--cache-dir', w.cache)):
        rewrite(w, buckets(w), cache={'dir': w.top + '/anywhere'})
        assert wait_until(lambda: configuration(w)['reloads'] == 1, SECONDS)
        assert configuration(w)['next_mount'] == []


# ---- when it is told to ----

def life_sighup_loads_at_once(w):
    with serving(w, text_of(w, buckets(w))) as m:
        for i in range(1, 4):
            m.process.send_signal(signal.SIGHUP)
            assert wait_until(lambda: configuration(w)['reloads'] == i, SECONDS), i
        assert sees(w, os.listdir, w.point) == ['production']


def life_a_daemon_follows_a_file_that_was_named_relatively(w):
    second = other_bucket(w, 'second', {'f': b'second\n'})
    replace(w.config, text_of(w, buckets(w)))
    run('-c', os.path.basename(w.config), 'mount', w.point, uid=w.uid, cwd=w.top, check=True)
    try:
        rewrite(w, buckets(w, second=second))
        assert appears(w, 'second')
        assert configuration(w)['file'] == w.config
        os.kill(status(w)['pid'], signal.SIGHUP)
        assert wait_until(lambda: configuration(w)['reloads'] == 2, SECONDS)
    finally:
        run('unmount', w.point, uid=w.uid, check=True)


# ---- many of them, under load ----

def resources(pid):
    with open(f'/proc/{pid}/status') as f:
        kib = next(int(line.split()[1]) for line in f if line.startswith('RssAnon'))
    return len(os.listdir(f'/proc/{pid}/fd')), kib


def reload_once(w, m, i, second):
    """Each differs from the one before; every other one has the second bucket, and every third one is refused, as
    it would close a bucket that is served."""
    rewrite(w, buckets(w, second=second if i % 2 else None,
                       third={'dataset_path': second['dataset_path'],
                              'mode': ('read-only', 'odd', 'read-write')[i % 3]}),
            default='production' if i % 5 else None,
            buckets={'third': {'uid': 1000 + i % 2}})
    before = configuration(w)['reloads']
    m.process.send_signal(signal.SIGHUP)
    if i % 3 == 1:
        assert wait_until(lambda: configuration(w)['refused'], SECONDS), i
        assert 'bucket third: ' in configuration(w)['refused']['reason'], i
    else:
        assert wait_until(lambda: configuration(w)['reloads'] > before, SECONDS), i


def life_many_reloads_under_load_disturb_nobody(w):
    second = other_bucket(w, 'second', {'f': b'second\n'})
    files = {w.path('production/imagenet@1', name): data
             for name, data in sorted(w.v1.items())[-40:]}
    files[w.path('production/imagenet@2/new')] = w.v2['new']
    with serving(w, text_of(w, buckets(w))) as m:
        with Reader(w.uid, files) as one, Reader(w.uid, files) as two:
            for i in range(RELOADS):
                reload_once(w, m, i, second)
                if i == RELOADS // 4:
                    before = resources(m.process.pid)
            after = resources(m.process.pid)
        assert configuration(w)['reloads'] >= RELOADS * 2 // 3
    for reader in (one, two):
        assert reader.reads > RELOADS and not reader.errors, reader.result
    print(f'# {RELOADS} reloads, {one.reads + two.reads} reads, descriptors and RssAnon in KiB '
          f'{before} after a quarter, {after} at the end', flush=True)
    assert after[0] <= before[0] + 2 and after[1] <= before[1] + 4096, (before, after)


# ---- credentials of a real store ----

def rotate(store, number):
    """Another key of the same user; the one before is taken away by revoke()."""
    key, secret = f'ROTATED{number:04}', f'secret-of-rotation-{number:04}'
    store.admin('key', 'create', '--uid=rotating', '--key-type=s3',
                f'--access-key={key}', f'--secret={secret}')
    return key, secret


def revoke(store, key):
    store.admin('key', 'rm', '--uid=rotating', '--key-type=s3', f'--access-key={key}')


def store_bucket(w, store, top):
    """A bucket of many small files in the store; its files."""
    rng = random.Random(11)
    files = {f'd/f{i:03}': rng.randbytes(2000 + i) for i in range(60)}
    b = Bucket(top + '/rotating', uri='s3://rotating/p', catalog_id='rotating')
    ds = b.dataset('ds')
    b.version(ds, 1, files)
    b.publish(ds, tags={'latest': 1})
    client = store.client()
    client.key, client.secret = rotate(store, 0)
    client.make_bucket('rotating')
    client.put_tree('rotating', b.folder, prefix='p/')
    return files


def refused(store, key, secret):
    client = store.client()
    client.key, client.secret = key, secret
    try:
        client.get('rotating', 'p/.datasetfs/format.json')
    except S3Error as e:
        return e.status == 403
    return False


def rotate_under_load(w, m, store, secrets, files):
    key = 'ROTATED0000'
    paths = {w.path('s/ds@1', name): data for name, data in files.items()}
    with Reader(w.uid, paths) as reader:
        for i in range(1, ROTATIONS + 1):
            before = configuration(w)['reloads']
            old, (key, secret) = key, rotate(store, i)
            swap(secrets + '/s', i, credential(store, key, secret))
            assert wait_until(lambda: configuration(w)['reloads'] > before, SECONDS), i
            revoke(store, old)
            # What is read next is asked of the store again.
            w.command('cache', 'evict', '-m', w.point, '-b', 's', check=True)
            time.sleep(0.2)
    assert reader.reads > 3 * len(files) and not reader.errors, reader.result
    return reader.reads


def credential(store, key, secret):
    return {'access_key_id': key, 'access_key': secret, 'override_url': store.endpoint,
            'addressing_style': 'path'}


def check_rotation(t, w, store, top):
    with t.case(f'{w.name}: credentials rotate under load, and no read fails'):
        store.admin('user', 'create', '--uid=rotating', '--display-name=rotating')
        try:
            files = store_bucket(w, store, top)
            secrets = w.top + '/rotating-secrets'
            swap(secrets + '/s', 0, credential(store, 'ROTATED0000', 'secret-of-rotation-0000'))
            with serving(w, text_of(w, buckets(w, s={
                    'dataset_path': 's3://rotating/p', 'mode': 'read-only',
                    'default_credential': {'secretName': 's'}}), secrets_dir=secrets)) as m:
                reads = rotate_under_load(w, m, store, secrets, files)
            assert refused(store, 'ROTATED0001', 'secret-of-rotation-0001')
            with open(w.log) as f:
                assert 'secret-of-rotation' not in f.read()
            print(f'# {ROTATIONS} rotations, each key revoked, {reads} reads', flush=True)
        finally:
            store.admin('user', 'rm', '--uid=rotating', '--purge-data', '--purge-keys')


def test(t, w, only):
    run_lives(t, w, only(named('life_', globals())))
    if not only([('credentials', None)]):
        return
    top = f'{w.top}/rgw'
    os.mkdir(top)
    try:
        with ds_servers.Radosgw(top + '/state') as store:
            check_rotation(t, w, store, top)
    except ds_servers.NotInstalled as e:
        t.skip(f'{w.name}: credentials rotate under load', str(e))


if __name__ == '__main__':
    sys.exit(main(test))
