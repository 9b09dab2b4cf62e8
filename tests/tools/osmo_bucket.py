# SPDX-License-Identifier: Apache-2.0
"""A dataset bucket as OSMO leaves it behind: objects on disk, and what its
client and its database say about them.  Used by make_osmo_bucket.py and by
tests that need a bucket of their own.
"""
import base64
import datetime
import hashlib
import json
import os
import uuid

PART = 8 << 20
USER = 'user@example.com'
START = datetime.datetime(2026, 5, 1, 12, 0, 0)
FIELDS = ('relative_path', 'storage_path', 'url', 'size', 'etag')


def etag_of(blocks):
    """OSMO's name for content, given as an iterable of blocks: MD5 of one part
    of 8 MiB, else MD5 of the parts' MD5s and their number."""
    sums, rest = [], b''
    for block in blocks:
        rest += block
        while len(rest) > PART:
            sums.append(hashlib.md5(rest[:PART]).digest())
            rest = rest[PART:]
    if not sums:
        return hashlib.md5(rest).hexdigest()
    sums.append(hashlib.md5(rest).digest())
    return f"{hashlib.md5(b''.join(sums)).hexdigest()}-{len(sums)}"


def blocks_of(path):
    with open(path, 'rb') as f:
        while True:
            block = f.read(PART)
            if not block:
                return
            yield block


def manifest_bytes(entries):
    """The manifest as OSMO prints it: objects on their own lines, indented as
    if they stood alone."""
    rows = []
    for e in entries:
        row = {k: e[k] for k in FIELDS}
        row.update((k, v) for k, v in e.items() if k not in FIELDS)
        rows.append(json.dumps(row, indent=4))
    return ('[\n' + ',\n'.join(rows) + '\n]').encode()


def version_checksum(entries):
    """In the order of the manifest, nothing between the entries."""
    total = hashlib.md5()
    for e in entries:
        total.update((e['relative_path'] + ' ' + e['etag']).encode('utf-8', 'surrogateescape'))
    return total.hexdigest() if entries else ''


def walk(top):
    """(path, relative path) of what an upload of a directory takes: files of a
    directory by name, then its directories as the file system lists them.
    Links to files are followed, links to directories are not entered, and a
    dangling link ends the walk without a word."""
    def below(folder, relative):
        files, folders = [], []
        with os.scandir(folder) as entries:
            for e in entries:
                if e.is_dir():
                    if not e.is_symlink():
                        folders.append(e.name)
                elif e.is_symlink() and not os.path.exists(e.path):
                    files.append(e.name)
                elif e.is_file():
                    files.append(e.name)
                else:
                    raise SystemExit(f'{e.path}: neither file nor directory')
        for name in sorted(files):
            if not os.path.exists(os.path.join(folder, name)):
                return False
            found.append((os.path.join(folder, name), relative + name))
        for name in folders:
            if not below(os.path.join(folder, name), relative + name + '/'):
                return False
        return True

    found = []
    below(top, '')
    return found


class Place:
    """A location in a store, and the folder that holds its objects here.

    Object stores: keys of the whole container, so that the folder can be
    uploaded as it is.  file://: what lies below the location."""

    def __init__(self, uri, folder):
        self.uri = uri.rstrip('/')
        self.folder = folder
        scheme, _, rest = self.uri.partition('://')
        skip = {'s3': 1, 'gs': 1, 'azure': 2, 'tos': 2, 'swift': 3}.get(scheme)
        if scheme == 'file':
            self.prefix, self.key_prefix = '', rest
        elif skip:
            self.prefix = self.key_prefix = '/'.join(rest.split('/')[skip:])
        else:
            raise SystemExit(f'{uri}: unknown scheme')

    def path(self, tail):
        return os.path.join(self.folder, self.prefix, tail) if self.prefix else os.path.join(self.folder, tail)

    def put(self, tail, data=None, source=None, size=None):
        """An object from bytes, from a file, or so many NULs (sparse)."""
        path = self.path(tail)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if source is not None and os.path.exists(path):
            return                        # named by its content
        with open(path, 'wb') as f:
            if size is not None:
                f.truncate(size)
            elif data is not None:
                f.write(data)
            else:
                for block in blocks_of(source):
                    f.write(block)

    def remove(self, tail):
        os.unlink(self.path(tail))


