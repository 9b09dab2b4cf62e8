# SPDX-License-Identifier: Apache-2.0
"""find, ls -lR and readdir + lstat over one large version, beside ext4.  Cold:
the page cache dropped, the tree expanded before; page: at once again.
"""
import json
import os
import shutil
import subprocess
import time

import bench_limit
import bench_systems as systems
import harness
from bench_data import A_FOLDER, write_catalog, write_manifest
from bench_watch import Watch

SIZE = 115_000


def names_of(n):
    return [f'd{i // A_FOLDER:04d}/file-{i:07d}.jpg' for i in range(n)]


def make_native(folder, names):
    for i, name in enumerate(names):
        if i % A_FOLDER == 0:
            os.makedirs(os.path.join(folder, os.path.dirname(name)))
        os.close(os.open(os.path.join(folder, name), os.O_CREAT | os.O_WRONLY, 0o444))


def counted(command, folder, want):
    """The seconds that a shell command takes; what it prints is counted, so that
    a mount that shows less is not the faster one."""
    start = time.perf_counter()
    p = subprocess.run(command + ' | wc -l', shell=True, check=True, capture_output=True, text=True, cwd=folder)
    took = time.perf_counter() - start
    if int(p.stdout) != want:
        raise AssertionError(f'{command}: {p.stdout.strip()} lines, not {want}')
    return took


def walked(folder, want):
    p = subprocess.run([os.path.abspath(bench_limit.program('reader')), '--walk', '.'], check=True,
                       capture_output=True, text=True, cwd=folder)
    answer = json.loads(p.stdout)
    if answer['items'] != want:
        raise AssertionError(f'walk: {answer["items"]} entries, not {want}')
    return answer['seconds']


def cases(n):
    """{name: the seconds of one run in a folder}"""
    folders = -(-n // A_FOLDER)
    return {'find': lambda d: counted('find . -name "*7.jpg"', d, (n + 2) // 10),
            'findsize': lambda d: counted('find . -type f -size +1G', d, 0),
            'ls': lambda d: counted('ls -lR .', d, n + 4 * folders + 2),     # a heading, total, an empty line
            'walk': lambda d: walked(d, n + folders)}


def part_entries(b):
    n = b.args.entries
    todo = [(name, fn) for name, fn in cases(n).items() if name in b.cases]
    if not todo:
        return
    bucket, uri, names = b.dir('entries-bucket'), f'file://{b.top}/entries-bucket', names_of(n)
    write_manifest(f'{bucket}/META/manifests/1.json', (
        (name, SIZE, f'{i:032x}', f'{uri}/META/hashes/{i:032x}') for i, name in enumerate(names)))
    write_catalog(b.dir('entries-source'), uri, 'data', 'META', SIZE * n)
    config = harness.write_config(b.top + '/entries.yaml', {'bench': {'dataset_path': uri}}, default='bench',
                                  cache_dir=b.top + '/entries-cache')
    harness.run('-c', config, 'dataset', 'import', 'osmo', 'bench', b.top + '/entries-source', check=True, timeout=600)
    make_native(b.dir('entries-native'), names)
    ours = systems.Datasetfs(config, b.top + '/entries-cache', b.dir('mnt'), b.top + '/mount.log')
    every = [s for s in (ours, systems.Native(b.top + '/entries-native')) if s.name in b.systems]
    try:
        expand(b, ours)
        for name, fn in todo:
            for _ in range(b.args.rounds):
                for s in every:
                    both(b, s, name, fn)
    finally:
        ours.stop()
    for d in ('entries-native', 'entries-bucket', 'entries-cache'):
        shutil.rmtree(os.path.join(b.top, d), ignore_errors=True)


def tell(b, system, case, state, value, **more):
    b.result(server='file', delay=0, case=case, state=state, system=system.name, value=value, unit='s', **more)


def expand(b, ours):
    ours.start()
    start = time.perf_counter()
    with Watch(ours.pid) as watch:
        os.listdir(ours.base())
    tell(b, ours, 'expand', 'new', time.perf_counter() - start, rss_mib=watch.rss_mib)
    ours.stop()


def both(b, system, case, fn):
    system.stop()
    system.start(keep=True)
    for state in ('cold', 'page'):
        counts = {}
        with Watch(system.pid) as watch:
            if system.pid:
                b.fuse.watch_pages(system.base())
                b.fuse.begin(system.base())
            took = fn(system.base())
            if system.pid:
                counts = b.fuse.end()
        tell(b, system, case, state, took, rss_mib=watch.rss_mib, cpu=watch.cpu, **counts)
    system.stop()
