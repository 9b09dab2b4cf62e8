#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py [--out FILE.json] [--quick] [--only PART[,PART]]

Measures side by side, in one run, and prints a table: the mount beside native
ext4, and beside s3fs and rclone where they can do the same work.  Compare rows
of one run; absolute figures are the machine's of that minute.

Parts: first-byte, expand, metadata, reads.  Needs root, tests/servers, and for
the peers s3fs and rclone; a row that cannot run says why.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'system'), os.path.join(HERE, '..', 'tools')]
import harness                                  # noqa: E402
import s3_client                                # noqa: E402

MIB = 1 << 20
PEER_SECONDS = 120          # the longest that one peer may take for one case


class Bench:
    def __init__(self, top, args):
        self.top, self.args, self.rows = top, args, []

    def row(self, part, what, who, value, unit, note=''):
        self.rows.append(dict(part=part, what=what, who=who, value=value, unit=unit, note=note))
        shown = '-' if value is None else f'{value:.4g}'
        print(f'{part:<11} {what:<44} {who:<12} {shown:>10} {unit:<8} {note}', flush=True)

    def dir(self, name):
        path = os.path.join(self.top, name)
        os.makedirs(path, exist_ok=True)
        return path


def drop_caches():
    os.sync()
    with open('/proc/sys/vm/drop_caches', 'w') as f:
        f.write('3')


def timed(fn):
    start = time.perf_counter()
    fn()
    return time.perf_counter() - start


def shell(command, timeout=600):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, timeout=timeout)


def rss_anon_mib(pid):
    with open(f'/proc/{pid}/status') as f:
        for line in f:
            if line.startswith('RssAnon'):
                return int(line.split()[1]) / 1024
    return 0.0


# -- expand -----------------------------------------------------------------

def part_expand(b):
    program = os.path.abspath('tests/bench/tree_bench')
    if not os.path.exists(program):
        b.row('expand', 'tree_bench', 'datasetfs', None, '', 'not built: make tests/bench/tree_bench')
        return
    for n in ([100_000] if b.args.quick else [1_000_000, 10_000_000]):
        for order in ('sorted', 'shuffled'):
            p = subprocess.run([program, '--entries', str(n), '--order', order, '--dir', b.dir('expand'), '--json'],
                               capture_output=True, text=True)
            if p.returncode != 0:
                b.row('expand', f'{n} entries, {order}', 'datasetfs', None, '', p.stderr.strip()[-100:])
                continue
            out = json.loads(p.stdout)
            for key, unit in out.get('units', {}).items():
                b.row('expand', f'{n} entries, {order}: {key}', 'datasetfs', out[key], unit)
    shutil.rmtree(os.path.join(b.top, 'expand'), ignore_errors=True)


# -- datasets ---------------------------------------------------------------

def write_catalog(folder, uri, name, dataset_id, n_files, size):
    """What `osmo dataset info` prints, for one version that is READY."""
    info = dict(name=name, id=dataset_id, bucket='bench', created_by='bench', created_date='2026-05-01T12:00:00',
                hash_location=f'{uri}/{dataset_id}/hashes', hash_location_size=size, labels={}, type='DATASET',
                versions=[dict(name=name, version='1', status='READY', created_by='bench',
                               created_date='2026-05-02T12:00:00', last_used='2026-05-02T12:00:00', size=size,
                               checksum='', location='', uri=f'{uri}/{dataset_id}/manifests/1.json',
                               metadata={'description': ''}, tags=['latest'], collections=[])])
    os.makedirs(f'{folder}/info', exist_ok=True)
    with open(f'{folder}/info/{name}.json', 'w') as f:
        json.dump(info, f)


