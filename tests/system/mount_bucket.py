# SPDX-License-Identifier: Apache-2.0
"""A bucket below a directory with a catalog (datasetfs-format(5)), written
here byte by byte: what the mount shows is compared with what this wrote, and
not with what another part of the program did."""
import hashlib
import json
import os

PART = 8 << 20


def etag_of(data):
    parts = [data[i:i + PART] for i in range(0, len(data), PART)]
    if len(parts) <= 1:
        return hashlib.md5(data).hexdigest()
    whole = b''.join(hashlib.md5(p).digest() for p in parts)
    return f'{hashlib.md5(whole).hexdigest()}-{len(parts)}'


class Bucket:
    """Datasets are added to memory and disk at once; heads by publish()."""

    def __init__(self, folder, uri=None, catalog_id='catalog-1'):
        self.folder = str(folder)
        self.uri = uri or 'file://' + self.folder
        self.heads = {}
        self.put('.datasetfs/format.json', {'format': 1, 'id': catalog_id})

    def put(self, key, what):
        path = os.path.join(self.folder, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = what if isinstance(what, bytes) else json.dumps(what).encode()
        with open(path + '.new', 'wb') as f:
            f.write(data)
        os.rename(path + '.new', path)

    def dataset(self, name, kind='dataset'):
        dataset_id = 'id-' + name
        head = {'format': 1, 'id': dataset_id, 'name': name, 'type': kind,
                'origin': 'osmo', 'created_by': 'tests',
                'created_date': '2024-01-02T03:04:05Z', 'labels': {}, 'tags': {}}
        if kind == 'dataset':
            head['hash_location'] = f'{self.uri}/{dataset_id}/hashes'
        self.heads[dataset_id] = head
        self.put(f'.datasetfs/catalog/names/{name}.json',
                 {'format': 1, 'id': dataset_id})
        return dataset_id

    def publish(self, dataset_id, **changes):
        self.heads[dataset_id].update(changes)
        self.put(f'.datasetfs/catalog/datasets/{dataset_id}/head.json',
                 self.heads[dataset_id])

    def record(self, dataset_id, number, kind, size, **more):
        record = {'format': 1, 'dataset': dataset_id, 'version': number,
                  'kind': kind, 'size': size, 'created_by': 'tests',
                  'created_date': f'2024-02-{number:02}T00:00:00Z',
                  'metadata': {}, **more}
        self.put(f'.datasetfs/catalog/datasets/{dataset_id}/versions/{number:010}.json',
                 record)

    def blob(self, dataset_id, data):
        key = f'{dataset_id}/hashes/{etag_of(data)}'
        if not os.path.exists(os.path.join(self.folder, key)):
            self.put(key, data)
        return f'{self.uri}/{key}'

    def version(self, dataset_id, number, files, extra=()):
        """files: path -> bytes; extra: manifest entries as they are."""
        entries = [{'relative_path': path, 'storage_path': self.blob(dataset_id, data),
                    'url': '', 'size': len(data), 'etag': etag_of(data)}
                   for path, data in sorted(files.items())]
        entries += extra
        manifest = f'{dataset_id}/manifests/{number}.json'
        self.put(manifest, json.dumps(entries, indent=4).encode())
        self.record(dataset_id, number, 'osmo',
                    sum(e['size'] for e in entries),
                    manifest=f'{self.uri}/{manifest}',
                    hash_location=f'{self.uri}/{dataset_id}/hashes',
                    checksum=hashlib.md5(''.join(sorted(files)).encode()).hexdigest())

    def legacy(self, dataset_id, number, files):
        for path, data in files.items():
            self.put(f'{dataset_id}/plain/{number}/{path}', data)
        self.record(dataset_id, number, 'legacy',
                    sum(len(d) for d in files.values()),
                    location=f'{self.uri}/{dataset_id}/plain/{number}')

    def empty(self, dataset_id, number):
        self.record(dataset_id, number, 'empty', 0)
