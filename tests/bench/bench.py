#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures side by side, in one run: the mount beside what the store gives
without a file system (the limit), native ext4, s3fs, rclone, and whatever --add
names.  Prints a line a measurement, then a table of them and the targets with
met or not met; --out has all of it as JSON.  Compare within one run; absolute
figures are the machine's of that minute.

Cases: mount, seq1, seq1u, seq4, rand4k, rand256k, tree1, tree16, shuf1, shuf16,
lstat (bench_cases.py); find, findsize, ls, walk (over --entries); expand.
Systems: datasetfs, ext4, s3fs, rclone.  Needs root and tests/servers; what
cannot run says why.  The run ends with status 1 when a limit was under half of
the best it saw; that a target is missed does not end it.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'system'), os.path.join(HERE, '..', 'tools')]
import bench_cases                              # noqa: E402
import bench_entries                            # noqa: E402
import bench_limit                              # noqa: E402
import bench_reads                              # noqa: E402
import bench_targets                            # noqa: E402
import harness                                  # noqa: E402
from bench_watch import FuseCount               # noqa: E402

# What a short run is: that all of it works, and figures of some use.
SHORT = dict(mib=256, files=2000, entries=20_000, rounds=1, case_seconds=15, limit_seconds=2)
WHOLE = dict(mib=1024, files=100_000, entries=1_000_000, rounds=3, case_seconds=120, limit_seconds=5)
CASES = ['mount', *bench_cases.BY_NAME, *bench_entries.cases(0), 'expand']
NEVER_ABOVE = ('fuse', 'fuse_own', 'fetched', 'rss_mib', 'trips')
SYSTEMS = ['datasetfs', 'ext4', 's3fs', 'rclone']


class Results:
    """Measurements by (server, delay, case, state, system)."""

    def __init__(self):
        self.rows, self.units = {}, {}

    def add(self, key, unit, figures):
        self.rows.setdefault(key, []).append(figures)
        self.units[key[2]] = unit

    def unit(self, case):
        return self.units.get(case)

    def all(self, key, what):
        return [r[what] for r in self.rows.get(key, []) if r.get(what) is not None]

    def seen(self, server, delay, case, state, system, what):
        """The median; of what may never be, the highest."""
        values = self.all((server, delay, case, state, system), what)
        return (max if what in NEVER_ABOVE else statistics.median)(values) if values else None

    def highest(self, system, what, delay):
        """Of all cases of a system but those of nginx."""
        values = [v for key in self.rows if key[0] != 'nginx' and key[1] == delay and key[4] == system
                  for v in self.all(key, what)]
        return max(values, default=None)


def text(value, digits=4):
    return '-' if value is None else f'{value:.{digits}g}' if value < 10000 else f'{value:.0f}'


class Bench:
    def __init__(self, top, args):
        self.top, self.args = top, args
        self.results, self.limits, self.skipped = Results(), bench_limit.Limits(), []
        self.cases, self.delays = args.cases.split(','), [int(x) for x in args.delays.split(',')]
        self.further = [add.split('=', 1) for add in args.add]
        self.systems = args.systems.split(',') + [name for name, _ in self.further]

    def dir(self, name):
        path = os.path.join(self.top, name)
        os.makedirs(path, exist_ok=True)
        return path

    def skip(self, what, why):
        self.skipped.append((what, why))
        print(f'skipped: {what}: {why}', flush=True)

    def result(self, server, delay, case, state, system, value, unit, note='', **more):
        figures = dict(value=value, note=note, **more)
        self.results.add((server, delay, case, state, system), unit, figures)
        shown = ', '.join(f'{k} {text(v)}' for k, v in more.items() if v is not None)
        print(f'{server:<8} {delay:>3} ms {case:<9} {state:<5} {system:<12} {text(value):>8} {unit:<10} '
              f'{shown}{"; " if shown and note else ""}{note}', flush=True)


# -- the tables ---------------------------------------------------------------

def print_table(heads, rows):
    widths = [max(len(r[i]) for r in [heads, *rows]) for i in range(len(heads))]
    for r in [heads, ['-' * w for w in widths], *rows]:
        print('| ' + ' | '.join(cell.ljust(w) for cell, w in zip(r, widths)) + ' |')


def print_results(b, judge):
    systems = [s for s in b.systems if any(key[4] == s for key in b.results.rows)]
    rows = []
    for server, delay, case, state in dict.fromkeys(key[:4] for key in b.results.rows):
        def ours(what, who='datasetfs'):
            return b.results.seen(server, delay, case, state, who, what)
        limit = judge.limit(server, delay, case) if state == 'cold' else None
        ratio = ours('value') / limit[0] if limit and ours('value') else None
        rows.append([server, str(delay), case, state, b.results.unit(case),
                     f'{text(limit[0])} at {limit[1]}' if limit else '-', *[text(ours('value', s)) for s in systems],
                     text(ratio, 2), text(ours('cpu_per_gb'), 3), text(ours('rss_mib'), 3),
                     text(ours('fetched') / ours('asked'), 3) if ours('asked') and ours('fetched') is not None else '-',
                     text(ours('fuse'))])
    print_table(['store', 'ms', 'case', 'state', 'unit', 'limit', *systems, 'of limit', 'CPU s/GB', 'RSS MiB',
                 'fetched/asked', 'FUSE'], rows)


