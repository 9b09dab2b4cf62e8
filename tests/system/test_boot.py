#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mounts that a machine makes by itself: mount(8) and fstab through the helper
mount.datasetfs, systemd through $NOTIFY_SOCKET and the unit in contrib."""
import contextlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness                                                # noqa: E402
from mount_world import (                                     # noqa: E402
    ask_status, fork_as, is_running, main, named, run_lives, wait_until)

WAIT_SECONDS = 20


def helper_path(w):
    """mount.datasetfs, as it is installed: a link to the program."""
    path = w.top + '/sbin/mount.datasetfs'
    if not os.path.lexists(path):
        os.mkdir(os.path.dirname(path))
        os.symlink(harness.PROGRAM, path)
    return path


def spawn(w, *args, uid=None, **kw):
    return subprocess.run(args, capture_output=True, text=True, timeout=60,
                          preexec_fn=harness.demote(uid) if uid else None, **kw)


def helper(w, *args, options='', source='none', point=None):
    """As mount(8) calls it, by whoever mounts."""
    return spawn(w, helper_path(w), source, point or w.point, *args, '-o',
                 f'rw,config={w.config}' + (options and ',' + options), uid=w.uid)


@contextlib.contextmanager
def helper_in_sbin(w):
    with harness.bound(os.path.dirname(helper_path(w)), os.path.realpath('/sbin')):
        yield


def sources(point):
    """What stands as source in the table of mounts, for each mount there."""
    with open('/proc/self/mountinfo') as f:
        lines = [line.split() for line in f]
    return [line[line.index('-') + 2] for line in lines if line[4] == point]


def check_serves(w):
    ok, names = fork_as(w.uid, os.listdir, w.path('production'))
    assert ok and 'imagenet@1' in names, names
    return ask_status(w)['pid']


def unmount(w):
    pid = check_serves(w)
    p = harness.run('unmount', w.point, uid=w.uid)
    assert p.returncode == 0, p
    assert wait_until(lambda: not is_running(pid), 5)


def boot_the_helper_mounts_as_fstab_says(w):
    p = helper(w, options='_netdev,nofail,noauto,user,x-systemd.automount,uid=77')
    assert p.returncode == 0, p
    assert sources(w.point) == ['none']
    ok, st = fork_as(w.uid, os.stat, w.path('production'))
    assert ok and st.st_uid == 77, st
    with open('/proc/self/mountinfo') as f:
        options = [line.split()[5] for line in f if line.split()[4] == w.point]
    assert 'ro' in options[0].split(','), options
    unmount(w)


def boot_words_of_the_cache_are_taken(w):
    other = w.top + '/cache-of-fstab'
    shutil.rmtree(other, ignore_errors=True)
    os.mkdir(other)
    if w.uid:
        os.chown(other, w.uid, w.uid)
    p = helper(w, options=f'cache-dir={other},cache-size=64MiB')
    assert p.returncode == 0, p
    assert ask_status(w)['cache']['disk']['size'] == 64 << 20
    assert os.listdir(other)
    unmount(w)
    p = helper(w, options='cache-size=many')
    assert p.returncode == 1 and 'many' in p.stderr, p
    p = helper(w, options='strict')
    assert p.returncode == 1 and 'archive' in p.stderr, p
    assert not harness.is_mounted(w.point)


def boot_errors_are_told_in_codes_of_mount(w):
    p = helper(w, options='confgi=/x')
    assert p.returncode == 1 and 'confgi=/x' in p.stderr and 'config=FILE' in p.stderr, p
    p = spawn(w, helper_path(w), 'none', w.point, '-o', 'config=/nowhere/c.yaml', uid=w.uid)
    assert p.returncode == 32 and '/nowhere/c.yaml' in p.stderr, p
    p = helper(w, point=w.top + '/nowhere')
    assert p.returncode == 32 and 'mkdir' in p.stderr, p
    p = helper(w, source='a,allow_other')
    assert p.returncode == 1 and 'comma' in p.stderr, p
    for words in ([], ['none'], ['none', w.point, 'more'], ['none', w.point, '-x']):
        p = spawn(w, helper_path(w), *words, uid=w.uid)
        assert p.returncode == 1 and p.stderr.startswith('error: '), (words, p)
    p = spawn(w, helper_path(w), '--help', uid=w.uid)
    assert p.returncode == 0 and 'config=FILE' in p.stdout and not p.stderr, p
    assert not harness.is_mounted(w.point)
    m = w.mount().start()
    p = helper(w)
    assert p.returncode == 32 and str(m.process.pid) in p.stderr, p
    assert m.stop() == 0


def boot_options_of_mount_itself_stand_anywhere(w):
    p = spawn(w, helper_path(w), '-n', '-o', f'config={w.config}', '-v', '-t', 'fuse.datasetfs',
              'shelf', w.point, '-o', 'ro', uid=w.uid, env=dict(os.environ, POSIXLY_CORRECT='1'))
    assert p.returncode == 0, p
    assert sources(w.point) == ['shelf']
    unmount(w)


def boot_fake_checks_and_mounts_nothing(w):
    p = helper(w, '-f')
    assert p.returncode == 0 and not harness.is_mounted(w.point), p
    p = helper(w, '-f', options='bogus')
    assert p.returncode == 1 and 'bogus' in p.stderr, p
    p = spawn(w, helper_path(w), 'none', w.point, '-f', '-o', 'config=/nowhere', uid=w.uid)
    assert p.returncode == 32, p


def boot_sloppy_leaves_out_what_is_unknown(w):
    p = helper(w, '-s', options='bogus,uid=77,uid=x')
    assert p.returncode == 0, p
    ok, st = fork_as(w.uid, os.stat, w.path('production'))
    assert ok and st.st_uid == 77, st
    unmount(w)


def boot_mount_finds_the_helper(w):
    """mount(8) itself, from fstab: twice, as boots and administrators do."""
    table = w.top + '/fstab'
    with open(table, 'w') as f:
        f.write(f'none {w.point} datasetfs config={w.config},_netdev,nofail,noauto,user 0 0\n')
    names = w.top + '/passwd'
    shutil.copy('/etc/passwd', names)
    if w.uid and w.uid not in [u.pw_uid for u in pwd.getpwall()]:
        with open(names, 'a') as f:
            f.write(f'datasetfs-test:x:{w.uid}:{w.uid}::/:/bin/sh\n')
    with helper_in_sbin(w), harness.bound(table, '/etc/fstab'), harness.bound(names, '/etc/passwd'):
        p = spawn(w, 'mount', w.point, uid=w.uid)
        assert p.returncode == 0, p
        pid = check_serves(w)
        assert sources(w.point) == ['none']
        p = spawn(w, 'umount', w.point, uid=w.uid)
        assert p.returncode == 0 and not harness.is_mounted(w.point), p
        assert wait_until(lambda: not is_running(pid), 5)

        if not w.uid:
            with open(table, 'w') as f:
                f.write(f'none {w.point} datasetfs config={w.config},_netdev 0 0\n')
            for _ in range(2):      # the second sees that it is mounted
                p = spawn(w, 'mount', '-a')
                assert p.returncode == 0, p
                assert sources(w.point) == ['none'], p
            unmount(w)
            p = spawn(w, 'mount', '-t', 'datasetfs', '-o', f'config={w.config},bogus', 'none',
                      w.point)
            assert p.returncode == 1 and 'bogus' in p.stderr, p
            assert not harness.is_mounted(w.point)


def boot_another_namespace_is_entered(w):
    if w.uid:       # setns(2) needs the privilege: it says so
        p = helper(w, '-N', '/proc/self/ns/mnt')
        assert p.returncode == 32 and 'namespace' in p.stderr, p
        return
    other = subprocess.Popen(['unshare', '--mount', '--propagation', 'private', 'sh', '-c',
                              'echo; exec sleep 600'], stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        p = helper(w, '-N', f'/proc/{other.pid}/ns/mnt')
        assert p.returncode == 0 and not harness.is_mounted(w.point), p
        with open(f'/proc/{other.pid}/mountinfo') as f:
            assert any(line.split()[4] == w.point for line in f)
        p = spawn(w, 'nsenter', f'--mount=/proc/{other.pid}/ns/mnt', harness.PROGRAM, 'unmount',
                  w.point)
        assert p.returncode == 0, p
    finally:
        other.kill()
        other.wait()


@contextlib.contextmanager
def manager(w, kind):
    """A service manager's end: the value of NOTIFY_SOCKET and the socket."""
    name = f'{w.top}/notify' if kind == 'path' else f'@datasetfs-test-{os.getpid()}-{w.name}'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.settimeout(WAIT_SECONDS)
        s.bind(name if kind == 'path' else '\0' + name[1:])
        if kind == 'path':
            os.chmod(name, 0o777)
        try:
            yield name, s
        finally:
            if kind == 'path':
                os.unlink(name)


