# SPDX-License-Identifier: Apache-2.0
"""Reads of one real store through one proxy.  Of each case: first what the
store gives (bench_limit), then the systems in turn, each cold, again (from the
page cache) and after a remount (from its disk cache); several rounds of that.
"""
import contextlib
import json
import os
import shutil
import subprocess
import time

import bench_cases
import bench_limit
import bench_systems as systems
import ds_servers
import harness
from bench_cases import CASES
from bench_data import PART, Data
from bench_systems import Missing
from bench_watch import Watch, round_trips

STATES = ('cold', 'page', 'disk')
GRACE_SECONDS = 60      # for a read that was begun before its case's time was over


@contextlib.contextmanager
def opened(folder):
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def read(folder, system, case, lines, seconds):
    """What tests/bench/reader prints; it starts in that open folder, so that the
    way there is not part of it."""
    args = [os.path.abspath(bench_limit.program('reader')), '--seconds', str(seconds), '--threads', str(case.threads)]
    args += ['--shared'] * case.shared + (['--walk', system.small()] if case.walks else [])
    try:
        p = subprocess.run(args, input='\n'.join(lines) + '\n', capture_output=True, text=True,
                           timeout=seconds + GRACE_SECONDS, preexec_fn=lambda: os.fchdir(folder))
    except subprocess.TimeoutExpired:
        raise Missing(f'hung for {GRACE_SECONDS} s') from None
    if p.returncode != 0:
        raise Missing(p.stderr.strip()[-100:])
    return json.loads(p.stdout)


class Reads:
    """One server at one latency."""

    def __init__(self, b, data, server, proxy, delay, server_name):
        self.b, self.data, self.server, self.proxy, self.delay = b, data, server, proxy, delay
        self.server_name, self.given_up = server_name, set()

    def tell(self, case, state, system, value, unit, **more):
        self.b.result(server=self.server_name, delay=self.delay, case=case, state=state, system=system, value=value,
                      unit=unit, **more)

    def url(self, file):
        return self.server.client(self.proxy.endpoint).presign('bench', 'DATA/hashes/' + file.etag)

    # -- the store alone ------------------------------------------------------

    def limit(self, case):
        reads = list(bench_cases.in_parts(case.reads(self.data, None), PART))
        urls = {f: self.url(f) for f in {f for _, _, f in reads}}
        lines = [urls[f] + ('' if n == f.size else f' {at}-{at + n - 1}') for at, n, f in reads]
        for n in sorted({*bench_limit.IN_FLIGHT, case.in_flight or 8}):
            rate = case.rate(bench_limit.measure(lines, n, self.b.args.limit_seconds))
            self.b.limits.add((self.server_name, self.delay, case.name), n, rate)
            self.tell(case.name, 'cold', f'limit at {n}', rate, case.unit)

    # -- a system -------------------------------------------------------------

    def measured(self, system, case, state, lines):
        before = self.proxy.stats('/bench/')['bytes_sent']
        is_ours, counts = system.name == 'datasetfs', {}
        with opened(system.base(case.version)) as folder, Watch(system.pid) as watch:
            if is_ours and state == 'cold':
                self.b.fuse.watch_pages(folder)
            if is_ours and state == 'page':
                self.b.fuse.begin(folder)
            answer = read(folder, system, case, lines, self.b.args.case_seconds)
            if is_ours and state == 'page':
                counts = self.b.fuse.end()
        fetched = self.proxy.stats('/bench/')['bytes_sent'] - before
        gb = answer['bytes'] / 1e9
        note = f'{answer["items"]} of {len(lines)}, cut off' if lines and answer['items'] < len(lines) else ''
        note += counts.pop('note', '')
        self.tell(case.name, state, system.name, case.rate(answer), case.unit, rss_mib=watch.rss_mib,
                  cpu_per_gb=watch.cpu / gb if watch.cpu is not None and gb > 0.01 else None, cpu=watch.cpu,
                  fetched=fetched if system.pid else None, asked=answer['bytes'], note=note, **counts)
        return answer['items']

    def one(self, system, case):
        """In every state, of what the cold run had time for."""
        lines = [] if case.walks else [
            f'{at} {n} {system.path(f)}' for at, n, f in case.reads(self.data, system.n_small)]
        for state in self.b.args.states.split(','):
            if (system.name, case.name, state) in self.given_up or (case.walks and state == 'disk'):
                continue
            try:
                if state != 'page':
                    system.stop()
                    system.start(keep=state == 'disk')
                    os.listdir(system.base(case.version))       # a tree is opened, or expanded, here
                done = self.measured(system, case, state, lines)
                lines = lines[:done]
            except (Missing, OSError) as e:
                self.given_up.add((system.name, case.name, state))
                self.tell(case.name, state, system.name, None, case.unit, note=' '.join(str(e).split())[-100:])
                if state == 'cold':
                    break
        system.stop()

    def first_byte(self, system, state):
        """From the start of the mount; and the round trips but for those of an
        expansion, which want a line that is long enough to tell what waited for
        what."""
        if (system.name, 'mount', state) in self.given_up:
            return
        file = self.data.small[0]
        try:
            system.stop()
            if state == 'new':
                system.forget()
            self.proxy.reset()
            self.proxy.latency(self.delay)
            systems.drop_caches()
            start = time.perf_counter()
            system.start(keep=system.name == 'datasetfs')
            with open(os.path.join(system.base(), system.path(file)), 'rb') as f:
                f.read(1)
            took = time.perf_counter() - start
            log = [e for e in self.proxy.log() if '/manifests/' not in e['target']]     # that is the expansion
            trips = round_trips(log) if self.delay else None
            self.tell('mount', state, system.name, took, 's', trips=trips, requests=len(log))
        except (Missing, OSError) as e:
            self.given_up.add((system.name, 'mount', state))
            self.tell('mount', state, system.name, None, 's', note=' '.join(str(e).split())[-100:])
        finally:
            system.stop()

    def mounts(self, every):
        """After one read of everything's tree: "kept"; "new": a node that has seen
        nothing."""
        ours = [s for s in every if s.name == 'datasetfs']
        for s in ours:
            with contextlib.suppress(Missing):
                s.start()
                os.listdir(s.base())
                s.stop()
        for _ in range(self.b.args.rounds):
            for s in every:
                if s.name != 'ext4':
                    self.first_byte(s, 'kept')
        for s in ours:
            self.first_byte(s, 'new')

    def run(self, every, names):
        if 'mount' in names:
            self.mounts(every)
        for case in CASES:
            for _ in range(self.b.args.rounds if case.name in names else 0):
                if case.reads:
                    self.limit(case)
                for system in every:
                    if case.version == 'data' or system.name == 'datasetfs':
                        self.one(system, case)


