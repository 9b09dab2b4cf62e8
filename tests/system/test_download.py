#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dataset download: what lies in the folder afterwards is what the version
holds, byte by byte, whatever was there before, is damaged, or comes between."""
import contextlib
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness                                                # noqa: E402
from mount_bucket import Bucket, etag_of                      # noqa: E402
from mount_store import Store                                 # noqa: E402
from mount_world import main, named, run_lives, wait_until, walk_files    # noqa: E402

DONE, NO, USAGE, MISSING, INTEGRITY, ENVIRONMENT, INTERRUPTED = 0, 1, 2, 3, 6, 8, 130
SLOW_FILES = 600


def target(w, name):
    """A folder of the user's own that is not there yet, in one that is."""
    top = w.top + '/out'
    if not os.path.exists(top):
        os.mkdir(top)
        if w.uid:
            os.chown(top, w.uid, w.uid)
    return f'{top}/{name}'


def download(w, *words, config=None):
    return harness.run('-c', config or w.config, 'dataset', 'download', *words, uid=w.uid)


def holds(folder, files):
    """The folder has these files, whole, and nothing else."""
    found = walk_files(folder) if os.path.isdir(folder) else {}
    assert set(found) == set(files), sorted(set(found) ^ set(files))[:5]
    for name, data in files.items():
        with open(found[name], 'rb') as f:
            assert f.read() == data, name


def all_whole(folder, files):
    """Each file that is there is one of these, whole; how many there are."""
    found = walk_files(folder) if os.path.isdir(folder) else {}
    holds(folder, {name: files[name] for name in found})
    return len(found)


def ended(out, code, *words):
    assert out.returncode == code, f'exit {out.returncode}\n{out.stdout}{out.stderr}'
    for word in words:
        assert word in out.stdout + out.stderr, f'{word!r} is not in:\n{out.stdout}{out.stderr}'
    return out


def as_user(w, path):
    if w.uid:
        os.chown(path, w.uid, w.uid, follow_symlinks=False)


def put(w, path, data):
    missing = []
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    for made in missing:
        as_user(w, made)
    with open(path, 'wb') as f:
        f.write(data)
    as_user(w, path)


def get_everything(w):
    out = target(w, 'everything')
    doc = json.loads(ended(download(w, 'imagenet:1', out, '--json'), DONE).stdout)
    holds(out + '/imagenet', w.v1)
    n_bytes = sum(map(len, w.v1.values()))
    assert doc['schema'] == 'datasetfs.dataset-download/1', doc
    assert (doc['bucket'], doc['name'], doc['version']) == ('production', 'imagenet', 1), doc
    assert doc['path'] == out + '/imagenet', doc
    assert doc['wanted'] == doc['fetched'] == {'files': len(w.v1), 'bytes': n_bytes}, doc
    assert doc['were_there'] == doc['failed'] == {'files': 0, 'bytes': 0}, doc
    assert (doc['unverified_files'], doc['failures'], doc['error']) == (0, [], None), doc
    st = os.stat(out + '/imagenet/train/large.bin')
    assert (st.st_mode & 0o777, st.st_uid) == (0o644, w.uid or 0), st


def get_into_a_link_of_the_users(w):
    out = target(w, 'linked')
    os.mkdir(out)
    as_user(w, out)
    os.symlink(out, out + '-link')
    ended(download(w, 'imagenet:1', out + '-link', '-x', 'README'), DONE, '1 files')
    holds(out + '/imagenet', {'README.txt': w.v1['README.txt']})


def get_other_kinds(w):
    out = target(w, 'kinds')
    ended(download(w, 'sets:1', out + '/empty'), DONE, '0 files')
    holds(out + '/empty/sets', {})
    ended(download(w, 'sets:2', out + '/legacy'), DONE, 'nothing but their size could be checked of 2 files')
    holds(out + '/legacy/sets', {'plain.txt': b'plain\n', 'sub/two': b'2'})


def get_while_a_daemon_has_the_cache(w):
    out = target(w, 'beside')
    with w.mount():
        ended(download(w, 'imagenet:1', out, '-x', 'train'), DONE)
        assert w.command('status', w.point).returncode == 0
    holds(out + '/imagenet', {k: v for k, v in w.v1.items() if k.startswith('train')})


def get_by_regex(w):
    out = target(w, 'regex')
    ended(download(w, '-x', 'many/f0000[0-4]|train/.*bin', 'imagenet:1', out), DONE, '7 files')
    holds(out + '/imagenet', {k: v for k, v in w.v1.items()
                              if k in ('train/a.bin', 'train/large.bin') or
                              k.startswith('many/f0000') and k[-1] in '01234'})
    assert sorted(os.listdir(out + '/imagenet')) == ['many', 'train']
    ended(download(w, '-x', 'ain/a', 'imagenet:1', out + '2'), DONE, '0 files')
    ended(download(w, '-x', '(', 'imagenet:1', out + '3'), USAGE, 'error: regex')
    assert not os.path.exists(out + '3')