def nothing_came(s):
    s.settimeout(0.2)
    try:
        return s.recv(4096) is None
    except TimeoutError:
        return True


def boot_the_service_manager_is_told(w):
    for kind in ('path', 'abstract'):
        with manager(w, kind) as (name, s):
            m = w.mount(env={'NOTIFY_SOCKET': name}).start()
            assert s.recv(4096) == b'READY=1', kind
            check_serves(w)
            assert nothing_came(s), kind
            s.settimeout(WAIT_SECONDS)
            assert m.stop() == 0, m.log()
            assert s.recv(4096) == b'STOPPING=1', kind
            assert nothing_came(s), kind


def boot_the_service_manager_is_told_of_a_umount_by_hand(w):
    with manager(w, 'path') as (name, s):
        m = w.mount(env={'NOTIFY_SOCKET': name}).start()
        assert s.recv(4096) == b'READY=1'
        p = harness.run('unmount', w.point, uid=w.uid)
        assert p.returncode == 0, p
        assert s.recv(4096) == b'STOPPING=1'
        assert m.process.wait(10) == 0, m.log()


def boot_what_does_not_serve_is_not_ready(w):
    with manager(w, 'path') as (name, s):
        p = harness.run('-c', w.config, 'mount', '-f', '--strict', w.point, uid=w.uid,
                        env={'NOTIFY_SOCKET': name})
        assert p.returncode == 2, p
        assert nothing_came(s)
        # In the background it is no service of Type=notify.
        p = w.command('mount', w.point, env={'NOTIFY_SOCKET': name})
        assert p.returncode == 0, p
        unmount(w)
        assert nothing_came(s)


