# SPDX-License-Identifier: Apache-2.0
"""What a run is held to.  Each target: a case and state, at which latency (None:
each), what of it, and the bound.  All of the S3 server; ratios are of medians in
one run on one machine.
"""
from collections import namedtuple

Target = namedtuple('Target', 'case state delay what bound at_least')


def least(case, state, delay, what, bound):
    return Target(case, state, delay, what, bound, True)


def most(case, state, delay, what, bound):
    return Target(case, state, delay, what, bound, False)


SMALL = ('tree1', 'tree16', 'shuf1', 'shuf16')
TARGETS = [
    most('mount', 'kept', 0, 'value', 0.1),
    most('mount', 'kept', 20, 'trips', 3),
    most('mount', 'new', 20, 'trips', 6),
    least('seq1', 'cold', 0, 'of limit', 0.4),
    least('seq1', 'cold', 20, 'of limit', 0.6),
    least('seq1', 'cold', None, 'of s3fs', 1),
    least('seq1', 'cold', None, 'of rclone', 1),
    most('seq1', 'cold', 0, 'cpu_per_gb', 2.3),
    least('seq1u', 'cold', 0, 'of limit', 0.55),
    least('seq1u', 'cold', 20, 'of limit', 0.6),
    most('seq1u', 'cold', 0, 'cpu_per_gb', 1.1),
    least('seq1', 'disk', 0, 'of ext4', 0.9),
    most('seq1', 'disk', None, 'fetched', 0),
    least('seq1', 'page', 0, 'of ext4', 0.5),
    most('seq1', 'page', 0, 'fuse_own', 0),
    least('rand4k', 'cold', None, 'of limit', 0.5),
    most('rand4k', 'cold', None, 'fetched of asked', 32),
    least('rand256k', 'cold', None, 'of limit', 0.7),
    least('tree16', 'cold', 0, 'of limit', 0.5),
    least('tree16', 'cold', 20, 'of limit', 0.8),
    least('tree1', 'cold', 20, 'value', 1000),
    least('shuf16', 'cold', None, 'of limit', 0.5),
    *[least(c, 'disk', 0, 'of ext4', 0.5) for c in SMALL],
    *[least(c, 'page', 0, 'of ext4', 0.5) for c in SMALL],
    *[most(c, 'page', 0, 'fuse_own', 0) for c in SMALL],
    most('lstat', 'cold', 0, 'time of ext4', 1.0),
    most('lstat', 'page', 0, 'time of ext4', 1.3),
    most('walk', 'cold', 0, 'time of ext4', 1.0),
    most('walk', 'page', 0, 'time of ext4', 1.3),
    most('*', '*', None, 'rss_mib', 256),
]


class Judge:
    """results: bench.Results; limits: bench_limit.Limits."""

    def __init__(self, results, limits, cases):
        self.results, self.limits, self.cases = results, limits, cases

    def limit(self, server, delay, case):
        """(rate, how many in flight) that the case is held against, or None."""
        key, wanted = (server, delay, case), getattr(self.cases.get(case), 'in_flight', None)
        if wanted:
            rate = self.limits.at(key, wanted)
            return (rate, wanted) if rate else None
        return self.limits.best(key)

    def other(self, t, what, delay):
        """What the row is divided by: "limit", or a system in the same state."""
        server = self.server(t)
        if what == 'limit':
            found = self.limit(server, delay, t.case)
            return found and found[0]
        return self.results.seen(server, delay, t.case, t.state, what, 'value')

    @staticmethod
    def server(t):
        return 'file' if t.case == 'walk' else 'radosgw'

    def seen(self, t, delay):
        if t.case == '*':
            return self.results.highest('datasetfs', t.what, delay)
        if t.what == 'fetched of asked':
            fetched = self.ours(t, delay, 'fetched')
            asked = self.ours(t, delay, 'asked')
            return fetched / asked if asked else None
        how, _, whom = t.what.partition('of ')
        if not whom:
            return self.ours(t, delay, t.what)
        ours, theirs = self.ours(t, delay, 'value'), self.other(t, whom, delay)
        if not ours or not theirs:
            return None
        is_time = self.results.unit(t.case) == 's'
        return theirs / ours if how and not is_time else ours / theirs

    def ours(self, t, delay, what):
        return self.results.seen(self.server(t), delay, t.case, t.state, 'datasetfs', what)

    def judged(self, delays):
        """Of each target that the run has figures for: (target, delay, seen, met)."""
        for t in TARGETS:
            for delay in delays if t.delay is None else [t.delay]:
                seen = self.seen(t, delay)
                if seen is not None:
                    yield t, delay, seen, seen >= t.bound if t.at_least else seen <= t.bound