def new_id():
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]


class Dataset:
    """One dataset under way; versions are added in order."""

    def __init__(self, bucket, name, dataset_id=None):
        self.bucket = bucket
        self.name = name
        self.id = dataset_id or new_id()
        self.hashes = f'{bucket.place.uri}/{self.id}/hashes'
        self.stored = {}                  # etag -> size
        self.versions = []
        self.created = START

    def blob(self, relative, data=None, source=None, zeros=None):
        """Stores content under its hash; its manifest entry."""
        if data is not None:
            etag, size = etag_of([data]), len(data)
        elif source is not None:
            etag, size = etag_of(blocks_of(source)), os.stat(source).st_size
        else:
            size = zeros
            etag = etag_of(bytes(min(PART, zeros - at)) for at in range(0, zeros, PART))
        if etag not in self.stored:
            self.stored[etag] = size
            self.bucket.place.put(f'{self.id}/hashes/{etag}', data, source, zeros)
        return self.entry(relative, f'{self.hashes}/{etag}', size, etag,
                          f'{self.bucket.link}/{self.id}/hashes/{etag}')

    @staticmethod
    def entry(relative, storage, size, etag, url='https://example.invalid/'):
        return dict(relative_path=relative, storage_path=storage, url=url, size=size, etag=etag)

    def add_version(self, entries, manifest=None, status='READY', legacy=False):
        """manifest: its bytes, where they are not what the entries say; False:
        it is not there.  Without entries OSMO writes none."""
        n = len(self.versions) + 1
        tail = f'{self.id}/legacy/{n}' if legacy else f'{self.id}/manifests/{n}.json'
        if not legacy and manifest is not False and (entries or manifest is not None):
            self.bucket.place.put(tail, manifest_bytes(entries) if manifest is None else manifest)
        when = self.created + datetime.timedelta(days=n)
        self.versions.append(dict(
            name=self.name, version=str(n), status=status, created_by=USER, created_date=when.isoformat(),
            last_used=when.isoformat(), size=sum(e['size'] for e in entries), checksum=version_checksum(entries),
            location=f'{self.bucket.link}/{tail}', uri=f'{self.bucket.place.uri}/{tail}',
            metadata={'description': ''}, tags=[], collections=[]))
        return n

    def add_tree(self, folders, star):
        entries = []
        for top in folders:
            base = '' if star else os.path.basename(os.path.normpath(top)) + '/'
            entries += [self.blob(base + relative, source=path) for path, relative in walk(top)]
        return self.add_version(entries)

    def add_legacy(self, top):
        """Plain files below a prefix, as versions before manifests were."""
        n = len(self.versions) + 1
        for path, relative in walk(top):
            self.bucket.place.put(f'{self.id}/legacy/{n}/{relative}', source=path)
        return self.add_version([], legacy=True)

    def tag(self, name, number):
        for v in self.versions:
            v['tags'] = [t for t in v['tags'] if t != name] + ([name] if v['version'] == str(number) else [])

    def info(self):
        return dict(name=self.name, id=self.id, bucket=self.bucket.name, created_by=USER,
                    created_date=self.created.isoformat(), hash_location=self.hashes,
                    hash_location_size=sum(self.stored.values()), labels={}, type='DATASET', versions=self.versions)