def write_manifest(path, uri, dataset_id, files):
    """files: (relative path, size, etag)."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as f:
        f.write('[')
        for i, (rel, size, etag) in enumerate(files):
            where = f'{uri}/{dataset_id}/hashes/{etag}'
            f.write((',' if i else '') + f'\n    {{"relative_path": "{rel}", "storage_path": "{where}", '
                    f'"url": "{where}", "size": {size}, "etag": "{etag}"}}')
        f.write('\n]')


def import_and_mount(b, config, source, options=None, env=None):
    harness.run('-c', config, 'dataset', 'import', 'osmo', 'bench', source, check=True, env=env)
    return harness.Mount(config, b.dir('mnt'), b.top + '/mount.log', options=options, env=env)


# -- metadata ---------------------------------------------------------------

def part_metadata(b):
    n = 20_000 if b.args.quick else 1_000_000
    bucket, uri = b.dir('meta-bucket'), 'file://' + b.top + '/meta-bucket'
    names = [f'd{i // 1000:04d}/file-{i:07d}.jpg' for i in range(n)]
    write_manifest(f'{bucket}/META/manifests/1.json', uri, 'META',
                   ((name, 115_000, f'{i:032x}') for i, name in enumerate(names)))
    write_catalog(b.dir('meta-src'), uri, 'big', 'META', n, 115_000 * n)
    config = harness.write_config(b.top + '/meta.yaml', {'bench': {'dataset_path': uri}}, default='bench',
                                  cache_dir=b.top + '/meta-cache')
    native = b.dir('meta-native')
    for i, name in enumerate(names):
        if i % 1000 == 0:
            os.makedirs(os.path.join(native, os.path.dirname(name)))
        os.close(os.open(os.path.join(native, name), os.O_CREAT | os.O_WRONLY, 0o444))

    cases = [('find', 'find {} -name nothing'), ('find -size', 'find {} -size +1G'), ('ls -lR', 'ls -lR {}')]
    for label, command in cases:
        drop_caches()
        cold = timed(lambda: shell(command.format(native)))
        warm = timed(lambda: shell(command.format(native)))
        b.row('metadata', f'{label} over {n}, cold', 'ext4', cold, 's')
        b.row('metadata', f'{label} over {n}, warm', 'ext4', warm, 's')
    mount = import_and_mount(b, config, b.top + '/meta-src')
    with mount:
        first = timed(lambda: os.listdir(mount.mountpoint + '/bench/big@1'))
        b.row('metadata', f'first ls of a version of {n} (expands it)', 'datasetfs', first, 's')
    for label, command in cases:
        drop_caches()
        with mount:
            path = mount.mountpoint + '/bench/big@1'
            cold = timed(lambda: shell(command.format(path)))
            warm = timed(lambda: shell(command.format(path)))
            b.row('metadata', f'{label} over {n}, cold', 'datasetfs', cold, 's')
            b.row('metadata', f'{label} over {n}, warm', 'datasetfs', warm, 's')
            b.row('metadata', f'RssAnon after {label}', 'datasetfs', rss_anon_mib(mount.process.pid), 'MiB')
    for d in ('meta-native', 'meta-bucket', 'meta-cache'):
        shutil.rmtree(os.path.join(b.top, d), ignore_errors=True)


# -- reads ------------------------------------------------------------------

def read_sequential(path):
    with open(path, 'rb', buffering=0) as f:
        while f.read(MIB):
            pass


def read_random(path, size, count, block, seed=7):
    rng = random.Random(seed)
    fd = os.open(path, os.O_RDONLY)
    for _ in range(count):
        os.pread(fd, block, rng.randrange(0, size - block))
    os.close(fd)


def measure_reads(b, label, who, path, size, small, cold):
    """cold() empties every cache there is before each measurement."""
    cold()
    b.row('reads', f'{label}: sequential {size // MIB} MiB, cold', who,
          size / MIB / timed(lambda: read_sequential(path)), 'MiB/s')
    b.row('reads', f'{label}: sequential again', who, size / MIB / timed(lambda: read_sequential(path)), 'MiB/s')
    cold()
    count = 200
    b.row('reads', f'{label}: random 4 KiB, cold', who,
          count / timed(lambda: read_random(path, size, count, 4096)), 'reads/s')
    cold()
    b.row('reads', f'{label}: {len(small)} small files in order, cold', who,
          len(small) / timed(lambda: [read_sequential(p) for p in small]), 'files/s')
    b.row('reads', f'{label}: {len(small)} small files again', who,
          len(small) / timed(lambda: [read_sequential(p) for p in small]), 'files/s')


def make_data(b):
    import hashlib
    size = (64 if b.args.quick else 1024) * MIB
    n_small = 200 if b.args.quick else 2000
    native, objects = b.dir('native'), b.dir('objects')
    rng = random.Random(1)
    os.makedirs(f'{objects}/DATA/hashes')
    files = []

    def add(rel, data):
        path = os.path.join(native, rel)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write(data)
        parts = [hashlib.md5(data[i:i + 8 * MIB]).digest() for i in range(0, len(data), 8 * MIB)]
        etag = parts[0].hex() if len(parts) == 1 else hashlib.md5(b''.join(parts)).hexdigest() + f'-{len(parts)}'
        os.link(path, f'{objects}/DATA/hashes/{etag}')
        files.append((rel, len(data), etag))

    add('big.bin', b''.join(rng.randbytes(8 * MIB) for _ in range(size // (8 * MIB))))
    for i in range(n_small):
        add(f'small/{i // 100:03d}/{i:05d}.jpg', rng.randbytes(16 << 10))
    return size, files, native, objects


def mount_peer(who, endpoint, target, cache):
    """A peer on target, or a reason why not."""
    if not shutil.which(who):
        return f'{who} is not installed'
    env = dict(os.environ)
    for name in ('AWS_CA_BUNDLE', 'http_proxy', 'HTTP_PROXY'):
        env.pop(name, None)
    if who == 's3fs':
        passwd = cache + '.passwd'
        with open(passwd, 'w') as f:
            f.write('{AWS_ACCESS_KEY_ID}:{AWS_SECRET_ACCESS_KEY}'.format(**os.environ))
        os.chmod(passwd, 0o600)
        command = ['s3fs', 'bench', target, '-o', f'url={endpoint},use_path_request_style,passwd_file={passwd},'
                   'complement_stat,ro,parallel_count=16,multipart_size=10']
    else:
        env.update(RCLONE_CONFIG_X_TYPE='s3', RCLONE_CONFIG_X_PROVIDER='Ceph', RCLONE_CONFIG_X_ENDPOINT=endpoint,
                   RCLONE_CONFIG_X_ACCESS_KEY_ID=env['AWS_ACCESS_KEY_ID'],
                   RCLONE_CONFIG_X_SECRET_ACCESS_KEY=env['AWS_SECRET_ACCESS_KEY'])
        command = ['rclone', 'mount', 'X:bench', target, '--daemon', '--read-only', '--vfs-cache-mode', 'full',
                   '--cache-dir', cache, '--vfs-read-chunk-size', '16M', '--buffer-size', '32M']
    p = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    return None if p.returncode == 0 else (p.stderr.strip() or 'failed')[-120:]


def peer_reads(b, label, who, endpoint, size, small_keys):
    target, cache = b.dir('peer-' + who), os.path.join(b.top, 'peer-cache-' + who)

    def cold():
        subprocess.run(['fusermount3', '-u', '-z', target], stderr=subprocess.DEVNULL)
        shutil.rmtree(cache, ignore_errors=True)
        time.sleep(0.3)
        drop_caches()
        why = mount_peer(who, endpoint, target, cache)
        if why:
            raise RuntimeError(why)
        for _ in range(100):
            if os.path.exists(target + '/tree'):
                return
            time.sleep(0.05)
    known, rows = len(b.rows), os.path.join(b.top, 'peer-rows.json')
    pid = os.fork()
    if pid == 0:                      # so that a slow peer can be cut off
        try:
            measure_reads(b, label, who, target + '/tree/big.bin', size, [f'{target}/tree/{k}' for k in small_keys],
                          cold)
        except Exception as e:        # noqa: BLE001  a row with the reason
            b.row('reads', label, who, None, '', str(e)[:100])
        with open(rows, 'w') as f:
            json.dump(b.rows[known:], f)
        os._exit(0)
    end = time.monotonic() + PEER_SECONDS
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > end:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            b.row('reads', label, who, None, '', f'cut off after {PEER_SECONDS} s')
            break
        time.sleep(0.1)
    if os.path.exists(rows):
        with open(rows) as f:
            b.rows += json.load(f)
        os.unlink(rows)
    subprocess.run(['fusermount3', '-u', '-z', target], stderr=subprocess.DEVNULL)


def part_reads(b):
    import ds_servers
    size, files, native, objects = make_data(b)
    small = [rel for rel, _, _ in files if rel.startswith('small/')]
    measure_reads(b, 'local', 'ext4', native + '/big.bin', size, [f'{native}/{r}' for r in small], drop_caches)
    with ds_servers.Radosgw(b.top + '/rgw') as server:
        os.environ.update(server.env)
        s3 = s3_client.S3()
        s3.make_bucket('bench')
        s3.put_tree('bench', native, 'tree/')
        s3.put_tree('bench', objects, '')
        write_manifest(b.top + '/manifest', 's3://bench', 'DATA', files)
        with open(b.top + '/manifest', 'rb') as f:
            s3.put('bench', 'DATA/manifests/1.json', f.read())
        write_catalog(b.dir('src'), 's3://bench', 'data', 'DATA', len(files), sum(x[1] for x in files))
        for delay in (0, 20):
            with ds_servers.FaultProxy(server.endpoint, latency_ms=delay) as proxy:
                reads_at(b, delay, proxy.endpoint, size, small)


def reads_at(b, delay, endpoint, size, small):
    label = f'{delay} ms'
    config = harness.write_config(b.top + f'/reads{delay}.yaml', {'bench': {
        'dataset_path': 's3://bench', 'default_credential': {
            'access_key_id': os.environ['AWS_ACCESS_KEY_ID'], 'access_key': os.environ['AWS_SECRET_ACCESS_KEY'],
            'override_url': endpoint, 'addressing_style': 'path'}}}, default='bench',
        cache_dir=b.top + f'/reads-cache{delay}')
    mount = import_and_mount(b, config, b.top + '/src')
    base = b.dir('mnt') + '/bench/data@1'

    def cold():
        mount.stop()
        drop_caches()
        mount.start()
        os.listdir(base)
    try:
        start = time.perf_counter()
        mount.start()
        with open(f'{base}/{small[0]}', 'rb') as f:
            f.read(1)
        b.row('first-byte', f'{label}: from mount to the first byte', 'datasetfs', time.perf_counter() - start, 's')
        measure_reads(b, label, 'datasetfs', base + '/big.bin', size, [f'{base}/{r}' for r in small], cold)
        b.row('reads', f'{label}: RssAnon at the end', 'datasetfs', rss_anon_mib(mount.process.pid), 'MiB')
    finally:
        mount.stop()
    for who in ('s3fs', 'rclone'):
        peer_reads(b, label, who, endpoint, size, small)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--out', default='bench.json')
    ap.add_argument('--quick', action='store_true', help='small data: that it runs, not how fast')
    ap.add_argument('--only', default='expand,metadata,reads')
    args = ap.parse_args()
    parts = dict(expand=part_expand, metadata=part_metadata, reads=part_reads)
    if os.geteuid() != 0:
        sys.exit('bench: needs root (it drops caches and mounts)')
    with harness.scratch() as top:
        b = Bench(top, args)
        for name in args.only.split(','):
            parts[name](b)
    with open(args.out, 'w') as f:
        json.dump(dict(rows=b.rows), f, indent=1)
    print(f'written: {args.out}')


if __name__ == '__main__':
    main()
