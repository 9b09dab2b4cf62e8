#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From the start of a mount to its end: foreground and daemon, busy, dead, lazy,
handed in as a descriptor; what it tells, and what changes under it."""
import contextlib
import errno
import json
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness                                                # noqa: E402
from harness import run                                       # noqa: E402
from mount_bucket import etag_of                              # noqa: E402
from mount_world import (                                     # noqa: E402
    STRANGER, ask_status, check_every_file, device_socket, fails_with, fork_as, holder, is_running, main,
    named, run_lives, wait_until)


def life_foreground_ends_on_sigterm(w):
    m = w.mount().start()
    assert m.stop() == 0, m.log()
    assert not harness.is_mounted(w.point)


def life_busy_is_named_and_served(w):
    m = w.mount().start()
    with holder(w, w.path('production/imagenet@1/README.txt')) as pid:
        m.process.send_signal(signal.SIGTERM)
        assert wait_until(lambda: f'process {pid}' in m.log()), m.log()
        assert harness.is_mounted(w.point)
        ok, names = fork_as(w.uid, os.listdir, w.point)
        assert ok and 'production' in names
        p = run('unmount', w.point, uid=w.uid)
        assert p.returncode == 7 and f'process {pid}' in p.stderr, p
        assert f'datasetfs unmount --lazy {w.point}' in p.stderr, p
    assert m.stop() == 0, m.log()


def life_daemon_is_ready_when_the_command_returns(w):
    w.command('mount', w.point, check=True)
    ok, names = fork_as(w.uid, os.listdir, w.point)
    assert ok and 'production' in names, names
    pid = ask_status(w)['pid']
    p = run('unmount', w.point, uid=w.uid)
    assert p.returncode == 0, p
    assert not harness.is_mounted(w.point)
    assert wait_until(lambda: not is_running(pid), 5)


def life_a_daemon_starts_with_its_standard_files_closed(w):
    for closed in ('<&-', '>&-', '2>&-', '<&- >&-', '<&- >&- 2>&-'):
        p = subprocess.run(['sh', '-c', f'exec "$0" "$@" {closed}', harness.PROGRAM, '-c', w.config,
                            'mount', w.point], stderr=subprocess.DEVNULL, timeout=20,
                           preexec_fn=harness.demote(w.uid) if w.uid else None)
        # Nothing is written to stdout, so nothing fails.
        assert p.returncode == 0, (closed, p)
        pid = ask_status(w)['pid']

        def ticks():
            with open(f'/proc/{pid}/stat') as f:
                return sum(int(n) for n in f.read().rsplit(')', 1)[1].split()[11:13])

        before = ticks()
        time.sleep(0.5)
        assert ticks() - before < 0.25 * os.sysconf('SC_CLK_TCK'), closed
        os.kill(pid, signal.SIGTERM)
        assert wait_until(lambda: not is_running(pid), 5), closed
        assert not harness.is_mounted(w.point), closed


def life_too_few_descriptors_are_an_error_with_a_sentence(w):
    failed = 0
    for limit in range(6, 64):
        def prepare():
            if w.uid:
                harness.demote(w.uid)()
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

        p = subprocess.Popen([harness.PROGRAM, '-c', w.config, 'mount', '-f', w.point],
                             stderr=subprocess.PIPE, text=True, preexec_fn=prepare)
        try:
            assert wait_until(lambda: harness.is_mounted(w.point) or p.poll() is not None), limit
            if harness.is_mounted(w.point):
                break
            text = p.stderr.read()
            assert p.returncode == 8 and 'error: ' in text.splitlines()[-1], (limit, p.returncode, text)
            failed += 1
        finally:
            p.kill()
            p.communicate()
    assert failed > 2, failed


def life_a_daemon_reports_its_own_error(w):
    m = w.mount().start()
    p = w.command('mount', w.point)
    assert p.returncode == 7 and str(m.process.pid) in p.stderr, p
    other = w.top + '/other'
    os.makedirs(other, exist_ok=True)
    if w.uid:
        os.chown(other, w.uid, w.uid)
    p = w.command('mount', other)
    assert p.returncode == 7 and 'cache' in p.stderr and str(m.process.pid) in p.stderr, p
    assert m.stop() == 0
    p = w.command('mount', w.top + '/nowhere')
    assert p.returncode == 3 and 'mkdir' in p.stderr, p
    p = w.command('mount', w.top + '/store')
    assert p.returncode == 2 and 'not empty' in p.stderr, p
    p = w.command('mount', w.config)
    assert p.returncode == 2 and 'not a directory' in p.stderr, p
    p = w.command('mount', '-o', 'bogus', w.point)
    assert p.returncode == 2 and 'bogus' in p.stderr, p
    p = w.command('mount', '--strict', w.point)
    assert p.returncode == 2 and 'archive' in p.stderr, p
    assert not harness.is_mounted(w.point)


def life_content_is_kept_across_mounts(w):
    names = ['README.txt', 'train/a.bin', 'train/large.bin', 'exactly-8MiB']
    hashes = w.top + '/store/production/id-imagenet/hashes'

    def read_all():
        for name in names:
            with open(w.path('production/imagenet@1/' + name), 'rb') as f:
                if f.read() != w.v1[name]:
                    return name
        return None

    with w.mount() as m:
        assert fork_as(w.uid, read_all) == (True, None), m.log()
    os.rename(hashes, hashes + '.away')
    try:
        with w.mount() as m:
            assert fork_as(w.uid, read_all) == (True, None), m.log()
            cache = ask_status(w)['cache']
            assert cache['bytes_fetched'] == 0, cache
            assert cache['bytes_from_disk'] >= sum(len(w.v1[n]) for n in names), cache
            assert cache['disk']['problem'] is None, cache
    finally:
        os.rename(hashes + '.away', hashes)


def life_the_mount_of_a_dead_daemon_is_cleared(w):
    m = w.mount().start()
    m.kill()
    ok, text = fork_as(w.uid, os.listdir, w.point)
    assert not ok and 'Errno 107' in text, text
    with w.mount():
        ok, names = fork_as(w.uid, os.listdir, w.point)
        assert ok and 'production' in names, names
    assert not harness.is_mounted(w.point)


def life_unmount_says_what_is_wrong(w):
    p = run('unmount', w.point, uid=w.uid)
    assert p.returncode == 3, p
    p = run('unmount', '/proc', uid=w.uid)
    assert p.returncode == 2, p
    m = w.mount().start()
    if w.uid:
        p = run('unmount', w.point, uid=STRANGER)
        assert p.returncode in (4, 8) and harness.is_mounted(w.point), p
    m.stop()


def life_lazy_unmount_leaves_readers_alone(w):
    w.command('mount', w.point, check=True)
    pid = ask_status(w)['pid']
    go_out, go_in = os.pipe()

    def reader():
        f = open(w.path('production/imagenet@1/exactly-8MiB'), 'rb', buffering=0)
        os.write(ready_in, b'x')
        os.read(go_out, 1)
        return f.readall() == w.v1['exactly-8MiB']

    ready_out, ready_in = os.pipe()
    result = []
    t = threading.Thread(target=lambda: result.append(fork_as(w.uid, reader)))
    t.start()
    os.read(ready_out, 1)
    p = run('unmount', '--lazy', w.point, uid=w.uid)
    assert p.returncode == 0, p
    assert not harness.is_mounted(w.point) and is_running(pid)
    p = w.command('mount', w.point)     # the cache is still its
    assert p.returncode == 7 and str(pid) in p.stderr, p
    os.write(go_in, b'x')
    t.join()
    assert result == [(True, True)], result
    assert wait_until(lambda: not is_running(pid), 5)


def fusermount_descriptor(w):
    """A mounted descriptor of /dev/fuse, as a container runtime hands it in."""
    ours, theirs = socket.socketpair()
    env = dict(os.environ, _FUSE_COMMFD=str(theirs.fileno()))
    p = subprocess.run(['fusermount3', '-o', 'ro,nosuid,nodev,default_permissions,'
                        'fsname=datasetfs,subtype=datasetfs', '--', w.point],
                       pass_fds=[theirs.fileno()], env=env, capture_output=True, text=True,
                       preexec_fn=harness.demote(w.uid) if w.uid else None)
    assert p.returncode == 0, p.stderr
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    return fds[0]


def life_a_descriptor_as_mount_point(w):
    fd = fusermount_descriptor(w)
    log = open(w.log, 'ab')
    p = subprocess.Popen([harness.PROGRAM, '-c', w.config, 'mount', '-f', f'/dev/fd/{fd}'],
                         pass_fds=[fd], stdout=log, stderr=log,
                         preexec_fn=harness.demote(w.uid) if w.uid else None)
    os.close(fd)
    try:
        ok, names = fork_as(w.uid, os.listdir, w.point)
        assert ok and 'production' in names, names
        ok, name = fork_as(w.uid, os.getxattr, w.point, 'user.datasetfs.socket')
        assert ok and str(p.pid).encode() in name, name
        assert wait_until(lambda: f'mountpoint=/dev/fd/{fd} ' in open(w.log).read())
        p.send_signal(signal.SIGTERM)
        code = p.wait(10)
        assert code == 0, f'exit {code}\n' + open(w.log).read()
        ok, text = fork_as(w.uid, os.listdir, w.point)
        assert not ok and 'Errno 107' in text, text
    finally:
        p.kill()
        p.wait()
        subprocess.run(['umount', '-l', w.point])


def life_status_tells_the_owner(w):
    with w.mount():
        fork_as(w.uid, os.listdir, w.path('production/imagenet@1'))
        s = ask_status(w)
        assert s['schema'] == 'datasetfs.status/1'
        assert s['mountpoint'] == w.point
        by_name = {b['name']: b for b in s['buckets']}
        assert not by_name['archive']['usable'] and by_name['archive']['problem']
        assert by_name['production']['usable']
        assert by_name['production']['catalog']['age_ms'] >= 0
        assert by_name['production']['catalog']['stale'] is False
        v = s['versions_open'][0]
        assert (v['bucket'], v['dataset'], v['version']) == ('production', 'imagenet', 1)
        assert v['files'] == len(w.v1)
        assert s['memory']['used'] <= s['memory']['limit']
        assert s['cache']['waiting'] == 0
        assert ask_status(w, 'format disk\n') is None
        assert ask_status(w, 'x' * 500) is None
        foreign = ask_status(w, uid=STRANGER)
        if w.uid:
            assert foreign is None      # not allow_other: nothing for others
            p = run('status', w.point, uid=STRANGER)
            assert p.returncode == 4 and 'owner' in p.stderr, p
        else:
            assert 'last_problem' not in foreign
            assert 'problem' not in foreign['buckets'][0]


def life_status_answers_where_its_name_is_taken(w):
    """Whoever had the device number before is about to end, and has the name still."""
    for _ in range(20):
        with w.mount():
            name = fork_as(w.uid, device_socket, w.point)[1]
        with socket.socket(socket.AF_UNIX) as before:
            before.bind(name)
            with w.mount() as m:
                if fork_as(w.uid, device_socket, w.point)[1] != name:
                    continue            # another mount was quicker
                before.close()
                p = w.command('status', '--json', w.point)
                assert p.returncode == 0, (p, m.log())
                assert json.loads(p.stdout)['mountpoint'] == w.point, p.stdout
                return
    raise AssertionError('no mount got the number of the one before')


def life_options_change_what_is_shown(w):
    options = 'uid=77,gid=88,umask=0222,exec,inode32'
    def look():
        st = os.stat(w.path('production/imagenet@1/README.txt'))
        assert st.st_uid == 77 and st.st_gid == 88
        assert 0 < st.st_ino < 1 << 32
        return stat.S_IMODE(st.st_mode)

    with w.mount(options):
        ok, mode = fork_as(w.uid, look)
        assert ok and mode == 0o555, mode
    with w.mount('noxattr'):
        ok, detail = fork_as(w.uid, fails_with, errno.EOPNOTSUPP, os.getxattr,
                             w.path('production/imagenet@1'), 'user.datasetfs.size')
        assert ok, detail


def life_inode_numbers_survive_a_restart(w):
    def numbers():
        return [os.lstat(w.path(p)).st_ino for p in
                ('production', 'production/imagenet@1', 'production/imagenet@latest',
                 'production/imagenet@2/train/a.bin', 'production/robots')]

    with w.mount():
        before = fork_as(w.uid, numbers)
    with w.mount():
        assert fork_as(w.uid, numbers) == before and before[0]


def life_damaged_content_is_taken_back(w):
    """A large file is served before all of it is verified; when it turns out
    wrong, what the kernel keeps of it goes as well."""
    b, ds, name = w.bucket, 'id-imagenet', 'id-imagenet/hashes/' + etag_of(w.v1['train/large.bin'])
    path = w.path('production/imagenet@1/train/large.bin')
    good = w.v1['train/large.bin']
    bad = good[:-5] + bytes([good[-5] ^ 1]) + good[-4:]
    b.put(name, bad)
    subprocess.run(['chmod', '-R', 'a+rX', w.top + '/store'], check=True)

    def first():
        fd = os.open(path, os.O_RDONLY)
        return os.pread(fd, 4096, 0) == good[:4096]

    def read_all():
        fd = os.open(path, os.O_RDONLY)
        at = 0
        while at < len(good):
            try:
                at += len(os.pread(fd, 1 << 20, at))
            except OSError as e:
                return e.errno
        return 0

    def cached_begin():
        fd = os.open(path, os.O_RDONLY)
        try:
            return len(os.pread(fd, 4096, 0))
        except OSError as e:
            return e.errno

    try:
        with w.mount() as m:
            assert fork_as(w.uid, first) == (True, True)
            fork_as(w.uid, read_all)
            # Its first pages were right, and in the page cache.
            assert wait_until(lambda: fork_as(w.uid, cached_begin) == (True, errno.EIO)), m.log()
            assert fork_as(w.uid, read_all) == (True, errno.EIO)
            assert ask_status(w)['cache']['damaged'] >= 1
            assert 'pages are dropped' in m.log()
            assert m.log().count('path="train/large.bin"') <= 2, m.log()
    finally:
        b.put(name, good)
        subprocess.run(['chmod', '-R', 'a+rX', w.top + '/store'], check=True)
    with w.mount() as m:
        assert fork_as(w.uid, read_all) == (True, 0), m.log()


def life_a_damaged_tree_is_built_again(w):
    def content():
        v = w.path('production/imagenet@1')
        return sorted(os.listdir(v + '/many')), sorted(os.listdir(v))

    with w.mount():
        ok, before = fork_as(w.uid, content)
        assert ok, before
    trees = os.path.join(w.cache, 'trees')
    damaged = 0
    for name in os.listdir(trees):
        with open(os.path.join(trees, name), 'r+b') as f:
            size = f.seek(0, os.SEEK_END)
            for at in range(size // 3, size, 1000):     # its beginning stays
                f.seek(at)
                byte = f.read(1)[0]
                f.seek(at)
                f.write(bytes([byte ^ 0x55]))
                damaged += 1
    assert damaged > 20
    with w.mount() as m:
        assert fork_as(w.uid, content) == (True, before), m.log()
        ok, detail = fork_as(w.uid, check_every_file, w)
        assert ok, detail


def life_a_cache_that_was_emptied_is_filled_again(w):
    shutil.rmtree(os.path.join(w.cache, 'trees'), ignore_errors=True)
    with w.mount() as m:
        ok, detail = fork_as(w.uid, os.listdir, w.path('production/imagenet@1'))
        assert ok, detail
        for name in os.listdir(w.cache):
            path = os.path.join(w.cache, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        ok, detail = fork_as(w.uid, check_every_file, w)
        assert ok, (detail, m.log())
        assert os.listdir(os.path.join(w.cache, 'trees'))


@contextlib.contextmanager
def unusable_cache(w, kind):
    """A cache directory of the kind, at the path that it yields."""
    path = os.path.join(w.top, 'unusable')
    if kind == 'file':
        open(path, 'w').close()
    elif kind == 'open':
        os.mkdir(path)
        os.chmod(path, 0o1777)
        os.chown(path, w.uid or 0, -1)
    elif kind == 'foreign':
        os.mkdir(path, 0o755)
        os.chown(path, STRANGER, -1)
    elif kind == 'fifo':
        os.mkfifo(path)
    elif kind in ('full', 'read-only'):
        os.mkdir(path)
        options = f'size=64k,uid={w.uid or 0},mode=700'
        subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'none', path], check=True)
        if kind == 'read-only':
            subprocess.run(['mount', '-o', 'remount,ro', path], check=True)
        else:
            subprocess.run(['fallocate', '-l', '64k', path + '/ballast'], check=True)
    try:
        yield path if kind != 'proc' else '/proc/self/nothing'
    finally:
        if kind in ('full', 'read-only'):
            subprocess.run(['umount', '-l', path], check=True)
            os.rmdir(path)
        elif os.path.isdir(path):
            assert os.listdir(path) == [], kind
            os.rmdir(path)
        elif kind != 'proc':
            os.unlink(path)


def life_an_unusable_cache_directory_is_told_and_all_is_served(w):
    kinds = ['file', 'fifo', 'proc', 'open']
    if os.geteuid() == 0:
        kinds += ['foreign', 'full', 'read-only']
    for kind in kinds:
        with unusable_cache(w, kind) as path:
            p = w.command('mount', '--cache-dir', path, w.point)
            try:
                assert p.returncode == 0, (kind, p)
                assert p.stderr.count('serving without the cache directory') == 1, (kind, p)
                assert ('chmod go-w ' in p.stderr) == (kind == 'open'), p
                assert ('then chown ' in p.stderr) == (kind == 'foreign'), p
                ok, detail = fork_as(w.uid, check_every_file, w)
                assert ok, (kind, detail, ask_status(w)['last_problem'])
            finally:
                stopped = run('unmount', w.point, uid=w.uid)
            assert stopped.returncode == 0, (kind, stopped)
    p = w.command('mount', w.point)
    assert p.returncode == 0 and 'cache directory' not in p.stderr, p
    assert run('unmount', w.point, uid=w.uid).returncode == 0


def life_a_publication_is_seen_and_a_deleted_version_stays_for_readers(w):
    b, ds = w.bucket, 'id-imagenet'
    shown = w.path('production/imagenet@3')
    with w.mount() as m:
        ok, _ = fork_as(w.uid, os.listdir, w.path('production'))
        b.version(ds, 3, {'third': b'3' * (9 << 20)})
        b.publish(ds, tags=dict(b.heads[ds]['tags'], latest=3))
        subprocess.run(['chmod', '-R', 'a+rX', w.top + '/store'], check=True)
        start = time.monotonic()
        assert wait_until(lambda: fork_as(w.uid, os.path.exists, shown)[1]), m.log()
        assert time.monotonic() - start < 10.5
        assert fork_as(w.uid, os.readlink, w.path('production/imagenet@latest'))[1] == 'imagenet@3'

        def stay(go, ready):
            fd = os.open(shown + '/third', os.O_RDONLY)
            os.chdir(shown)
            os.pread(fd, 10, 0)
            os.write(ready, b'x')
            os.read(go, 1)
            assert not os.path.exists(shown)
            assert os.pread(fd, 10, 8 << 20) == b'3' * 10
            return os.listdir('.')

        go_out, go_in = os.pipe()
        ready_out, ready_in = os.pipe()
        result = []
        t = threading.Thread(target=lambda: result.append(
            fork_as(w.uid, stay, go_out, ready_in)))
        t.start()
        os.read(ready_out, 1)
        b.publish(ds, tags=dict(b.heads[ds]['tags'], latest=2), deleted=[3])
        assert wait_until(lambda: not fork_as(w.uid, os.path.exists, shown)[1]), m.log()
        os.write(go_in, b'x')
        t.join()
        assert result == [(True, ['third'])], result


def life_another_catalog_at_the_place_makes_uncached_reads_stale(w):
    b = w.bucket
    with w.mount() as m:
        fork_as(w.uid, os.listdir, w.path('production/imagenet@1'))
        go_out, go_in = os.pipe()
        ready_out, ready_in = os.pipe()

        def stay():
            fd = os.open(w.path('production/imagenet@1/train/a.bin'), os.O_RDONLY)
            os.write(ready_in, b'x')
            os.read(go_out, 1)
            try:
                return os.pread(fd, 10, 0)
            except OSError as e:
                return e.errno

        result = []
        t = threading.Thread(target=lambda: result.append(fork_as(w.uid, stay)))
        t.start()
        os.read(ready_out, 1)
        b.put('.datasetfs/format.json', {'format': 1, 'id': 'catalog-9'})
        subprocess.run(['chmod', '-R', 'a+rX', w.top + '/store'], check=True)

        # Somebody looks, so that the mount does.
        def looked():
            fork_as(w.uid, os.listdir, w.path('production'))
            return False
        wait_until(looked, 10)
        os.write(go_in, b'x')
        t.join()
        b.put('.datasetfs/format.json', {'format': 1, 'id': 'catalog-1'})
        subprocess.run(['chmod', '-R', 'a+rX', w.top + '/store'], check=True)
        assert result == [(True, errno.ESTALE)], (result, m.log())


def test(t, w, only):
    run_lives(t, w, only(named('life_', globals())))


if __name__ == '__main__':
    sys.exit(main(test))
