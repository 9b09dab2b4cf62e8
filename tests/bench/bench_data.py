# SPDX-License-Identifier: Apache-2.0
"""What is read: one big file, four for four streams, many small ones; as files,
as OSMO's objects and, where a peer looks files up by name, under their names.
"""
import hashlib
import json
import os
import random
from collections import namedtuple

MIB = 1 << 20
PART = 8 * MIB
SMALL_BYTES = 16 << 10
STREAMS = 4
A_FOLDER = 1000         # small files in each
PEER_FILES = 20_000     # a peer reads no more in its 120 s

File = namedtuple('File', 'rel size etag')


def write_catalog(folder, uri, name, dataset_id, size):
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


def write_manifest(path, files):
    """files: (relative path, size, etag, where it is stored)."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as f:
        f.write('[')
        for i, (rel, size, etag, where) in enumerate(files):
            f.write((',' if i else '') + f'\n    {{"relative_path": "{rel}", "storage_path": "{where}", '
                    f'"url": "{where}", "size": {size}, "etag": "{etag}"}}')
        f.write('\n]')


class Data:
    """native: the files; objects: what is to be put into the bucket "bench";
    source: what `dataset import osmo` reads."""

    def __init__(self, b):
        self.native, self.objects, self.source = b.dir('native'), b.dir('objects'), b.dir('source')
        self.rng = random.Random(1)
        os.makedirs(f'{self.objects}/DATA/hashes')
        self.big = self.add('big.bin', b.args.mib * MIB)
        self.streams = [self.add(f'stream-{i}.bin', b.args.mib * MIB // STREAMS) for i in range(STREAMS)]
        self.small = [self.add(f'small/{i // A_FOLDER:04d}/{i:06d}.jpg', SMALL_BYTES) for i in range(b.args.files)]
        self.name_for_peers()
        self.describe('s3://bench')

    def blocks(self, size):
        for at in range(0, size, PART):
            yield self.rng.randbytes(min(PART, size - at))

    def add(self, rel, size):
        path = os.path.join(self.native, rel)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        parts = []
        with open(path, 'wb') as f:
            for block in self.blocks(size):
                f.write(block)
                parts.append(hashlib.md5(block))
        etag = parts[0].hexdigest() if len(parts) == 1 else \
            hashlib.md5(b''.join(p.digest() for p in parts)).hexdigest() + f'-{len(parts)}'
        os.link(path, f'{self.objects}/DATA/hashes/{etag}')
        return File(rel, size, etag)

    def name_for_peers(self):
        for file in self.small[:PEER_FILES] + [self.big]:
            path = f'{self.objects}/plain/{file.rel}'
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.link(os.path.join(self.native, file.rel), path)

    def describe(self, uri):
        """"data", and "plain": the big file again, of which nothing is known
        that could be verified."""
        files = [self.big, *self.streams, *self.small]
        write_manifest(f'{self.objects}/DATA/manifests/1.json',
                       ((f.rel, f.size, f.etag, f'{uri}/DATA/hashes/{f.etag}') for f in files))
        write_catalog(self.source, uri, 'data', 'DATA', sum(f.size for f in files))
        write_manifest(f'{self.objects}/PLAIN/manifests/1.json',
                       [(self.big.rel, self.big.size, '', f'{uri}/plain/{self.big.rel}')])
        write_catalog(self.source, uri, 'plain', 'PLAIN', self.big.size)

    def bytes(self):
        """What the bucket takes, in bytes."""
        named = min(len(self.small), PEER_FILES)
        return self.big.size * 2 + sum(f.size for f in self.streams) + (len(self.small) + named) * SMALL_BYTES
