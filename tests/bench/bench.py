#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py [--out FILE.json] [--quick] [--rounds N] [--only PART[,PART]]

Measures side by side, in one run, and prints a table: the mount beside native
ext4, and beside s3fs and rclone where they can do the same work.  Compare rows
of one run; absolute figures are the machine's of that minute.

The systems take turns, --rounds times; the
median counts.  BENCH_FULL=1 adds the long rows.

Parts: expand, metadata, reads.  Needs root, tests/servers, and for
the peers s3fs and rclone; a row that cannot run says why.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'system'), os.path.join(HERE, '..', 'tools')]
import bench_reads                              # noqa: E402
import harness                                  # noqa: E402
from bench_systems import drop_caches           # noqa: E402


class Bench:
    def __init__(self, top, args):
        self.top, self.args, self.rows = top, args, []

    def row(self, part, what, who, values, unit, note=''):
        """The median of the values; no value where there is a reason instead."""
        value = statistics.median(values) if values else None
        self.rows.append(dict(part=part, what=what, who=who, value=value, values=values, unit=unit, note=note))
        shown = '-' if value is None else f'{value:.4g}'
        if len(values) > 1:
            note = f'{min(values):.4g} to {max(values):.4g}, {len(values)} times{note}'
        print(f'{part:<9} {what:<46} {who:<10} {shown:>9} {unit:<8} {note}', flush=True)

    def table(self, part, label, table):
        """{(what, unit, who): values, or the reason for there being none}"""
        for what, unit in dict.fromkeys(key[:2] for key in table):
            for (w, u, who), values in table.items():
                if (w, u) == (what, unit):
                    bad = isinstance(values, str)
                    self.row(part, label + what, who, [] if bad else values, unit, values if bad else '')

    write_catalog = staticmethod(lambda *a: write_catalog(*a))
    write_manifest = staticmethod(lambda *a: write_manifest(*a))

    def dir(self, name):
        path = os.path.join(self.top, name)
        os.makedirs(path, exist_ok=True)
        return path


def timed(fn):
    start = time.perf_counter()
    fn()
    return time.perf_counter() - start


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
        b.row('expand', 'tree_bench', 'datasetfs', [], '', 'not built: make tests/bench/tree_bench')
        return
    sizes = [100_000] if b.args.quick else [1_000_000]
    if os.environ.get('BENCH_FULL'):
        sizes.append(10_000_000)
    else:
        b.row('expand', '10000000 entries', 'datasetfs', [], '', 'skipped: only with BENCH_FULL=1')
    for n in sizes:
        for order in ('sorted', 'shuffled'):
            p = subprocess.run([program, '--entries', str(n), '--order', order, '--dir', b.dir('expand'), '--json'],
                               capture_output=True, text=True)
            if p.returncode != 0:
                b.row('expand', f'{n} entries, {order}', 'datasetfs', [], '', p.stderr.strip()[-100:])
                continue
            out = json.loads(p.stdout)
            for key, unit in out.get('units', {}).items():
                b.row('expand', f'{n} entries, {order}: {key}', 'datasetfs', [out[key]], unit)
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


# -- metadata ---------------------------------------------------------------

CASES = [('find', 'find {} -name "*7.jpg"'), ('find -size', 'find {} -type f -size +1G'), ('ls -lR', 'ls -lR {}')]


def walk(command, path, want):
    """The seconds that it takes; what it prints is counted, so that a mount
    that shows less is not the faster one."""
    start = time.perf_counter()
    p = subprocess.run(command.format(path) + ' | wc -l', shell=True, check=True, capture_output=True, text=True)
    took = time.perf_counter() - start
    if int(p.stdout) != want:
        raise AssertionError(f'{command}: {p.stdout.strip()} lines, not {want}')
    return took


def make_native(folder, names):
    for i, name in enumerate(names):
        if i % 1000 == 0:
            os.makedirs(os.path.join(folder, os.path.dirname(name)))
        os.close(os.open(os.path.join(folder, name), os.O_CREAT | os.O_WRONLY, 0o444))


def part_metadata(b):
    n = 20_000 if b.args.quick else 1_000_000
    bucket, uri = b.dir('meta-bucket'), 'file://' + b.top + '/meta-bucket'
    names = [f'd{i // 1000:04d}/file-{i:07d}.jpg' for i in range(n)]
    write_manifest(f'{bucket}/META/manifests/1.json', uri, 'META',
                   ((name, 115_000, f'{i:032x}') for i, name in enumerate(names)))
    write_catalog(b.dir('meta-src'), uri, 'big', 'META', n, 115_000 * n)
    config = harness.write_config(b.top + '/meta.yaml', {'bench': {'dataset_path': uri}}, default='bench',
                                  cache_dir=b.top + '/meta-cache')
    harness.run('-c', config, 'dataset', 'import', 'osmo', 'bench', b.top + '/meta-src', check=True)
    native, table = b.dir('meta-native'), {}
    make_native(native, names)
    lines = [n // 10, 0, n + 4 * (n // 1000) + 2]   # ls: a heading, total, an empty line
    mount = harness.Mount(config, b.dir('mnt'), b.top + '/mount.log')
    version = mount.mountpoint + '/bench/big@1'

    def add(what, who, value, unit='s'):
        table.setdefault((f'{n} entries: {what}', unit, who), []).append(value)
    with mount:
        add('first ls, which expands it', 'datasetfs', timed(lambda: os.listdir(version)))
    for (label, command), want in zip(CASES, lines):
        for _ in range(1 if label == 'ls -lR' else b.args.rounds):
            drop_caches()
            add(label + ', cold', 'ext4', walk(command, native, want))
            add(label + ', warm', 'ext4', walk(command, native, want))
            drop_caches()
            with mount:
                add(label + ', cold', 'datasetfs', walk(command, version, want))
                add(label + ', warm', 'datasetfs', walk(command, version, want))
                add('RssAnon after ' + label, 'datasetfs', rss_anon_mib(mount.process.pid), 'MiB')
    b.table('metadata', '', table)
    for d in ('meta-native', 'meta-bucket', 'meta-cache'):
        shutil.rmtree(os.path.join(b.top, d), ignore_errors=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--out', default='bench.json')
    ap.add_argument('--quick', action='store_true', help='small data: that it runs, not how fast')
    ap.add_argument('--rounds', type=int, default=3)
    ap.add_argument('--only', default='expand,metadata,reads')
    args = ap.parse_args()
    parts = dict(expand=part_expand, metadata=part_metadata, reads=bench_reads.part_reads)
    if os.geteuid() != 0:
        sys.exit('bench: needs root (it drops caches and mounts)')
    harness.own_namespace()
    load = os.getloadavg()
    with harness.scratch() as top:
        b = Bench(top, args)
        for name in args.only.split(','):
            parts[name](b)
    with open(args.out, 'w') as f:
        json.dump(dict(schema='datasetfs-bench/1', cpus=os.cpu_count(), load_before=load, load_after=os.getloadavg(),
                       rows=b.rows), f, indent=1)
    print(f'written: {args.out}')


if __name__ == '__main__':
    main()
