#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The mount as its users see it: the same cases for a mount of root's and for
one of an ordinary user without capabilities (by fusermount3).

Each case runs in a process of the user that it is for.
"""
import contextlib
import ctypes
import errno
import json
import mmap
import os
import pickle
import random
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness                                                # noqa: E402
from harness import PROGRAM, Mount, Tap, run                  # noqa: E402
from mount_bucket import Bucket, etag_of                      # noqa: E402
from mount_store import Store                                 # noqa: E402

USER = 1000
STRANGER = 2345
libc = ctypes.CDLL(None, use_errno=True)

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_BIND = 1, 2, 4, 4096


# A child of another thread must not inherit this one's end of a pipe: the
# reader would wait for that child too.
forking = threading.Lock()


def fork_as(uid, fn, *args):
    """fn(*args) in a child that is uid; its result, or its exception's text."""
    with forking:
        out, into = os.pipe()
        pid = os.fork()
        if pid:
            os.close(into)
    if pid == 0:
        os.close(out)
        try:
            if uid:
                harness.demote(uid)()
            answer = (True, fn(*args))
        except BaseException:
            answer = (False, traceback.format_exc())
        with os.fdopen(into, 'wb') as f:
            pickle.dump(answer, f)
        os._exit(0)
    with os.fdopen(out, 'rb') as f:
        data = f.read()
    os.waitpid(pid, 0)
    return pickle.loads(data) if data else (False, 'the child died')


def fails_with(code, fn, *args, **kw):
    try:
        fn(*args, **kw)
    except OSError as e:
        assert e.errno == code, f'{e} instead of {errno.errorcode[code]}'
    else:
        raise AssertionError(f'{fn.__name__}{args} succeeded')


def wait_until(what, seconds=15):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


# ---- what is mounted --------------------------------------------------------

def make_files():
    rng = random.Random(5)
    files = {
        'README.txt': b'hello\n',
        'empty': b'',
        'train/a.bin': rng.randbytes(70_001),
        'train/deep/er/and/deeper/x': b'x',
        'train/large.bin': rng.randbytes((9 << 20) + 17),
        'exactly-8MiB': rng.randbytes(8 << 20),
        'Ünïcode/naïve file \n with newline': b'odd\n',
        "quotes'\"\\and spaces": b'q',
    }
    for i in range(1500):
        files[f'many/f{i:05}'] = b'%d\n' % i
    return files


def make_everything(top):
    b = Bucket(top + '/store/production')
    v1 = make_files()
    v2 = dict(v1, **{'new': b'in version two\n'})
    del v2['README.txt']

    imagenet = b.dataset('imagenet')
    b.version(imagenet, 1, v1)
    b.version(imagenet, 2, v2, extra=[
        {'relative_path': 'forbidden', 'storage_path': 'file:///etc/shadow',
         'url': '', 'size': 10, 'etag': '0' * 32},
        {'relative_path': 'missing', 'storage_path': f'{b.uri}/{imagenet}/hashes/{"1" * 32}',
         'url': '', 'size': 10, 'etag': '1' * 32}])
    b.publish(imagenet, tags={'latest': 2, 'baseline': 1, '2': 1, '77': 1})
    sets = b.dataset('sets')
    b.empty(sets, 1)
    b.legacy(sets, 2, {'plain.txt': b'plain\n', 'sub/two': b'2'})
    b.version(sets, 3, {'x': b'x'})
    b.publish(sets, versions={'3': {'status': 'PENDING_DELETE'}})
    b.publish(b.dataset('none'))
    robots = b.dataset('robots', 'collection')
    b.publish(robots, members=[{'id': imagenet, 'version': 1}, {'id': sets, 'version': 2}])

    closed = Bucket(top + '/store/closed', catalog_id='catalog-2')
    secret = closed.dataset('secret')
    closed.version(secret, 1, {'s': b'secret\n'})
    closed.publish(secret, tags={'latest': 1})
    subprocess.run(['chmod', '-R', 'a+rX', top + '/store'], check=True)
    return b, v1, v2