def boot_a_service_manager_that_is_not_there_is_no_failure(w):
    for name in (w.top + '/no-such-socket', 'relative', '@', '/' + 'x' * 200, ''):
        m = w.mount(env={'NOTIFY_SOCKET': name}).start()
        check_serves(w)
        assert m.stop() == 0, (name, m.log())
        told = 'service manager' in m.log()
        assert told or not name, (name, m.log())
        os.unlink(w.log)


# systemd.exec(5): each gives the service a mount namespace of its own.
PRIVATE = re.compile(
    r'^(Private(Tmp|Devices|Mounts|Users|IPC)|Protect(System|Home|Proc|Kernel\w+|ControlGroups|'
    r'Hostname)|(ReadOnly|ReadWrite|Inaccessible|Exec|NoExec|BindReadOnly|Bind)Paths|'
    r'TemporaryFileSystem|MountFlags|MountImages|ExtensionImages|Root\w+|DynamicUser|'
    r'LogNamespace|ProcSubset|MountAPIVFS)\s*=', re.M)


def check_unit(t, top):
    built = os.path.join(os.environ.get('top_builddir') or os.getcwd(),
                         'contrib/datasetfs.service')
    with t.case('the unit: Type=notify, in the mount namespace of the host'):
        with open(built) as f:
            text = f.read()
        assert '@' not in text, text
        assert re.search(r'^Type=notify$', text, re.M)
        assert re.search(r'^ExecStart=/\S+/datasetfs mount --foreground /datasets$', text, re.M)
        assert re.search(r'^ExecStop=/\S+/datasetfs unmount /datasets$', text, re.M)
        assert not PRIVATE.search(text), PRIVATE.search(text)
        # It would keep a dead mount from being cleared by the next start.
        assert not re.search(r'^(Condition|Assert)\w+=.*/datasets', text, re.M)
        assert PRIVATE.search(text + 'PrivateTmp=yes\n')
    if shutil.which('systemd-analyze'):
        with t.case('the unit passes systemd-analyze verify'):
            path = top + '/datasetfs.service'
            with open(path, 'w') as f:
                f.write(re.sub(r'/\S+/datasetfs (?=mount|unmount)', harness.PROGRAM + ' ', text))
            p = spawn(None, 'systemd-analyze', 'verify', '--man=no', path)
            assert p.returncode == 0 and not p.stderr, p


def test(t, w, only):
    if not w.uid:
        check_unit(t, w.top)
    run_lives(t, w, only(named('boot_', globals())))


if __name__ == '__main__':
    sys.exit(main(test))