def get_refuses_what_is_there(w):
    out = target(w, 'there')
    put(w, out + '/imagenet/other', b'not of the dataset')
    put(w, out + '/imagenet/many/f00007', b'mine\n')
    ended(download(w, 'imagenet:1', out), NO, 'many/f00007: it is there already', '--resume', 'nothing was fetched')
    holds(out + '/imagenet', {'other': b'not of the dataset', 'many/f00007': b'mine\n'})
    ended(download(w, 'imagenet:1', out, '-x', 'many/f00008'), DONE)
    with open(out + '/imagenet/many/f00008', 'rb') as f:
        assert f.read() == w.v1['many/f00008']
    put(w, out + '2/imagenet/train', b'a file in place of a folder')
    ended(download(w, 'imagenet:1', out + '2'), NO, 'in place of its folder', 'nothing was fetched')
    holds(out + '2/imagenet', {'train': b'a file in place of a folder'})


def get_resumes(w):
    out = target(w, 'resume')
    ended(download(w, 'imagenet:1', out), DONE)
    top = out + '/imagenet/'
    inodes = {name: os.stat(top + name).st_ino for name in w.v1}
    large = bytearray(w.v1['train/large.bin'])
    large[8 << 20] ^= 1                       # in its second part
    changed = {'train/large.bin': bytes(large), 'README.txt': b'hallo\n', 'exactly-8MiB': b'short',
               'many/f00001': b'', 'empty': b'not any more'}
    for name, data in changed.items():
        put(w, top + name, data)
    os.unlink(top + 'many/f00002')
    os.unlink(top + 'train/a.bin')
    put(w, out + '/elsewhere', w.v1['train/a.bin'])
    os.symlink(out + '/elsewhere', top + 'train/a.bin')
    os.lchown(top + 'train/a.bin', w.uid or 0, w.uid or 0)
    os.unlink(top + 'many/f00003')
    os.mkfifo(top + 'many/f00003')
    as_user(w, top + 'many/f00003')
    put(w, top + 'mine', b'stays')

    doc = json.loads(ended(download(w, '--resume', 'imagenet:1', out, '--json'), DONE).stdout)
    fetched = set(changed) | {'many/f00002', 'train/a.bin', 'many/f00003'}
    assert doc['fetched']['files'] == len(fetched), doc
    assert doc['were_there']['files'] == len(w.v1) - len(fetched), doc
    holds(out + '/imagenet', dict(w.v1, mine=b'stays'))
    for name, inode in inodes.items():
        assert name in fetched or os.stat(top + name).st_ino == inode, name
    assert not os.path.islink(top + 'train/a.bin')
    assert os.stat(out + '/elsewhere').st_nlink == 1
    doc = json.loads(ended(download(w, '-r', 'imagenet:1', out, '--json'), DONE).stdout)
    assert doc['were_there']['files'] == len(w.v1) and not doc['fetched']['files'], doc


def get_follows_no_link(w):
    out = target(w, 'links')
    outside = target(w, 'outside')
    os.makedirs(out + '/imagenet')
    os.mkdir(outside)
    for path in (out, out + '/imagenet', outside):
        as_user(w, path)
    os.symlink(outside, out + '/imagenet/train')
    os.lchown(out + '/imagenet/train', w.uid or 0, w.uid or 0)
    ended(download(w, 'imagenet:1', out), NO, 'symlink', 'nothing was fetched')
    doc = ended(download(w, '--resume', 'imagenet:1', out, '--json'), NO, 'train/a.bin: a file or a symlink')
    doc = json.loads(doc.stdout)
    in_it = [name for name in w.v1 if name.startswith('train/')]
    assert doc['failed']['files'] == len(in_it), doc
    assert sorted(f['path'] for f in doc['failures']) == sorted(in_it), doc
    assert os.listdir(outside) == []
    os.makedirs(out + '-top')
    as_user(w, out + '-top')
    os.symlink(outside, out + '-top/imagenet')
    ended(download(w, '--resume', 'imagenet:1', out + '-top'), ENVIRONMENT, 'imagenet')
    assert os.listdir(outside) == []