class Served(Mount):
    """Ready when the daemon says so: root cannot look into a user's mount, and
    the mount of a dead one is a mount too."""

    def start(self):
        before = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

        def serving():
            with open(self.log_path) as f:
                f.seek(before)
                return 'serving:' in f.read() or self.process.poll() is not None

        with contextlib.suppress(PermissionError):
            super().start()
        assert wait_until(serving) and self.process.poll() is None, self.log()
        return self


class World:
    """The buckets on disk, and who mounts them."""

    def __init__(self, top, name, uid):
        self.top = os.path.join(top, name)
        os.mkdir(self.top)
        self.name, self.uid = name, uid
        self.bucket, self.v1, self.v2 = make_everything(self.top)
        self.point = self.top + '/datasets'
        os.mkdir(self.point)
        self.cache = self.top + '/cache'
        os.mkdir(self.cache)
        if uid:
            os.chown(self.point, uid, uid)
            os.chown(self.cache, uid, uid)
        self.config = self.write_config('config.yaml', self.cache)
        self.log = self.top + '/log'

    def write_config(self, name, cache):
        return harness.write_config(
            os.path.join(self.top, name),
            {'production': {'dataset_path': self.bucket.uri, 'mode': 'read-write'},
             'archive': {'dataset_path': 'azure://archive-storage', 'mode': 'read-only'},
             'closed': {'dataset_path': f'file://{self.top}/store/closed', 'mode': 'read-only'}},
            default='production', cache_dir=cache,
            extra={'buckets': {'closed': {'uid': 4242, 'gid': 4242, 'access': '0750'}}})

    def mount(self, options=None, **kw):
        return Served(self.config, self.point, self.log, uid=self.uid, options=options, **kw)

    def command(self, *args, **kw):
        return run('-c', self.config, *args, uid=self.uid, **kw)

    def path(self, *parts):
        return os.path.join(self.point, *parts)


# ---- cases inside a mount: each takes the world -----------------------------

def case_root_lists_buckets_only(w):
    assert sorted(os.listdir(w.point)) == ['archive', 'closed', 'production']


def case_a_bucket_lists_versions_tags_and_collections(w):
    assert sorted(os.listdir(w.path('production'))) == sorted([
        'imagenet@1', 'imagenet@2', 'imagenet@latest', 'imagenet@baseline',
        'imagenet@77', 'sets@1', 'sets@2', 'sets@latest', 'robots'])


def case_tags_are_symlinks(w):
    for tag, target in (('latest', 'imagenet@2'), ('baseline', 'imagenet@1'),
                        ('77', 'imagenet@1')):
        assert os.readlink(w.path('production', 'imagenet@' + tag)) == target
    assert os.listdir(w.path('production/imagenet@baseline/train')).sort() == \
        os.listdir(w.path('production/imagenet@1/train')).sort()


def case_a_number_wins_over_a_tag_of_its_digits(w):
    assert not os.path.islink(w.path('production/imagenet@2'))
    assert os.path.exists(w.path('production/imagenet@2/new'))


def case_bare_names_are_answered_but_not_listed(w):
    assert os.readlink(w.path('production/imagenet')) == 'imagenet@latest'
    with open(w.path('production/imagenet/new')) as f:
        assert f.read() == 'in version two\n'
    # Without a tag "latest" it is the highest that is READY.
    assert os.readlink(w.path('production/sets@latest')) == 'sets@2'
    fails_with(errno.ENOENT, os.stat, w.path('production/none'))


def case_default_bucket_names_at_the_root(w):
    assert os.readlink(w.path('imagenet')) == 'production/imagenet@latest'
    assert os.readlink(w.path('imagenet@1')) == 'production/imagenet@1'
    assert os.readlink(w.path('imagenet@baseline')) == 'production/imagenet@baseline'
    assert os.path.exists(w.path('imagenet@baseline/README.txt'))
    assert os.readlink(w.path('robots')) == 'production/robots'
    fails_with(errno.ENOENT, os.lstat, w.path('secret'))


def case_collections_hold_links_to_their_members(w):
    robots = w.path('production/robots')
    assert sorted(os.listdir(robots)) == ['imagenet@1', 'sets@2']
    assert os.readlink(robots + '/imagenet@1') == '../imagenet@1'
    assert os.readlink(robots + '/imagenet') == '../imagenet@1'
    with open(robots + '/sets/plain.txt') as f:
        assert f.read() == 'plain\n'