def print_targets(judged):
    rows = [[str(delay), t.case, t.state, t.what, text(seen, 3), ('>= ' if t.at_least else '<= ') + text(t.bound),
             'met' if met else 'NOT MET'] for t, delay, seen, met in judged]
    print_table(['ms', 'case', 'state', 'of datasetfs', 'seen', 'target', ''], rows)


def write_json(b, judged, load):
    rows = [dict(zip(('server', 'delay_ms', 'case', 'state', 'system'), key), unit=b.results.unit(key[2]),
                 measurements=figures) for key, figures in b.results.rows.items()]
    targets = [dict(case=t.case, state=t.state, delay_ms=delay, what=t.what, seen=seen, bound=t.bound,
                    at_least=t.at_least, met=met) for t, delay, seen, met in judged]
    with open(b.args.out, 'w') as f:
        json.dump(dict(schema='datasetfs-bench/2', cpus=os.cpu_count(), load_before=load, load_after=os.getloadavg(),
                       settings=vars(b.args), skipped=b.skipped, rows=rows, targets=targets), f, indent=1)
    print(f'written: {b.args.out}')


# -- expansion ----------------------------------------------------------------

def part_expand(b):
    """tree_bench: CPU and memory of making a tree out of a manifest."""
    if 'expand' not in b.cases:
        return
    for order in ('sorted', 'shuffled'):
        p = subprocess.run([bench_limit.program('tree_bench'), '--entries', str(b.args.entries), '--order', order,
                            '--dir', b.dir('expand'), '--json'], capture_output=True, text=True)
        if p.returncode != 0:
            b.skip('expand', p.stderr.strip()[-100:])
            continue
        out = json.loads(p.stdout)
        for key, unit in out.get('units', {}).items():
            b.result(server='none', delay=0, case=f'expand, {order}: {key}', state='-', system='datasetfs',
                     value=out[key], unit=unit)
    shutil.rmtree(os.path.join(b.top, 'expand'), ignore_errors=True)


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--out', default='bench.json')
    ap.add_argument('--short', action='store_true',
                    help='some minutes: ' + ', '.join(f'{k} {v}' for k, v in SHORT.items()))
    ap.add_argument('--cases', default=','.join(CASES))
    ap.add_argument('--systems', default=','.join(SYSTEMS))
    ap.add_argument('--servers', default='radosgw,nginx', help='nginx: datasetfs alone, for the reader')
    ap.add_argument('--states', default=','.join(bench_reads.STATES))
    ap.add_argument('--delays', default='0,20', help='milliseconds of round-trip time')
    ap.add_argument('--add', action='append', default=[], metavar='NAME=SCRIPT',
                    help='a further mount, as tests/bench/further-rclone.sh is one')
    ap.add_argument('--mib', type=int, help='of the big file (1024)')
    ap.add_argument('--files', type=int, help='of 16 KiB (100000)')
    ap.add_argument('--entries', type=int, help='of find, ls, walk, expand (1000000)')
    ap.add_argument('--rounds', type=int, help='the median of them counts (3)')
    ap.add_argument('--case-seconds', type=int, help='no system gets longer for a case (120)')
    ap.add_argument('--limit-seconds', type=int, help='nor a limit (5)')
    args = ap.parse_args()
    for name, value in (SHORT if args.short else WHOLE).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    for given, known in ((args.cases, CASES), (args.systems, SYSTEMS), (args.servers, bench_reads.SERVERS),
                         (args.states, bench_reads.STATES)):
        for word in given.split(','):
            if word not in known:
                ap.error(f'{word}: not one of {", ".join(known)}')
    if any('=' not in add for add in args.add):
        ap.error('--add NAME=SCRIPT')
    return args


class Stopped(Exception):
    pass


def stop(number, _):
    """Servers and mounts are taken down, what was measured is told."""
    raise Stopped(signal.Signals(number).name)


def main():
    args = arguments()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if os.geteuid() != 0:
        sys.exit('bench: needs root (it drops caches and mounts)')
    harness.own_namespace()
    load, start, failure = os.getloadavg(), time.monotonic(), None
    with harness.scratch() as top:
        b = Bench(top, args)
        b.fuse = FuseCount(top)
        try:
            part_expand(b)
            bench_entries.part_entries(b)
            bench_reads.part_reads(b)
        except (bench_limit.Unsteady, bench_limit.Failed, Stopped) as e:
            failure = f'bench: {e}'
        except Exception:                       # noqa: BLE001  what was measured before it is told all the same
            failure = traceback.format_exc()
        finally:
            b.fuse.close()
            subprocess.run(['umount', '-l', top + '/tracefs', top + '/nginx-root'], stderr=subprocess.DEVNULL)
    judge = bench_targets.Judge(b.results, b.limits, bench_cases.BY_NAME)
    judged = list(judge.judged(b.delays))
    print_results(b, judge)
    if not failure:
        print_targets(judged)
    write_json(b, judged, load)
    print(f'{time.monotonic() - start:.0f} s')
    sys.exit(failure)


if __name__ == '__main__':
    main()