def config_of(b, server, endpoint, name):
    """The catalog is beside the bucket: nginx takes none."""
    credential = dict(access_key_id=server.access_key, access_key=server.secret_key, override_url=endpoint,
                      addressing_style='path')
    bucket = {'dataset_path': 's3://bench', 'region': server.region, 'default_credential': credential}
    extra = {'buckets': {'bench': {'catalog': 'file://' + b.dir('catalog-nginx')}}}
    return harness.write_config(f'{b.top}/{name}.yaml', {'bench': bucket}, default='bench',
                                cache_dir=f'{b.top}/cache-{name}', extra=None if is_s3(server) else extra)


def is_s3(server):
    return isinstance(server, ds_servers.Radosgw)


def at(b, data, server, server_name, delay, names):
    name = f'{server_name}-{delay}'
    with ds_servers.FaultProxy(server.endpoint, latency_ms=delay) as proxy:
        config = config_of(b, server, proxy.endpoint, name)
        if delay == b.delays[0]:
            harness.run('-c', config, 'dataset', 'import', 'osmo', 'bench', data.source, check=True, timeout=600)
        every = [systems.Datasetfs(config, f'{b.top}/cache-{name}', b.dir('mnt'), b.top + '/mount.log'),
                 *[systems.Native(data.native)] * (is_s3(server) and delay == b.delays[0])]
        if is_s3(server):
            every += [p(b.top, server, proxy.endpoint) for p in (systems.S3fs, systems.Rclone)]
            every += [systems.Further(n, script, b.top, server, proxy.endpoint) for n, script in b.further]
        every = [s for s in every if s.name in b.systems]
        try:
            Reads(b, data, server, proxy, delay, server_name).run(every, names)
        finally:
            for s in every:
                s.stop()


def part_reads(b):
    names = [c for c in b.cases if c == 'mount' or c in bench_cases.BY_NAME]
    if not names:
        return
    data = Data(b)
    for server_name in b.args.servers.split(','):
        try:
            server = SERVERS[server_name](b, data)
        except ds_servers.NotInstalled as e:
            b.skip(server_name, str(e))
            continue
        try:
            for delay in b.delays:
                at(b, data, server, server_name, delay, names)
        finally:
            server.stop()


def start_radosgw(b, data):
    server = ds_servers.Radosgw(b.top + '/rgw', size=data.bytes() * 2 + (2 << 30)).start()
    try:
        server.client().make_bucket('bench')
        server.client().put_tree('bench', data.objects)
    except BaseException:
        server.stop()
        raise
    return server


def start_nginx(b, data):
    """From memory, which dropping the page cache leaves alone."""
    root = b.dir('nginx-root')
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'mode=755,size=90%', 'objects', root], check=True)
    shutil.copytree(data.objects, root + '/bench')
    return ds_servers.Nginx(b.top + '/nginx').start(root)


SERVERS = dict(radosgw=start_radosgw, nginx=start_nginx)
