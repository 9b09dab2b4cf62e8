# SPDX-License-Identifier: Apache-2.0
"""What the whole-system tests share: TAP output, a scratch folder, the program
under test, a mount that always goes away again.

A test is a plain program: it makes a Tap(), calls ok() and skip(), and ends
with sys.exit(tap.done()).  Environment: DATASETFS (the program), TOP_SRCDIR.
"""
import contextlib
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.environ.get('TOP_SRCDIR') or os.path.abspath(
    os.path.join(os.path.dirname(__file__), '..', '..'))
PROGRAM = os.path.abspath(os.environ.get('DATASETFS', './datasetfs'))
# No test asks the machine that it runs on who it is, unless it says so.
os.environ.setdefault('AWS_EC2_METADATA_DISABLED', 'true')
MAKER = os.path.join(TOP, 'tests', 'tools', 'make_osmo_bucket.py')
READY_SECONDS = 20


class Tap:
    """Test anything protocol on standard output; a skip always has a reason."""

    def __init__(self):
        self.n = 0
        self.failed = 0

    def ok(self, condition, name, detail=''):
        self.n += 1
        if not condition:
            self.failed += 1
        print(f"{'ok' if condition else 'not ok'} {self.n} - {name}", flush=True)
        if not condition and detail:
            for line in str(detail).splitlines()[:40]:
                print('#   ' + line, flush=True)
        return bool(condition)

    def equal(self, got, want, name):
        return self.ok(got == want, name, f'got  {got!r}\nwant {want!r}')

    def skip(self, name, reason):
        self.n += 1
        print(f'ok {self.n} - {name} # SKIP {reason}', flush=True)

    @contextlib.contextmanager
    def case(self, name):
        """A block that is one case: any exception in it is its failure."""
        try:
            yield
        except Exception:
            self.ok(False, name, traceback.format_exc())
        else:
            self.ok(True, name)

    def done(self):
        print(f'1..{self.n}', flush=True)
        return 1 if self.failed else 0


def demote(uid):
    """For preexec_fn: an ordinary user without capabilities or groups."""
    def run():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    return run


def run(*args, uid=None, timeout=60, env=None, check=False, **kw):
    """The program with args; a CompletedProcess with text output."""
    full = dict(os.environ, **(env or {}))
    p = subprocess.run([PROGRAM, *map(str, args)], capture_output=True,
                       text=True, errors='surrogateescape', timeout=timeout,
                       env=full, preexec_fn=demote(uid) if uid else None, **kw)
    if check and p.returncode != 0:
        raise AssertionError(f'{args}: exit {p.returncode}\n{p.stderr}')
    return p


def is_mounted(path):
    path = os.path.realpath(os.path.dirname(path)) + '/' + os.path.basename(path)
    with open('/proc/self/mountinfo') as f:
        return any(line.split()[4] == path for line in f)


class Mount:
    """A daemon in the foreground on a directory; use as a context manager.
    prefix: a command that runs it, such as strace."""

    def __init__(self, config, mountpoint, log, uid=None, options=None, env=None,
                 args=(), prefix=()):
        self.mountpoint = str(mountpoint)
        self.log_path = str(log)
        self.uid = uid
        self.args = ['-c', str(config), 'mount', '-f', *args]
        if options:
            self.args += ['-o', options]
        self.args.append(self.mountpoint)
        self.env, self.prefix = env, prefix
        self.process = None

    def start(self):
        log = open(self.log_path, 'ab')
        self.process = subprocess.Popen(
            [*self.prefix, PROGRAM, *self.args], stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, env=dict(os.environ, **(self.env or {})),
            preexec_fn=demote(self.uid) if self.uid else None)
        log.close()
        end = time.monotonic() + READY_SECONDS
        while not is_mounted(self.mountpoint):
            if self.process.poll() is not None:
                raise AssertionError('the daemon ended:\n' + self.log())
            if time.monotonic() > end:
                raise AssertionError('not mounted in time:\n' + self.log())
            time.sleep(0.002)
        if not self.uid:        # a user's mount admits that user only
            os.stat(self.mountpoint)
        return self

    def log(self):
        with open(self.log_path, errors='replace') as f:
            return f.read()

    def stop(self, timeout=20):
        """SIGTERM; a lazy unmount and SIGKILL where that does not help."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            subprocess.run(['umount', '-l', self.mountpoint],
                           stderr=subprocess.DEVNULL)
            self.process.kill()
            self.process.wait()
            code = None
        self.process = None
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        subprocess.run(['umount', '-l', self.mountpoint],
                       stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def scratch(mode=0o755):
    """A folder of the test's own below TMPDIR, removed at the end.

    The program is run from a copy in it: a build below a folder of root's own
    (/root, a mktemp -d) is out of reach of the ordinary users of the tests.
    """
    global PROGRAM
    built = PROGRAM
    top = tempfile.mkdtemp(prefix='datasetfs-test-')
    os.chmod(top, mode)
    try:
        os.mkdir(top + '/bin')
        PROGRAM = shutil.copy(built, top + '/bin/datasetfs')
        yield top
    finally:
        PROGRAM = built
        if not os.environ.get('KEEP_SCRATCH'):
            subprocess.run(['chmod', '-R', 'u+rwX', top], stderr=subprocess.DEVNULL)
            shutil.rmtree(top, ignore_errors=True)


def write_config(path, buckets, default=None, cache_dir=None, extra=None):
    """A bare-mapping configuration as JSON, which is YAML too."""
    doc = {'buckets': buckets, 'datasetfs': {}}
    if default:
        doc['default_bucket'] = default
    if cache_dir:
        doc['datasetfs']['cache'] = {'dir': str(cache_dir)}
    for key, value in (extra or {}).items():
        doc['datasetfs'][key] = value
    with open(path, 'w') as f:
        json.dump(doc, f, indent=2)
    return path


def ordinary_user():
    """The uid of the tests' user without privileges; it need not have a name."""
    try:
        return pwd.getpwnam('nobody').pw_uid if os.environ.get('TEST_AS_NOBODY') else 1000
    except KeyError:
        return 1000


def own_namespace():
    """Goes on in a mount namespace of its own; call it first thing in main()."""
    if os.geteuid() != 0 or os.environ.get('TEST_IN_NAMESPACE'):
        return
    os.environ['TEST_IN_NAMESPACE'] = '1'
    os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private',
                          sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]])


def open_dev_fuse(top):
    """A /dev/fuse that users may open: as udev makes it, which a small machine
    may lack.  Only in a namespace of one's own."""
    if os.geteuid() != 0 or os.stat('/dev/fuse').st_mode & 0o666 == 0o666:
        return
    dev = os.path.join(top, 'dev')
    os.mkdir(dev)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'mode=755', 'dev', dev], check=True)
    os.mknod(dev + '/fuse', stat.S_IFCHR | 0o666, os.makedev(10, 229))
    os.chmod(dev + '/fuse', 0o666)
    subprocess.run(['mount', '--bind', dev + '/fuse', '/dev/fuse'], check=True)


@contextlib.contextmanager
def bound(what, where):
    """A file or folder in the place of another.  Only in a namespace of one's own."""
    subprocess.run(['mount', '--bind', what, where], check=True)
    try:
        yield
    finally:
        subprocess.run(['umount', '-l', where], check=True)


def allow_other(top):
    """Lets ordinary users mount for others.  Only in a namespace of one's own."""
    if os.geteuid() != 0:
        return
    path = os.path.join(top, 'fuse.conf')
    with open(path, 'w') as f:
        f.write('user_allow_other\n')
    subprocess.run(['mount', '--bind', path, '/etc/fuse.conf'], check=True)
