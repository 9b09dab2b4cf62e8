#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a dataset bucket in OSMO's layout out of directories.

  OUT/objects/...         what to upload: keys of the container, or for file://
                          what belongs below the dataset_path
  OUT/osmo/list.json      as `osmo dataset list -t json` prints it
  OUT/osmo/info/NAME.json as `osmo dataset info NAME -t json` prints it
  OUT/sql/dump.sql        the same as a dump of OSMO's database
  OUT/expect.json         with --nasty: what a reader must give, file by file

Each directory of a --dataset becomes a version; directories joined by + make
one version together.  The newest one is tagged latest and, as OSMO does, with
its own number.
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from osmo_bucket import Bucket                                # noqa: E402
import osmo_nasty                                             # noqa: E402


def pair(text):
    name, sep, rest = text.partition('=')
    if not sep or not name or not rest:
        raise argparse.ArgumentTypeError(f'{text!r}: expected NAME=...')
    return name, rest


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('out', help='folder for all of it; made if it is not there')
    p.add_argument('--uri', required=True, help="the bucket's dataset_path")
    p.add_argument('--objects', help='another folder for the objects')
    p.add_argument('--link', help='beginning of the url members (default: the URI)')
    p.add_argument('--bucket-name', default='production')
    p.add_argument('--dataset', metavar='NAME=DIR[+DIR],...', action='append', default=[], type=pair)
    p.add_argument('--star', action='store_true', help="like DIR/*: paths without the directory's own name")
    p.add_argument('--id', metavar='NAME=ID', action='append', default=[], type=pair)
    p.add_argument('--legacy', metavar='NAME=DIR', action='append', default=[], type=pair,
                   help='one more version: plain files below a prefix')
    p.add_argument('--tag', metavar='NAME=VERSION:TAG', action='append', default=[], type=pair)
    p.add_argument('--status', metavar='NAME=VERSION:STATUS', action='append', default=[], type=pair)
    p.add_argument('--collection', metavar='NAME=DATASET:VERSION,...', action='append', default=[], type=pair)
    p.add_argument('--nasty', action='store_true', help='add the dataset "nasty", and OUT/expect.json')
    p.add_argument('--small-files', type=int, default=0, metavar='N', help='with --nasty: a version of N small files')
    p.add_argument('--huge', action='store_true', help='with --nasty: a sparse file of 3 GiB')
    p.add_argument('--foreign-uri', help='with --nasty: where foreign objects lie (OUT/foreign)')
    p.add_argument('--neighbour-uri', help='with --nasty: a location that must not be read (OUT/neighbour)')
    return p.parse_args()


def number_and(text):
    number, _, rest = text.partition(':')
    return int(number), rest


def main():
    a = options()
    os.makedirs(a.out, exist_ok=True)
    bucket = Bucket(a.uri, a.out, a.objects, a.bucket_name, a.link)
    ids, by_name = dict(a.id), {}
    for name, folders in a.dataset:
        ds = by_name[name] = bucket.add_dataset(name, ids.get(name))
        for one in folders.split(','):
            ds.add_tree(one.split('+'), a.star)
    for name, folder in a.legacy:
        if name not in by_name:
            by_name[name] = bucket.add_dataset(name, ids.get(name))
        by_name[name].add_legacy(folder)
    for ds in bucket.datasets:
        ds.tag('latest', len(ds.versions))
        ds.tag(str(len(ds.versions)), len(ds.versions))
    for name, what in a.tag:
        number, tag = number_and(what)
        by_name[name].tag(tag, number)
    for name, what in a.status:
        number, status = number_and(what)
        by_name[name].versions[number - 1]['status'] = status
    if a.nasty:
        osmo_nasty.add(bucket, ids.get('nasty'), a)
    for name, what in a.collection:
        members = [m.split(':') for m in what.split(',')]
        bucket.add_collection(name, [(by_name[m[0]], int(m[1])) for m in members])
    bucket.write_catalog()


if __name__ == '__main__':
    main()