def case_empty_and_legacy_versions(w):
    assert os.listdir(w.path('production/sets@1')) == []
    assert sorted(os.listdir(w.path('production/sets@2'))) == ['plain.txt', 'sub']
    with open(w.path('production/sets@2/sub/two')) as f:
        assert f.read() == '2'


def case_versions_that_are_not_ready_are_absent(w):
    fails_with(errno.ENOENT, os.stat, w.path('production/sets@3'))


def case_absent_names(w):
    for name in ('nothing', 'imagenet@9', 'imagenet@', '@1', 'imagenet@1@1',
                 '.Trash', 'imagenet@01', 'imagenet:1', 'x' * 255):
        fails_with(errno.ENOENT, os.lstat, w.path('production', name))
        fails_with(errno.ENOENT, os.lstat, w.path('production/imagenet@1', name))
    for at in (w.path(), w.path('production'), w.path('production/imagenet@1')):
        fails_with(errno.ENAMETOOLONG, os.lstat, os.path.join(at, 'x' * 256))
    fails_with(errno.ENOTDIR, os.stat, w.path('production/imagenet@1/new/x')
               .replace('new', 'README.txt'))


def case_stat_of_directories(w):
    st = os.stat(w.path('production/imagenet@1'))
    assert stat.S_IMODE(st.st_mode) == 0o555 and stat.S_ISDIR(st.st_mode)
    assert st.st_mtime == 1706745600          # of its record: 2024-02-01
    assert st.st_uid == (w.uid or 0)
    assert st.st_size == sum(map(len, w.v1.values()))
    train = os.stat(w.path('production/imagenet@1/train'))
    assert train.st_nlink == 3                # itself, its name, deep/
    assert st.st_dev == train.st_dev == os.stat(w.point).st_dev


