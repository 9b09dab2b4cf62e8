# SPDX-License-Identifier: Apache-2.0
"""What the bench compares: each a way to read the same objects.  After start()
nothing of them is cached, after start(keep=True) what the disk kept.  Where a
system cannot run, start() raises Missing with the reason.
"""
import os
import shutil
import signal
import subprocess
import time

import harness
from bench_data import PEER_FILES

READY_SECONDS = 30


class Missing(Exception):
    pass


def drop_caches():
    os.sync()
    with open('/proc/sys/vm/drop_caches', 'w') as f:
        f.write('3')


class Datasetfs:
    """Trees stay in the cache directory unless forget() is asked for."""
    name, n_small = 'datasetfs', None

    def __init__(self, config, cache, mountpoint, log):
        self.mount, self.cache = harness.Mount(config, mountpoint, log), cache

    def base(self, version='data'):
        return f'{self.mount.mountpoint}/bench/{version}@1'

    def path(self, file):
        return file.rel

    def small(self):
        return 'small'

    @property
    def pid(self):
        return self.mount.process.pid if self.mount.process else None

    def forget(self):
        shutil.rmtree(self.cache, ignore_errors=True)

    def start(self, keep=False):
        if not keep:
            shutil.rmtree(self.cache + '/segments', ignore_errors=True)
        drop_caches()
        self.mount.start()

    def stop(self):
        self.mount.stop()
        subprocess.run(['umount', '-l', self.mount.mountpoint], stderr=subprocess.DEVNULL)


class Native:
    name, n_small, pid = 'ext4', None, None

    def __init__(self, folder):
        self.folder = folder

    def base(self, version='data'):
        return self.folder

    def path(self, file):
        return file.rel

    def small(self):
        return 'small'

    def start(self, keep=False):
        drop_caches()

    def stop(self):
        pass


class Peer:
    """A mount of the bucket, in the foreground so that its pid is known."""
    n_small = PEER_FILES

    def __init__(self, top, server, endpoint):
        self.target = os.path.join(top, 'mnt-' + self.name)
        self.cache = os.path.join(top, 'cache-' + self.name)
        self.server, self.endpoint, self.process = server, endpoint, None
        os.makedirs(self.target, exist_ok=True)

    def base(self, version='data'):
        return self.target

    def path(self, file):
        """Small files by name, so that a folder of them is a folder to it."""
        return 'plain/' + file.rel if file.rel.startswith('small/') else 'DATA/hashes/' + file.etag

    def small(self):
        return 'plain/small'

    @property
    def pid(self):
        return self.process.pid if self.process and self.process.poll() is None else None

    def needs(self):
        if not shutil.which(self.name):
            raise Missing(f'{self.name} is not installed')

    def start(self, keep=False):
        if keep:
            raise Missing('not compared: what it keeps depends on how it was unmounted')
        self.needs()
        shutil.rmtree(self.cache, ignore_errors=True)
        os.makedirs(self.cache)
        drop_caches()
        command, env = self.command()
        env = dict(os.environ, HOME=self.cache, **env)
        for name in ('AWS_CA_BUNDLE', 'http_proxy', 'HTTP_PROXY'):      # not of loopback; rclone refuses the first
            env.pop(name, None)
        with open(self.cache + '.log', 'ab') as log:
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        self.await_mount()

    def await_mount(self):
        end = time.monotonic() + READY_SECONDS
        while not harness.is_mounted(self.target):
            if self.process.poll() or time.monotonic() > end:       # one that goes to the background ends with 0
                self.stop()
                with open(self.cache + '.log', errors='replace') as f:
                    raise Missing('did not mount: ' + f.read()[-100:])
            time.sleep(0.002)

    def unmount(self):
        subprocess.run(['umount', '-l', self.target], stderr=subprocess.DEVNULL)

    def stop(self):
        if not self.process:
            return
        self.unmount()
        for sig in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, sig)        # its own session, so nothing else
            try:
                self.process.wait(10)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None


class S3fs(Peer):
    name = 's3fs'

    def command(self):
        passwd = self.cache + '.passwd'
        with open(os.open(passwd, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), 'w') as f:
            f.write(f'{self.server.access_key}:{self.server.secret_key}')
        return ['s3fs', 'bench', self.target, '-f', '-o', f'url={self.endpoint},use_path_request_style,'
                f'passwd_file={passwd},complement_stat,ro,parallel_count=16,multipart_size=10'], {}


class Rclone(Peer):
    name = 'rclone'

    def command(self):
        env = dict(RCLONE_CONFIG_X_TYPE='s3', RCLONE_CONFIG_X_PROVIDER='Ceph', RCLONE_CONFIG_X_ENDPOINT=self.endpoint,
                   RCLONE_CONFIG_X_ACCESS_KEY_ID=self.server.access_key,
                   RCLONE_CONFIG_X_SECRET_ACCESS_KEY=self.server.secret_key)
        return ['rclone', 'mount', 'X:bench', self.target, '--read-only', '--vfs-cache-mode', 'full',
                '--cache-dir', self.cache, '--vfs-read-chunk-size', '16M', '--buffer-size', '32M'], env


class Further(Peer):
    """Whatever a script mounts: "SCRIPT mount DIR" (in the foreground, or it ends
    with 0) and "SCRIPT unmount DIR", with S3_ENDPOINT, S3_REGION, S3_BUCKET,
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and CACHE_DIR, which is empty."""

    def __init__(self, name, script, *args):
        self.name, self.script = name, os.path.abspath(script)
        super().__init__(*args)

    def needs(self):
        if not os.access(self.script, os.X_OK):
            raise Missing(f'{self.script}: no program')

    def settings(self):
        return dict(S3_ENDPOINT=self.endpoint, S3_REGION=self.server.region, S3_BUCKET='bench',
                    AWS_ACCESS_KEY_ID=self.server.access_key, AWS_SECRET_ACCESS_KEY=self.server.secret_key,
                    CACHE_DIR=self.cache)

    def command(self):
        return [self.script, 'mount', self.target], self.settings()

    def unmount(self):
        subprocess.run([self.script, 'unmount', self.target], env=dict(os.environ, **self.settings()),
                       stderr=subprocess.DEVNULL)
        super().unmount()