def get_tells_what_cannot_be_read(w):
    out = target(w, 'unreadable')
    got = ended(download(w, 'imagenet:2', out), NO, 'error: forbidden: ', 'error: missing: ',
                f'2 of {len(w.v2) + 2} files could not be fetched', '--resume')
    assert got.stderr.count('error: ') == 3, got.stderr
    holds(out + '/imagenet', w.v2)
    ended(download(w, 'imagenet:2', out + '2', '-x', 'missing'), MISSING, '1 of 1 files')
    holds(out + '2/imagenet', {})
    ended(download(w, 'imagenet:nine', out + '3'), MISSING)
    ended(download(w, 'robots', out + '3'), USAGE)
    ended(download(w, 'imagenet:2'), USAGE, 'one dataset and one folder')
    assert not os.path.exists(out + '3')


def hostile_bucket(w):
    """A dataset with damaged objects, and one whose paths lead elsewhere."""
    folder = w.top + '/store/hostile'
    b = Bucket(folder, catalog_id='hostile')
    files = {'good': b'good\n', 'dir/good': b'good too\n', 'large-good': bytes(range(251)) * 40_000}
    bad = {'small': b'right\n', 'large': bytes(range(256)) * 40_000, 'short': b'x' * 100}
    ds = b.dataset('damaged')
    b.version(ds, 1, {**files, **bad})
    b.publish(ds, tags={'latest': 1})
    for name, data in bad.items():
        damaged = bytearray(data)
        damaged[-1] ^= 1
        b.put(f'{ds}/hashes/{etag_of(data)}', bytes(damaged[:50] if name == 'short' else damaged))
    ds = b.dataset('paths')
    entries = [{'relative_path': path, 'storage_path': b.blob(ds, b'evil\n'), 'url': '', 'size': 5,
                'etag': etag_of(b'evil\n')}
               for path in ('../up', 'a/../../up', '/abs' + w.top + '/abs', './/./x', 'a/..', '..',
                            '.tmp-1-1', 'e\x1b[2Jscape', 'n' * 300, 'd/' * 40 + 'deep')]
    b.version(ds, 1, files, extra=entries)
    b.publish(ds, tags={'latest': 1})
    subprocess.run(['chmod', '-R', 'a+rX', folder], check=True)
    config = harness.write_config(w.top + '/hostile.yaml', {'h': {'dataset_path': b.uri}}, default='h',
                                  cache_dir=w.cache)
    return config, files, bad


def get_leaves_nothing_damaged(w):
    config, files, bad = hostile_bucket(w)
    out = target(w, 'damaged')
    got = ended(download(w, 'damaged', out, '--json', config=config), INTEGRITY,
                *(f'error: {name}: ' for name in bad), '3 of 6 files')
    holds(out + '/damaged', files)
    doc = json.loads(got.stdout)
    assert sorted(f['path'] for f in doc['failures']) == sorted(bad), doc
    assert {f['class'] for f in doc['failures']} == {'corrupt'}, doc