class Bucket:
    """uri: its dataset_path; top: the folder for all of it; objects: another
    one for the objects."""

    def __init__(self, uri, top, objects=None, name='production', link=None):
        self.place = Place(uri, objects or os.path.join(top, 'objects'))
        self.top = top
        self.name = name
        self.link = (link or uri).rstrip('/')
        self.datasets = []
        self.collections = []             # (name, id, [(dataset, number)])

    def add_dataset(self, name, dataset_id=None):
        self.datasets.append(Dataset(self, name, dataset_id))
        return self.datasets[-1]

    def add_collection(self, name, members):
        self.collections.append((name, new_id(), members))
        for ds, number in members:
            ds.versions[number - 1]['collections'].append(name)

    def collection_info(self, name, collection_id, members):
        rows = [ds.versions[n - 1] for ds, n in members]
        versions = [dict(name=ds.name, version=row['version'], location=row['location'], uri=row['uri'],
                         hash_location=ds.hashes, size=row['size']) for (ds, _), row in zip(members, rows)]
        return dict(name=name, id=collection_id, bucket=self.name, created_by=USER, created_date=START.isoformat(),
                    hash_location=None, hash_location_size=None, labels={}, type='COLLECTION', versions=versions)

    def write_json(self):
        """What `osmo dataset list` and `osmo dataset info` print."""
        infos = [ds.info() for ds in self.datasets] + [self.collection_info(*c) for c in self.collections]
        folder = os.path.join(self.top, 'osmo')
        os.makedirs(os.path.join(folder, 'info'), exist_ok=True)
        rows = []
        for info in infos:
            with open(os.path.join(folder, 'info', info['name'] + '.json'), 'w') as f:
                json.dump(info, f, indent=4)
            is_dataset = info['type'] == 'DATASET'
            last = info['versions'][-1] if is_dataset and info['versions'] else None
            rows.append(dict(name=info['name'], id=info['id'], bucket=self.name, create_time=info['created_date'],
                             last_created=last['created_date'] if last else None,
                             hash_location=info['hash_location'], hash_location_size=info['hash_location_size'],
                             version_id=last['version'] if last else None, type=info['type']))
        with open(os.path.join(folder, 'list.json'), 'w') as f:
            json.dump({'datasets': rows}, f, indent=4)

    def write_sql(self):
        """The same rows, as pg_dump copies them."""
        os.makedirs(os.path.join(self.top, 'sql'), exist_ok=True)
        with open(os.path.join(self.top, 'sql', 'dump.sql'), 'w') as f:
            f.write('--\n-- PostgreSQL database dump\n--\n\n')
            for table, columns, rows in self.sql_tables():
                f.write(f"COPY public.{table} ({', '.join(columns)}) FROM stdin;\n")
                for row in rows:
                    f.write('\t'.join(map(copy_text, row)) + '\n')
                f.write('\\.\n\n')
            f.write('--\n-- PostgreSQL database dump complete\n--\n\n')

    def sql_tables(self):
        datasets, versions, tags, members = [], [], [], []
        for ds in self.datasets:
            info = ds.info()
            datasets.append((ds.name, ds.id, USER, info['created_date'], False, info['labels'], ds.hashes,
                             info['hash_location_size'], len(ds.versions), self.name))
            for v in ds.versions:
                versions.append((ds.id, v['version'], v['uri'], v['status'], v['created_by'], v['created_date'],
                                 v['last_used'], v['last_used'], v['size'], v['checksum'], v['metadata']))
                tags += [(ds.id, v['version'], t) for t in v['tags']]
        for name, collection_id, of in self.collections:
            datasets.append((name, collection_id, USER, START.isoformat(), True, {}, None, None, 0, self.name))
            members += [(collection_id, ds.id, str(n)) for ds, n in of]
        return [
            ('collection', ('id', 'dataset_id', 'version_id'), members),
            ('dataset', ('name', 'id', 'created_by', 'created_date', 'is_collection', 'labels', 'hash_location',
                         'hash_location_size', 'last_version', 'bucket'), datasets),
            ('dataset_tag', ('dataset_id', 'version_id', 'tag'), tags),
            ('dataset_version', ('dataset_id', 'version_id', 'location', 'status', 'created_by', 'created_date',
                                 'last_used', 'last_updated', 'size', 'checksum', 'metadata'), versions),
        ]

    def write_catalog(self):
        self.write_json()
        self.write_sql()


def copy_text(value):
    """A value in PostgreSQL's COPY text format."""
    if value is None:
        return '\\N'
    if isinstance(value, bool):
        return 't' if value else 'f'
    text = json.dumps(value) if isinstance(value, dict) else str(value)
    if isinstance(value, str) and len(text) == 19 and text[10] == 'T' and text[4] == text[7] == '-':
        text = text.replace('T', ' ')     # a timestamp
    for plain, escaped in (('\\', '\\\\'), ('\t', '\\t'), ('\n', '\\n'), ('\r', '\\r')):
        text = text.replace(plain, escaped)
    return text
