# SPDX-License-Identifier: Apache-2.0
"""What the bench compares: each a way to read the same objects.  After start()
nothing of them is cached, after start(keep=True) what the disk kept.  Where a
system cannot run, start() raises Missing with the reason.
"""
import os
import shutil
import subprocess
import time

import harness

MIB = 1 << 20
PART = 8 * MIB
READY_SECONDS = 30


class Missing(Exception):
    pass


def drop_caches():
    os.sync()
    with open('/proc/sys/vm/drop_caches', 'w') as f:
        f.write('3')


class Datasetfs:
    """Trees stay in the cache directory in any case."""
    name = 'datasetfs'

    def __init__(self, config, cache, mountpoint, log):
        self.mount = harness.Mount(config, mountpoint, log)
        self.segments = cache + '/segments'
        self.base = mountpoint + '/bench/data@1/'

    def path(self, rel, etag):
        return self.base + rel

    def start(self, keep=False):
        if not keep:
            shutil.rmtree(self.segments, ignore_errors=True)
        drop_caches()
        self.mount.start()

    def stop(self):
        self.mount.stop()
        subprocess.run(['umount', '-l', self.mount.mountpoint], stderr=subprocess.DEVNULL)


class Native:
    name = 'ext4'

    def __init__(self, folder):
        self.folder = folder

    def path(self, rel, etag):
        return os.path.join(self.folder, rel)

    def start(self, keep=False):
        drop_caches()

    def stop(self):
        pass


class Peer:
    """s3fs or rclone: in the foreground, so that its pid is known."""

    def __init__(self, top, server, endpoint):
        self.target = os.path.join(top, 'mnt-' + self.name)
        self.cache = os.path.join(top, 'cache-' + self.name)
        self.server, self.endpoint, self.process = server, endpoint, None
        os.makedirs(self.target, exist_ok=True)

    def path(self, rel, etag):
        return f'{self.target}/DATA/hashes/{etag}'

    def start(self, keep=False):
        if keep:
            raise Missing('not compared: what it keeps depends on how it was unmounted')
        if not shutil.which(self.name):
            raise Missing(f'{self.name} is not installed')
        shutil.rmtree(self.cache, ignore_errors=True)
        os.makedirs(self.cache)
        drop_caches()
        command, env = self.command()
        env = dict(os.environ, HOME=self.cache, **env)
        for name in ('AWS_CA_BUNDLE', 'http_proxy', 'HTTP_PROXY'):      # not of loopback; rclone refuses the first
            env.pop(name, None)
        with open(self.cache + '.log', 'ab') as log:
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + READY_SECONDS
        while not harness.is_mounted(self.target):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                with open(self.cache + '.log', errors='replace') as f:
                    raise Missing('did not mount: ' + f.read()[-100:])
            time.sleep(0.005)

    def stop(self):
        subprocess.run(['umount', '-l', self.target], stderr=subprocess.DEVNULL)
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
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


def parallel_get(top, server, endpoint, key, size, at_once=16):
    """What the store gives without a file system: parts side by side."""
    if not shutil.which('curl'):
        raise Missing('curl is not installed')
    conf = os.path.join(top, 'curl.conf')
    with open(os.open(conf, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), 'w') as f:
        blocks = []
        for at in range(0, size, PART):
            blocks.append(f'url = "{endpoint}/bench/{key}"\nrange = "{at}-{min(at + PART, size) - 1}"\n'
                          f'output = "/dev/null"\nuser = "{server.access_key}:{server.secret_key}"\n'
                          f'aws-sigv4 = "aws:amz:{server.region}:s3"\nfail\nwrite-out = "%{{size_download}}\\n"\n'
                          'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"\n')
        f.write('next\n'.join(blocks))
    p = subprocess.run(['curl', '-q', '-s', '--no-progress-meter', '-Z', '--parallel-immediate', '--parallel-max',
                        str(at_once), '-K', conf], capture_output=True, text=True)
    got = sum(int(x) for x in p.stdout.split() if x.isdigit())
    if p.returncode != 0 or got != size:
        raise Missing(f'curl: exit {p.returncode}, {got} of {size} B: {p.stderr[-80:]}')