def get_builds_a_damaged_tree_again(w):
    out = target(w, 'tree')
    ended(download(w, 'imagenet:1', out + '1', '-x', 'README'), DONE)
    trees = [w.cache + '/trees/' + name for name in os.listdir(w.cache + '/trees') if name.endswith('.tree')]
    assert trees
    for path in trees:
        with open(path, 'r+b') as f:
            f.seek(os.path.getsize(path) // 2)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 1]))
    ended(download(w, 'imagenet:1', out), DONE)
    holds(out + '/imagenet', w.v1)


def get_stays_in_its_folder(w):
    config, files, _ = hostile_bucket(w)
    out = target(w, 'paths')
    before = set(walk_files(w.top + '/out'))
    got = download(w, 'paths', out, config=config)
    assert '\x1b' not in got.stdout + got.stderr, got.stderr
    new = set(walk_files(w.top + '/out')) - before
    assert new and all(name.startswith('paths/paths/') for name in new), new
    assert not os.path.exists(w.top + '/abs')
    for name, data in files.items():
        with open(f'{out}/paths/{name}', 'rb') as f:
            assert f.read() == data, name


@contextlib.contextmanager
def slow_bucket(w):
    """A bucket behind a store that can be made to wait."""
    folder = w.top + '/slow'
    files = {f'd{i % 7}/{i:04}': b'%d\n' % i * 3000 for i in range(SLOW_FILES)}
    files['a-large'] = bytes(range(253)) * 100_000
    with Store(folder) as store:
        if not os.path.exists(folder):
            b = Bucket(folder, uri=store.uri, catalog_id='slow')
            ds = b.dataset('slow')
            b.put(f'{ds}/foreign/object', b'foreign\n')
            b.version(ds, 1, files, extra=[
                {'relative_path': 'foreign', 'storage_path': f'{store.uri}/{ds}/foreign/object', 'url': '',
                 'size': 8, 'etag': etag_of(b'foreign\n')}])
            b.publish(ds, tags={'latest': 1})
            subprocess.run(['chmod', '-R', 'a+rX', folder], check=True)
        config = harness.write_config(
            w.top + '/slow.yaml', {'slow': store.bucket()},
            default='slow', cache_dir=w.cache, extra={'buckets': {'slow': {'catalog': 'file://' + folder}}})
        yield store, config, dict(files, foreign=b'foreign\n')


def stop_in_the_middle(w, store, config, out, sig):
    """The process, stopped by sig when some files are there and the store waits."""
    with subprocess.Popen([harness.PROGRAM, '-c', config, 'dataset', 'download', 'slow', out],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          preexec_fn=harness.demote(w.uid) if w.uid else None) as p:
        try:
            some = wait_until(lambda: sum('.tmp-' not in name for name in walk_files(out)) >= 50, 30)
            store.close_gate()
            assert some and p.poll() is None, p.stderr.read() if p.poll() is not None else 'too slow'
            time.sleep(0.5)                   # what was answered is written, the rest waits
            p.send_signal(sig)
            begin = time.monotonic()
            p.wait(20)
            took = time.monotonic() - begin
        finally:
            p.kill()
            store.open_gate()
        return p.returncode, p.stdout.read(), p.stderr.read(), took


def goes_on_after(w, sig, name):
    out = target(w, name)
    with slow_bucket(w) as (store, config, files):
        code, _, err, took = stop_in_the_middle(w, store, config, out, sig)
        n = all_whole(out + '/slow', files)
        assert 50 <= n < len(files), n
        doc = json.loads(ended(download(w, '--resume', 'slow', out, '--json', config=config), DONE).stdout)
        holds(out + '/slow', files)
        assert doc['were_there']['files'] == n and doc['unverified_files'] == 0, (n, doc)
    return code, err, took


def get_goes_on_after_kill_9(w):
    code, _, _ = goes_on_after(w, signal.SIGKILL, 'killed')
    assert code == -signal.SIGKILL


def get_goes_on_after_an_interrupt(w):
    for sig in (signal.SIGINT, signal.SIGTERM):
        code, err, took = goes_on_after(w, sig, f'interrupted-{sig}')
        assert code == INTERRUPTED and 'error: interrupted' in err and '--resume' in err, (code, err)
        assert took < 3, took


def get_says_that_the_disk_is_full(w):
    out = target(w, 'full')
    os.mkdir(out)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=12m,mode=777', 'full', out], check=True)
    try:
        got = ended(download(w, 'imagenet:1', out), ENVIRONMENT, 'No space left on device', '--resume')
        assert got.stderr.count('error: ') == 1, got.stderr
        all_whole(out + '/imagenet', w.v1)
        subprocess.run(['mount', '-o', 'remount,size=64m', out], check=True)
        ended(download(w, '--resume', 'imagenet:1', out), DONE)
        holds(out + '/imagenet', w.v1)
    finally:
        subprocess.run(['umount', out], check=True)
    ended(download(w, 'imagenet:1', '/proc/self'), ENVIRONMENT)
    ended(download(w, 'imagenet:1', w.config), ENVIRONMENT)


def on_a_terminal(w, out, *, is_terminal):
    """What is said on standard error, over a store that waits for a second."""
    ours, theirs = pty.openpty() if is_terminal else os.pipe()
    with slow_bucket(w) as (store, config, files):
        harness.run('-c', config, 'dataset', 'inspect', 'slow', uid=w.uid, check=True)    # its manifest is kept
        store.close_gate()
        p = subprocess.Popen([harness.PROGRAM, '-c', config, 'dataset', 'download', 'slow', out],
                             stdout=subprocess.DEVNULL, stderr=theirs,
                             preexec_fn=harness.demote(w.uid) if w.uid else None)
        os.close(theirs)
        try:
            time.sleep(1.5)
        finally:
            store.open_gate()
        said = b''
        while select.select([ours], [], [], 30)[0]:
            try:
                block = os.read(ours, 65536)
            except OSError:
                break
            if not block:
                break
            said += block
        os.close(ours)
        assert p.wait(30) == 0, said
        holds(out + '/slow', files)
    return said.decode()


def get_shows_progress_on_a_terminal_only(w):
    said = on_a_terminal(w, target(w, 'terminal'), is_terminal=True)
    assert f'0 of {SLOW_FILES + 2} files, 0 B of ' in said and said.endswith('\r\x1b[K'), repr(said)
    assert on_a_terminal(w, target(w, 'pipe'), is_terminal=False) == ''


def test(t, w, only):
    run_lives(t, w, only(named('get_', globals())))
    shutil.rmtree(w.top + '/out', ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main(test))
