# SPDX-License-Identifier: Apache-2.0
"""What the tests of the mount share: two buckets, a mount of root's or of an
ordinary user's, processes of either, and the daemon's status."""
import contextlib
import errno
import json
import os
import pickle
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import traceback

import harness
from harness import Mount, Tap, run
from mount_bucket import Bucket

USER = 1000
STRANGER = 2345


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


def make_everything(top, uri=None):
    b = Bucket(top + '/store/production', uri)
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
    """The buckets on disk, and who mounts them.

    place: where the bucket "production" is rather than on disk: its uri, the
    settings of the bucket beside it, those of datasetfs for it (own), and
    fill(folder), which puts its objects there.
    """

    def __init__(self, top, name, uid, place=None):
        self.place = place
        self.top = os.path.join(top, name)
        os.mkdir(self.top)
        self.name, self.uid = name, uid
        self.bucket, self.v1, self.v2 = make_everything(self.top, place and place.uri)
        if place:
            place.fill(self.bucket.folder)
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
            {'production': {'dataset_path': self.bucket.uri, 'mode': 'read-write',
                            **(self.place.settings if self.place else {})},
             'archive': {'dataset_path': 'azure://archive-storage', 'mode': 'read-only'},
             'closed': {'dataset_path': f'file://{self.top}/store/closed', 'mode': 'read-only'}},
            default='production', cache_dir=cache,
            extra={'buckets': {'closed': {'uid': 4242, 'gid': 4242, 'access': '0750'},
                               **({'production': self.place.own} if self.place and self.place.own else {})}})

    def forget_content(self):
        """What earlier mounts left in the cache directory of file content."""
        shutil.rmtree(self.cache + '/segments', ignore_errors=True)

    def mount(self, options=None, **kw):
        return Served(self.config, self.point, self.log, uid=self.uid, options=options, **kw)

    def command(self, *args, **kw):
        return run('-c', self.config, *args, uid=self.uid, **kw)

    def path(self, *parts):
        return os.path.join(self.point, *parts)


def walk_files(top):
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = path
    return found


def check_every_file(w):
    """Both versions, name by name and byte by byte."""
    for version, files in ((1, w.v1), (2, w.v2)):
        found = walk_files(w.path(f'production/imagenet@{version}'))
        extra = {'forbidden', 'missing'} if version == 2 else set()
        assert set(found) == set(files) | extra, set(found) ^ set(files)
        for name, data in files.items():
            with open(found[name], 'rb') as f:
                assert f.read() == data, name


def check_bucket_listing(w):
    assert sorted(os.listdir(w.path('production'))) == sorted([
        'imagenet@1', 'imagenet@2', 'imagenet@latest', 'imagenet@baseline',
        'imagenet@77', 'sets@1', 'sets@2', 'sets@latest', 'robots'])


def device_socket(path):
    dev = os.stat(path).st_dev
    return f'\0datasetfs/{os.major(dev)}:{os.minor(dev)}'


def socket_name(path):
    """As the mount says it: the name by its device number may be taken still."""
    try:
        return '\0' + os.getxattr(path, 'user.datasetfs.socket').decode()
    except OSError:
        return device_socket(path)


def ask_status(w, question='status\n', uid=None):
    """By the socket itself; None where it says nothing."""
    def ask():
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(name)
        data = b''
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            s.sendall(question.encode())
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


def named(prefix, names):
    """The functions of a module as (name, function), by their names."""
    return [(name[len(prefix):].replace('_', ' '), fn) for name, fn in sorted(names.items())
            if name.startswith(prefix)]


def run_lives(t, w, lives):
    for name, fn in lives:
        with t.case(f'{w.name}: {name}'):
            w.forget_content()
            try:
                fn(w)
            finally:
                with contextlib.suppress(subprocess.CalledProcessError):
                    subprocess.run(['umount', '-l', w.point], check=True,
                                   stderr=subprocess.DEVNULL)


def main(test):
    """Runs test(t, world, only) for root and for an ordinary user."""
    t = Tap()
    if os.getuid() != 0:
        t.skip('the mount', 'it starts as root, to be root and an ordinary user in turn')
        return t.done()
    if not os.path.exists('/dev/fuse'):
        t.skip('the mount', 'this machine has no /dev/fuse')
        return t.done()
    harness.own_namespace()
    only = sys.argv[1:]
    with harness.scratch() as top:
        harness.open_dev_fuse(top)
        try:
            for name, uid in (('root', None), ('user', USER)):
                test(t, World(top, name, uid),
                     lambda list_: [c for c in list_
                                    if not only or any(o in c[0] for o in only)])
        finally:
            subprocess.run(['umount', '-l', top + '/dev'], stderr=subprocess.DEVNULL)
    return t.done()
