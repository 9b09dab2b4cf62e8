# SPDX-License-Identifier: Apache-2.0
"""What the store gives without a file system (tests/bench/limit), measured
beside every case: the figure that ratios divide by.
"""
import json
import os
import statistics
import subprocess

IN_FLIGHT = (8, 16, 64)
STEADY = 0.5        # of the best seen: below, the machine was not the same


class Unsteady(Exception):
    pass


class Failed(Exception):
    pass


def program(name):
    return os.path.join(os.environ.get('top_builddir', '.'), 'tests', 'bench', name)


def measure(lines, in_flight, seconds):
    p = subprocess.run([program('limit'), '--in-flight', str(in_flight), '--seconds', str(seconds)],
                       input='\n'.join(lines) + '\n', capture_output=True, text=True, timeout=seconds + 120)
    if p.returncode != 0:
        raise Failed('limit: ' + p.stderr.strip()[-200:])
    return json.loads(p.stdout)


class Limits:
    """Rates by what was read (a key) and how many were in flight."""

    def __init__(self):
        self.rates = {}

    def add(self, key, in_flight, rate):
        rates = self.rates.setdefault(key, {}).setdefault(in_flight, [])
        rates.append(rate)
        if min(rates) < STEADY * max(rates):
            raise Unsteady(f'the limit of {key} with {in_flight} in flight was {min(rates):.4g} and '
                           f'{max(rates):.4g} in one run: no ratio of it means anything')

    def at(self, key, in_flight):
        rates = self.rates.get(key, {}).get(in_flight)
        return statistics.median(rates) if rates else None

    def best(self, key):
        """(rate, how many were in flight), or None."""
        every = [(statistics.median(r), n) for n, r in self.rates.get(key, {}).items()]
        return max(every) if every else None