def case_stat_of_files(w):
    st = os.stat(w.path('production/imagenet@1/train/a.bin'))
    assert stat.S_ISREG(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o444
    assert (st.st_size, st.st_nlink, st.st_blocks) == (70001, 1, 137)
    assert st.st_mtime == 1706745600


def case_inode_numbers_are_stable_and_distinct(w):
    seen = {}
    for folder, dirs, files in os.walk(w.path('production/imagenet@1')):
        for name in dirs + files:
            path = os.path.join(folder, name)
            ino = os.lstat(path).st_ino
            assert seen.setdefault(ino, path) == path
    assert len(seen) > len(w.v1)
    for ino, path in seen.items():
        assert os.lstat(path).st_ino == ino
    with os.scandir(w.path('production/imagenet@1')) as it:
        for e in it:
            assert e.inode() == os.lstat(e.path).st_ino


def walk_files(top):
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = path
    return found


def case_every_file_is_there_and_equal(w):
    for version, files in ((1, w.v1), (2, w.v2)):
        found = walk_files(w.path(f'production/imagenet@{version}'))
        extra = {'forbidden', 'missing'} if version == 2 else set()
        assert set(found) == set(files) | extra, set(found) ^ set(files)
        for name, data in files.items():
            with open(found[name], 'rb') as f:
                assert f.read() == data, name


def case_reads_at_any_offset(w):
    data = w.v1['train/large.bin']
    rng = random.Random(1)
    fd = os.open(w.path('production/imagenet@1/train/large.bin'), os.O_RDONLY)
    for _ in range(300):
        off = rng.randrange(len(data) + 4096)
        size = rng.choice([1, 511, 4096, 65536, 1 << 20])
        assert os.pread(fd, size, off) == data[off:off + size]
    assert os.pread(fd, 10, len(data)) == b''
    assert os.pread(fd, 10, 1 << 60) == b''
    assert os.lseek(fd, 0, os.SEEK_END) == len(data)
    os.close(fd)


def case_direct_reads(w):
    data = w.v1['train/large.bin']
    fd = os.open(w.path('production/imagenet@1/train/large.bin'), os.O_RDONLY | os.O_DIRECT)
    block = mmap.mmap(-1, 1 << 20)
    for off in (0, 4096, 8 << 20, (9 << 20)):
        n = os.preadv(fd, [block], off)
        assert block[:n] == data[off:off + (1 << 20)]
    os.close(fd)


def case_parallel_reads_of_one_descriptor(w):
    data = w.v1['exactly-8MiB']
    fd = os.open(w.path('production/imagenet@2/exactly-8MiB'), os.O_RDONLY)
    bad = []

    def reader(seed):
        rng = random.Random(seed)
        for _ in range(60):
            off = rng.randrange(len(data))
            if os.pread(fd, 50_000, off) != data[off:off + 50_000]:
                bad.append(off)

    threads = [threading.Thread(target=reader, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    os.close(fd)
    assert not bad


def case_mmap(w):
    data = w.v1['train/large.bin']
    with open(w.path('production/imagenet@1/train/large.bin'), 'rb') as f:
        with mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED) as m:
            assert m[:] == data
        with mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE,
                       prot=mmap.PROT_READ | mmap.PROT_WRITE) as m:
            m[5] = data[5] ^ 1
            assert m[:5] == data[:5]
        fails_with(errno.EACCES, mmap.mmap, f.fileno(), 0, flags=mmap.MAP_SHARED,
                   prot=mmap.PROT_READ | mmap.PROT_WRITE)
        f.seek(5)
        assert f.read(1) == data[5:6]


def case_sendfile_and_splice(w):
    data = w.v1['train/a.bin']
    with open(w.path('production/imagenet@1/train/a.bin'), 'rb') as f:
        a, b = socket.socketpair()
        got = []
        t = threading.Thread(target=lambda: got.append(receive(b, len(data))))
        t.start()
        sent = 0
        while sent < len(data):
            sent += os.sendfile(a.fileno(), f.fileno(), sent, len(data) - sent)
        t.join()
        assert got[0] == data
        out, into = os.pipe()
        n = os.splice(f.fileno(), into, 4096, offset_src=100)
        assert os.read(out, 4096) == data[100:100 + n] and n > 0


def receive(sock, n):
    data = b''
    while len(data) < n:
        data += sock.recv(65536)
    return data


def case_every_write_is_erofs(w):
    v = w.path('production/imagenet@1')
    f = v + '/train/a.bin'
    flags = (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND)
    for at in (w.point, w.path('production'), v, v + '/train', w.path('production/robots')):
        for fl in (os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT | os.O_EXCL):
            fails_with(errno.EROFS, os.open, at + '/fresh', fl)
        fails_with(errno.EROFS, os.mkdir, at + '/fresh')
        fails_with(errno.EROFS, os.symlink, 'x', at + '/fresh')
        fails_with(errno.EROFS, os.mkfifo, at + '/fresh')
        fails_with(errno.EROFS, os.link, f, at + '/fresh')
        fails_with(errno.EROFS, os.rename, f, at + '/fresh')
        fails_with(errno.EROFS, os.chmod, at, 0o777)
        fails_with(errno.EROFS, os.chown, at, os.getuid(), -1)
        fails_with(errno.EROFS, os.utime, at)
        fails_with(errno.EROFS, os.setxattr, at, 'user.x', b'1')
        fails_with(errno.EROFS, os.open, at, os.O_RDWR | os.O_TMPFILE)
    for fl in flags:
        fails_with(errno.EROFS, os.open, f, fl)
    fails_with(errno.EROFS, os.unlink, f)
    fails_with(errno.EROFS, os.unlink, w.path('production/imagenet@baseline'))
    fails_with(errno.EROFS, os.rmdir, v + '/train')
    fails_with(errno.EROFS, os.rmdir, v)
    fails_with(errno.EROFS, os.rename, v, w.path('production/imagenet@5'))
    fails_with(errno.EROFS, os.truncate, f, 0)
    fails_with(errno.EROFS, os.chmod, f, 0o777)
    fails_with(errno.EROFS, os.utime, f)
    fails_with(errno.EROFS, os.setxattr, f, 'user.datasetfs.size', b'1')
    fails_with(errno.EROFS, os.removexattr, f, 'user.datasetfs.size')
    assert not os.access(f, os.W_OK) and not os.access(v, os.W_OK)


def xattr(path, name):
    return os.getxattr(path, 'user.datasetfs.' + name).decode()


def case_attributes_say_what_a_node_is(w):
    v, data = w.path('production/imagenet@1'), w.v1['train/large.bin']
    f = v + '/train/large.bin'
    for path in (v, v + '/train', f):
        assert xattr(path, 'bucket') == 'production'
        assert xattr(path, 'dataset') == 'imagenet'
        assert xattr(path, 'version') == '1'
        assert len(xattr(path, 'record')) == 64
    assert xattr(f, 'size') == str(len(data))
    assert xattr(f, 'digest') == etag_of(data)
    assert xattr(f, 'source') == w.bucket.uri + '/id-imagenet/hashes/' + etag_of(data)
    assert xattr(f, 'verified_by') == 'md5 of parts'
    assert 0 <= int(xattr(f, 'cached')) <= len(data)
    assert xattr(v, 'source').endswith('/manifests/1.json')
    assert xattr(w.path('production'), 'bucket') == 'production'
    assert 'archive-storage' in xattr(w.path('archive'), 'problem') if os.getuid() == 0 else True


def case_attributes_are_not_listed(w):
    for path in (w.point, w.path('production'), w.path('production/imagenet@1/train/a.bin')):
        assert os.listxattr(path) == []
        fails_with(errno.ENODATA, os.getxattr, path, 'user.datasetfs.no')
        fails_with(errno.ENODATA, os.getxattr, path, 'user.other')
    small = ctypes.create_string_buffer(2)
    f = w.path('production/imagenet@1/train/a.bin').encode()
    assert libc.getxattr(f, b'user.datasetfs.digest', small, 2) == -1
    assert ctypes.get_errno() == errno.ERANGE


def case_statfs_means_something(w):
    v1 = os.statvfs(w.path('production/imagenet@1/train'))
    size = sum(map(len, w.v1.values()))
    assert v1.f_blocks == -(-size // v1.f_frsize)
    assert v1.f_files >= len(w.v1)
    for path in (w.point, w.path('production'), w.path('production/imagenet@1')):
        st = os.statvfs(path)
        assert st.f_bfree == st.f_bavail == st.f_ffree == 0
        assert st.f_blocks >= v1.f_blocks and st.f_namemax == 255
        assert st.f_flag & os.ST_RDONLY and st.f_flag & os.ST_NOSUID


def case_an_unusable_bucket_refuses_entry(w):
    st = os.stat(w.path('archive'))
    assert stat.S_ISDIR(st.st_mode) and stat.S_IMODE(st.st_mode) == 0
    fails_with(errno.EACCES, os.listdir, w.path('archive'))
    fails_with(errno.EACCES, os.stat, w.path('archive/x'))


def case_a_closed_bucket_shows_its_owner(w):
    st = os.stat(w.path('closed'))
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (4242, 4242, 0o550)
    if os.getuid() == 0:
        with open(w.path('closed/secret/s')) as f:
            assert f.read() == 'secret\n'
        st = os.stat(w.path('closed/secret/s'))
        assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (4242, 4242, 0o440)
    else:
        fails_with(errno.EACCES, os.listdir, w.path('closed'))
        fails_with(errno.EACCES, os.stat, w.path('closed/secret'))


def case_files_that_cannot_be_read_fail_alone(w):
    v = w.path('production/imagenet@2')
    assert os.stat(v + '/forbidden').st_size == 10
    with open(v + '/forbidden', 'rb', buffering=0) as f:
        fails_with(errno.EACCES, f.read, 10)
    with open(v + '/missing', 'rb', buffering=0) as f:
        fails_with(errno.EIO, f.read, 10)
    with open(v + '/new') as f:
        assert f.read() == 'in version two\n'
    assert xattr(v + '/forbidden', 'problem')


def case_directories_can_be_read_in_pieces(w):
    many = w.path('production/imagenet@1/many')
    libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
    libc.telldir.restype = ctypes.c_long
    d = libc.opendir(many.encode())
    assert d

    def names(n):
        found = []
        while len(found) < n:
            e = libc.readdir(ctypes.c_void_p(d))
            if not e:
                break
            found.append(ctypes.string_at(e + 19))
        return found

    first = names(700)
    at = libc.telldir(ctypes.c_void_p(d))
    rest = names(10_000)
    libc.seekdir(ctypes.c_void_p(d), ctypes.c_long(at))
    assert names(10_000) == rest
    libc.rewinddir(ctypes.c_void_p(d))
    assert names(10_000) == first + rest
    assert len(first + rest) == 1502
    libc.closedir(ctypes.c_void_p(d))


def case_programs_of_every_day(w):
    v = w.path('production/imagenet@1')
    subprocess.run(['cp', '-a', v + '/train', os.path.join(w.scratch, 'copy')], check=True,
                   capture_output=True)
    subprocess.run(['diff', '-r', v + '/train', os.path.join(w.scratch, 'copy')], check=True)
    n = subprocess.run(['find', v, '-type', 'f', '-size', '-2'], check=True,
                       capture_output=True).stdout.count(b'/many/')
    assert n == 1500, n
    tar = subprocess.run(['tar', '-C', v, '-cf', '-', 'train'], check=True, capture_output=True)
    assert len(tar.stdout) > 9 << 20
    ls = subprocess.run(['ls', '-lR', w.point + '/production/sets@2'], check=True, capture_output=True)
    assert b'plain.txt' in ls.stdout


def case_a_descriptor_of_a_directory_works(w):
    fd = os.open(w.path('production/imagenet@1'), os.O_RDONLY | os.O_DIRECTORY)
    assert 'train' in os.listdir(fd)
    inner = os.open('train/a.bin', os.O_RDONLY, dir_fd=fd)
    assert os.read(inner, 10) == w.v1['train/a.bin'][:10]
    assert os.stat('train/deep/../a.bin', dir_fd=fd).st_size == 70001
    os.close(inner)
    os.close(fd)


CASES = [(name[5:].replace('_', ' '), fn) for name, fn in sorted(globals().items())
         if name.startswith('case_')]


def run_cases(t, w):
    w.scratch = w.top + '/scratch'
    os.mkdir(w.scratch)
    if w.uid:
        os.chown(w.scratch, w.uid, w.uid)
    with w.mount():
        for name, fn in CASES:
            ok, detail = fork_as(w.uid, fn, w)
            t.ok(ok, f'{w.name}: {name}', detail)


# ---- a mount's life ---------------------------------------------------------

def socket_name(path):
    dev = os.stat(path).st_dev
    return f'\0datasetfs/{os.major(dev)}:{os.minor(dev)}'


def ask_status(w, question='status\n', uid=None):
    """By the socket itself; None where it says nothing."""
    def ask():
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(name)
        s.sendall(question.encode())
        data = b''
        with contextlib.suppress(ConnectionResetError):
            while block := s.recv(65536):
                data += block
        return data

    ok, name = fork_as(w.uid, socket_name, w.point)
    assert ok, name
    ok, data = fork_as(uid if uid is not None else w.uid, ask)
    assert ok, data
    return json.loads(data) if data else None


def is_running(pid):
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


@contextlib.contextmanager
def holder(w, path):
    """A process of the mount's user that keeps a file open."""
    def prepare():
        if w.uid:
            harness.demote(w.uid)()
        os.dup2(os.open(path, os.O_RDONLY), 0)

    p = subprocess.Popen(['sleep', '600'], preexec_fn=prepare)
    try:
        yield p.pid
    finally:
        p.kill()
        p.wait()


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
    p = subprocess.Popen([PROGRAM, '-c', w.config, 'mount', '-f', f'/dev/fd/{fd}'],
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
        else:
            assert 'last_problem' not in foreign
            assert 'problem' not in foreign['buckets'][0]


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
        ok, detail = fork_as(w.uid, case_every_file_is_there_and_equal, w)
        assert ok, detail


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


LIVES = [(name[5:].replace('_', ' '), fn) for name, fn in sorted(globals().items())
         if name.startswith('life_')]


def run_lives(t, w, lives):
    for name, fn in lives:
        with t.case(f'{w.name}: {name}'):
            try:
                fn(w)
            finally:
                with contextlib.suppress(subprocess.CalledProcessError):
                    subprocess.run(['umount', '-l', w.point], check=True,
                                   stderr=subprocess.DEVNULL)


# ---- a store that waits -----------------------------------------------------

STALLED = 256


@contextlib.contextmanager
def slow_mount(w, options=None):
    """A mount of a bucket behind a store whose gate can be closed."""
    folder = w.top + '/slow'
    with Store(folder) as store:
        if not os.path.exists(folder):
            b = Bucket(folder, uri=store.uri, catalog_id='slow')
            ds = b.dataset('slow')
            files = {f'cold/{i:04}': b'%d' % i * 500 for i in range(STALLED)}
            files.update({f'warm/{i}': b'warm%d' % i * 500 for i in range(20)})
            files['large'] = bytes(range(256)) * 40_000
            b.version(ds, 1, files)
            b.version(ds, 2, files)
            b.publish(ds, tags={'latest': 2})
            subprocess.run(['chmod', '-R', 'a+rX', folder], check=True)
        config = harness.write_config(
            w.top + '/slow.yaml',
            {'slow': {'dataset_path': store.uri, 'mode': 'read-only', 'region': 'us-east-1',
                      'default_credential': store.credential()}},
            cache_dir=w.cache,
            extra={'buckets': {'slow': {'catalog': 'file://' + folder}}})
        with Served(config, w.point, w.log, uid=w.uid, options=options) as m:
            yield store, m


def interrupted(call):
    """The errno of call() when a signal comes while it waits, and how long it
    took from then."""
    came = []

    def on_signal(*_):
        came.append(time.monotonic())

    signal.signal(signal.SIGUSR1, on_signal)
    signal.siginterrupt(signal.SIGUSR1, True)
    timer = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGUSR1))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    timer.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    code = call()
    end = time.monotonic()
    return code, end - came[0] if came else None


def raw(function, *args):
    """Without Python's own repetition after EINTR: 0 or an errno."""
    return ctypes.get_errno() if function(*args) < 0 else 0


def direct_read(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    page = mmap.mmap(-1, 4096)
    at = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return raw(libc.pread, fd, ctypes.c_void_p(at), ctypes.c_size_t(4096), ctypes.c_long(0))


def slow_an_interrupted_read_is_eintr(w):
    with slow_mount(w) as (store, m):
        large = w.path('slow/slow@1/large')
        assert fork_as(w.uid, os.stat, large)[0]
        store.close_gate()
        ok, got = fork_as(w.uid, interrupted, lambda: direct_read(large))
        assert ok and got[0] == errno.EINTR and got[1] < 0.5, got
        # Nobody is left waiting for it.
        assert ask_status(w)['cache']['waiting'] == 0
        store.open_gate()
        ok, data = fork_as(w.uid, lambda: open(large, 'rb').read())
        assert ok and data == bytes(range(256)) * 40_000, m.log()


def slow_an_interrupted_lookup_is_eintr(w):
    with slow_mount(w) as (store, m):
        for name in os.listdir(w.cache + '/trees'):
            os.unlink(w.cache + '/trees/' + name)
        store.close_gate()      # the manifest does not come
        path = w.path('slow/slow@2/large').encode()
        ok, got = fork_as(w.uid, interrupted, lambda: raw(libc.access, path, 0))
        assert ok and got[0] == errno.EINTR and got[1] < 0.5, got
        assert 'slow@2' in ask_status(w)['building']
        store.open_gate()
        assert fork_as(w.uid, os.stat, path)[0], m.log()


def slow_a_reader_can_be_ended(w):
    with slow_mount(w) as (store, _):
        cold = w.path('slow/slow@1/cold/0000')
        assert fork_as(w.uid, os.stat, cold)[0]
        store.close_gate()
        p = subprocess.Popen(['cat', cold], stdout=subprocess.DEVNULL,
                             preexec_fn=harness.demote(w.uid) if w.uid else None)
        time.sleep(0.5)
        start = time.monotonic()
        p.terminate()
        p.wait(10)
        assert time.monotonic() - start < 1
        store.open_gate()


def slow_a_read_ends_at_its_time(w):
    with slow_mount(w, 'timeout=2') as (store, m):
        cold = w.path('slow/slow@1/cold/0001')
        assert fork_as(w.uid, os.stat, cold)[0]
        store.close_gate()

        def read():
            start = time.monotonic()
            try:
                open(cold, 'rb', buffering=0).read(10)
            except OSError as e:
                return e.errno, time.monotonic() - start
            return 0, 0

        ok, got = fork_as(w.uid, read)
        assert ok and got[0] in (errno.ETIMEDOUT, errno.EIO) and 1.5 < got[1] < 5, got
        store.open_gate()
        ok, data = fork_as(w.uid, lambda: open(cold, 'rb').read())
        assert ok and data == b'1' * 500, (data, m.log())


def slow_many_stalled_reads_delay_nobody(w):
    with slow_mount(w) as (store, m):
        v = w.path('slow/slow@1')
        warm = [f'{v}/warm/{i}' for i in range(20)]

        def read_warm():
            for path in warm:
                with open(path, 'rb') as f:
                    assert f.read()

        assert fork_as(w.uid, read_warm)[0], m.log()
        store.close_gate()

        def stalled(n):
            bad = []

            def one(i):
                try:
                    with open(f'{v}/cold/{i:04}', 'rb') as f:
                        if f.read() != b'%d' % i * 500:
                            bad.append((i, 'other content'))
                except OSError as e:
                    bad.append((i, str(e)))
            threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            return bad

        readers = []
        t = threading.Thread(target=lambda: readers.append(fork_as(w.uid, stalled, STALLED)))
        t.start()
        all_wait = wait_until(lambda: ask_status(w)['cache']['waiting'] == STALLED, 20)
        cache = ask_status(w)['cache']

        def measure():
            times = []
            libc.posix_fadvise.argtypes = [ctypes.c_int, ctypes.c_long, ctypes.c_long, ctypes.c_int]
            for i in range(300):
                path = warm[i % len(warm)]
                fd = os.open(path, os.O_RDONLY)
                libc.posix_fadvise(fd, 0, 0, 4)     # DONTNEED: ask the daemon
                start = time.monotonic()
                os.stat(f'{v}/warm')
                os.path.exists(f'{v}/absent{i}')    # a lookup of its own
                os.pread(fd, 100, 0)
                times.append(time.monotonic() - start)
                os.close(fd)
            return sorted(times)

        ok, times = fork_as(w.uid, measure)
        asked = ask_status(w)['cache']['hits'] - cache['hits']
        store.open_gate()
        t.join()
        assert all_wait, cache
        assert ok, times
        assert asked >= len(times) * 0.9, 'the page cache answered, not the daemon'
        p99 = times[int(len(times) * 0.99)]
        print(f'# {w.name}: with {STALLED} stalled reads a lookup and a cached read take '
              f'{times[len(times) // 2] * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms', flush=True)
        assert p99 < 0.05, p99
        assert readers == [(True, [])], (readers, m.log())


SLOW = [(name[5:].replace('_', ' '), fn) for name, fn in sorted(globals().items())
        if name.startswith('slow_') and name != 'slow_mount']


# ---- what only root's mount can show ----------------------------------------

def run_others(t, w):
    """allow_other: the same refusals for a user who is not the mount's."""
    with w.mount():
        ok, detail = fork_as(USER, case_every_write_is_erofs, w)
        t.ok(ok, 'root: every write of another user is erofs', detail)
        ok, detail = fork_as(USER, case_every_file_is_there_and_equal, w)
        t.ok(ok, 'root: another user reads everything', detail)
        ok, detail = fork_as(USER, fails_with, errno.EACCES, os.listdir, w.path('closed'))
        t.ok(ok, 'root: a closed bucket is closed to another user', detail)


def main():
    t = Tap()
    if os.getuid() != 0:
        t.skip('the mount', 'it starts as root, to be root and an ordinary user in turn')
        return t.done()
    if not os.path.exists('/dev/fuse'):
        t.skip('the mount', 'this machine has no /dev/fuse')
        return t.done()
    harness.own_namespace()
    only = sys.argv[1:]
    if only:
        global CASES, LIVES, SLOW
        CASES = [c for c in CASES if any(o in c[0] for o in only)]
        LIVES = [c for c in LIVES if any(o in c[0] for o in only)]
        SLOW = [c for c in SLOW if any(o in c[0] for o in only)]
    with harness.scratch() as top:
        harness.open_dev_fuse(top)
        try:
            for name, uid in (('root', None), ('user', USER)):
                w = World(top, name, uid)
                run_cases(t, w)
                run_lives(t, w, LIVES)
                run_lives(t, w, SLOW)
                if not uid and not only:
                    run_others(t, w)
        finally:
            subprocess.run(['umount', '-l', top + '/dev'], stderr=subprocess.DEVNULL)
    return t.done()


if __name__ == '__main__':
    sys.exit(main())
