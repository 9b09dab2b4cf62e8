#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The mount as its users see it: the same cases for a mount of root's and for
one of an ordinary user without capabilities (by fusermount3).

Each case runs in a process of the user that it is for.
"""
import ctypes
import errno
import mmap
import os
import random
import socket
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from mount_bucket import etag_of                              # noqa: E402
from mount_world import (                                     # noqa: E402
    STRANGER, USER, check_bucket_listing, check_every_file, fails_with, fork_as, main, named)

libc = ctypes.CDLL(None, use_errno=True)


def case_root_lists_buckets_only(w):
    assert sorted(os.listdir(w.point)) == ['archive', 'closed', 'production']


def case_a_bucket_lists_versions_tags_and_collections(w):
    check_bucket_listing(w)


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
    # What the lookup tells of a link is what its inode tells later.
    for name in ('imagenet', 'imagenet@1', 'robots'):
        told = os.lstat(w.path(name))
        fd = os.open(w.path(name), os.O_PATH | os.O_NOFOLLOW)
        time.sleep(1.1)
        kept = os.fstat(fd)
        os.close(fd)
        assert (told.st_mtime, told.st_size) == (kept.st_mtime, kept.st_size), (name, told, kept)
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


def case_every_file_is_there_and_equal(w):
    check_every_file(w)


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
    assert xattr(f, 'verified_by') == 'md5 of parts, once all of it was read'
    assert 0 <= int(xattr(f, 'cached_bytes')) <= len(data)
    assert xattr(v, 'source').endswith('/manifests/1.json')
    assert xattr(w.path('production'), 'bucket') == 'production'
    assert 'archive-storage' in xattr(w.path('archive'), 'problem') if os.getuid() == 0 else True


def case_attributes_are_not_listed(w):
    for path in (w.point, w.path('production'), w.path('production/imagenet@1/train/a.bin')):
        assert os.listxattr(path) == []
        fails_with(errno.ENODATA, os.getxattr, path, 'user.datasetfs.no')
        fails_with(errno.ENODATA, os.getxattr, path, 'user.other')
        for name in ('security.selinux', 'security.capability', 'system.posix_acl_access'):
            fails_with(errno.EOPNOTSUPP, os.getxattr, path, name)
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


def run_cases(t, w, only):
    w.scratch = w.top + '/scratch'
    os.mkdir(w.scratch)
    if w.uid:
        os.chown(w.scratch, w.uid, w.uid)
    with w.mount():
        for name, fn in only(named('case_', globals())):
            ok, detail = fork_as(w.uid, fn, w)
            t.ok(ok, f'{w.name}: {name}', detail)


def run_others(t, w):
    """allow_other: the same refusals for a user who is not the mount's."""
    with w.mount():
        ok, detail = fork_as(USER, case_every_write_is_erofs, w)
        t.ok(ok, 'root: every write of another user is erofs', detail)
        ok, detail = fork_as(USER, case_every_file_is_there_and_equal, w)
        t.ok(ok, 'root: another user reads everything', detail)
        ok, detail = fork_as(USER, fails_with, errno.EACCES, os.listdir, w.path('closed'))
        t.ok(ok, 'root: a closed bucket is closed to another user', detail)


def run_shared(t, w):
    """allow_other of an ordinary user, where /etc/fuse.conf admits it."""
    conf = w.top + '/fuse.conf'
    with open(conf, 'w') as f:
        f.write('user_allow_other\n')
    subprocess.run(['mount', '--bind', conf, '/etc/fuse.conf'], check=True)
    try:
        with w.mount('allow_other'):
            ok, detail = fork_as(STRANGER, case_every_file_is_there_and_equal, w)
            t.ok(ok, 'user: another user reads everything', detail)
            ok, detail = fork_as(STRANGER, case_every_write_is_erofs, w)
            t.ok(ok, 'user: every write of another user is erofs', detail)
            ok, detail = fork_as(STRANGER, fails_with, errno.EACCES, os.listdir, w.path('closed'))
            t.ok(ok, 'user: a closed bucket is closed to another user', detail)
    finally:
        subprocess.run(['umount', '/etc/fuse.conf'], check=True)
    p = w.command('mount', '-o', 'allow_other', w.point)
    t.ok(p.returncode == 8 and 'user_allow_other' in p.stderr,
         'user: allow_other says what it needs', p)


def test(t, w, only):
    run_cases(t, w, only)
    if only([('others', None)]):
        run_shared(t, w) if w.uid else run_others(t, w)


if __name__ == '__main__':
    sys.exit(main(test))
