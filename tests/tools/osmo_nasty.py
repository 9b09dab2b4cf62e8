# SPDX-License-Identifier: Apache-2.0
"""The dataset "nasty": everything that manifests of real buckets, and of
hostile ones, were seen to hold.  OUT/expect.json says for every path what a
reader must give: the bytes' SHA-256, or the errno.

  {"places": [{"uri", "folder"}],       what to upload where
   "foreign": [uri],                    what the bucket must be allowed to read
   "versions": {"1": {
       "errno": null | "EIO",           of a look inside the version
       "files": [{"path", "size", "sha256", "errno", "why", "late"}],
       "directories": [path], "absent": [path],
       "counts": {"duplicates", "clashes", "rejected", "repaired", "faults"}}}}

"late": too large to be checked before it is served; the errno is due once all
of it was read.  Bytes that are no UTF-8 are lone surrogates (os.fsencode).
"""
import hashlib
import json
import os
import random

from osmo_bucket import PART, Dataset, Place, etag_of, manifest_bytes

HUGE = 3 << 30
NAMES = [
    'caf\u00e9 (composed)', 'cafe\u0301 (decomposed)', '\u65e5\u672c\u8a9e', '\U0001f600', '\u05e9\u05dc\u05d5\u05dd',
    ' space ', 'tab\tnew\nline\rreturn', '-rf', '~', '*', '?', '[a]', '{b}', '$HOME', '`id`', "quote'double\"",
    'back\\slash', 'semi;colon', 'com,ma', 'hash#', 'per%cent', '%2e%2e', 'at@1', 'co:lon', 'a|b', 'a&b', '<x>',
    '...', '..a', 'a..', '.hidden', 'x' * 255, '\u00fc' * 127, '\x7f', '\x01\x1b[31m',
]


class Nasty:
    def __init__(self, bucket, dataset_id, options):
        self.bucket = bucket
        self.options = options
        self.random = random.Random(20260501)
        self.ds = Dataset(bucket, 'nasty', dataset_id)
        bucket.datasets.append(self.ds)
        self.is_file = bucket.place.uri.startswith('file://')
        self.container, self.below = split_container(bucket.place.uri)
        # A name that begins like the bucket's own: prefixes end at a slash.
        self.foreign = Place(options.foreign_uri or self.beside('-foreign') + '/data/raw',
                             os.path.join(bucket.top, 'foreign'))
        self.odd = Place(options.foreign_uri and options.foreign_uri + '-odd' or self.beside('-foreign') + '/odd',
                         os.path.join(bucket.top, 'foreign-odd'))
        self.neighbour = Place(options.neighbour_uri or self.beside('-neighbour') + '/p',
                               os.path.join(bucket.top, 'neighbour'))
        self.begin()

    def beside(self, suffix):
        return (self.bucket.place.uri if self.is_file else self.container) + suffix

    def begin(self):
        self.entries = []
        self.files, self.directories, self.absent = [], [], []
        self.counts = dict(duplicates=0, clashes=0, rejected=0, repaired=0, faults=0)

    def bytes(self, n):
        return self.random.randbytes(n)

    def expect(self, path, data=None, errno=None, why=None, **more):
        row = dict(path=path, why=why, errno=errno, **more)
        if errno is None:
            row.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
        self.files.append(row)

    def good(self, path, data, why):
        self.entries.append(self.ds.blob(path, data))
        self.expect(path, data, why=why)

    def bad(self, entry, errno, why, **more):
        self.entries.append(entry)
        self.expect(entry['relative_path'], errno=errno, why=why, **more)

    def rejected(self, path, absent=None):
        self.entries.append(self.ds.blob(path, b'never to be seen'))
        self.counts['rejected'] += 1
        if absent:
            self.absent.append(absent)

    # -- what can be read ----------------------------------------------------

    def add_sizes(self):
        self.good('sizes/empty', b'', 'an empty file')
        self.good('sizes/empty-again', b'', 'the same blob')
        for n, name in ((1, 'one'), (PART - 1, '8MiB-1'), (PART, '8MiB'), (PART + 1, '8MiB+1')):
            self.good('sizes/' + name, self.bytes(n), f'{n} bytes')
        if self.options.huge:
            self.entries.append(self.ds.blob('sizes/3GiB', zeros=HUGE))
            total = hashlib.sha256()
            for _ in range(HUGE // PART):
                total.update(bytes(PART))
            self.files.append(dict(path='sizes/3GiB', size=HUGE, sha256=total.hexdigest(), errno=None, why='huge'))

    def add_names(self):
        for name in NAMES:
            self.good('names/' + name, name.encode('utf-8', 'surrogateescape'), 'a name')
        for byte in range(1, 256):
            if byte != ord('/'):
                name = os.fsdecode(b'n' + bytes([byte]))
                self.good('bytes/' + name, bytes([byte]), f'byte {byte:#x} in a name')
        deep = '/'.join(f'd{i:03d}' for i in range(127))
        self.good(deep + '/file', b'deep', '128 components')
        long = '/'.join(['l' * 250] * 12)
        self.good(long + '/file', b'long', 'a path of 3016 bytes')

    def add_manifest_forms(self):
        entry = self.ds.blob('forms/more-members', b'more')
        entry.update(mode=420, owner={'name': 'x', 'ids': [1, {'a': None}]})
        self.entries.append(entry)
        self.expect('forms/more-members', b'more', why='members that OSMO 6 does not know')
        data = self.bytes(100)
        tag = hashlib.md5(hashlib.md5(data).digest()).hexdigest() + '-1'
        self.bucket.place.put(f'{self.ds.id}/hashes/{tag}', data)
        self.entries.append(self.ds.entry('forms/migrated', f'{self.ds.hashes}/{tag}', 100, tag))
        self.expect('forms/migrated', data, why='a migrated blob: its source had another part size')

    # -- what stands in the way ----------------------------------------------

    def add_clashes(self):
        self.good('twice', b'the first', 'of duplicates the first wins')
        self.entries.append(self.ds.blob('twice', b'the second'))
        self.entries.append(self.ds.blob('twice', b'the third'))
        self.counts['duplicates'] += 2
        for name, file_first in (('clash', True), ('clash-later', False)):
            if file_first:
                self.entries.append(self.ds.blob(name, b'a file'))
            self.good(name + '/inside', b'inside', 'a directory with a file of the same name')
            if not file_first:
                self.entries.append(self.ds.blob(name, b'a file'))
            self.directories.append(name)
            self.counts['clashes'] += 1

    def add_hostile_paths(self):
        for path, absent in (('', None), ('/', None), ('/abs/file', 'abs'), ('../escape', 'escape'), ('..', None),
                             ('.', None), ('hostile/../../up', 'up'), ('hostile/..', None), ('./dot', 'dot'),
                             ('empty//component', 'empty'), ('slash/', 'slash'), ('nul\0byte', 'nul'),
                             ('y' * 256, None), ('/'.join(['e'] * 129), 'e'), ('/'.join(['z' * 255] * 17), 'z' * 255)):
            self.rejected(path, absent)

    # -- objects that are not what the manifest says ---------------------------

    def replace(self, entry, data):
        """The object under an entry's hash becomes another."""
        self.bucket.place.put(f"{self.ds.id}/hashes/{entry['etag']}", data)

    def add_wrong_objects(self):
        entry = self.ds.blob('wrong/missing', self.bytes(1000))
        self.bucket.place.remove(f"{self.ds.id}/hashes/{entry['etag']}")
        self.bad(entry, 'EIO', 'the object is gone')
        for name, size, other, late in (
                ('changed', 1000, 1000, False), ('longer', 1000, 1001, False), ('shorter', 1000, 999, False),
                ('emptied', 1000, 0, False), ('changed-large', PART + 1000, PART + 1000, True),
                ('longer-large', PART + 1000, PART + 1001, False), ('shorter-large', PART + 1000, PART, False)):
            entry = self.ds.blob('wrong/' + name, self.bytes(size))
            self.replace(entry, self.bytes(other))
            self.bad(entry, 'EIO', f'{size} bytes in the manifest, {other} others in the store', late=late)

    def add_forbidden(self):
        self.neighbour.put('secret', b'not yours')
        self.bad(Dataset.entry('forbidden/neighbour', self.neighbour.uri + '/secret', 9, etag_of([b'not yours'])),
                 'EACCES', 'a place that is not configured')
        self.bad(Dataset.entry('forbidden/shadow', 'file:///etc/shadow', 100, ''), 'EACCES', 'a file of this machine')
        if self.below and not self.is_file:
            self.bad(Dataset.entry('forbidden/outside', self.container + '/outside-the-prefix', 5, ''), 'EACCES',
                     'the same container, another prefix')
            self.bad(Dataset.entry('forbidden/prefix', self.bucket.place.uri + 'x/key', 5, ''), 'EACCES',
                     'a prefix that begins like the own one')
        for name, uri in (('scheme', 'ftp://host/file'), ('no-uri', 'nonsense'), ('none', ''), ('nul', 's3://b/a\0b'),
                          ('no-key', 's3://bucket')):
            self.bad(Dataset.entry('forbidden/' + name, uri, 5, ''), 'EIO', 'no URI that can be read')
            self.counts['faults'] += 1

    # -- foreign objects, and paths that OSMO damaged ---------------------------

    @staticmethod
    def etag(data):
        """What a store lists for a small object."""
        return hashlib.md5(data).hexdigest()

    def foreign_entry(self, path, tail, data, stored=None):
        """An object below the foreign prefix; the manifest names it as OSMO
        would: it took the characters of the prefix, not the prefix, from the
        left of the key."""
        prefix = self.foreign.key_prefix
        damaged = (prefix + '/' + tail).lstrip(prefix) if '/' in prefix else tail
        if data is not None:
            self.foreign.put(tail, data)
        said = data if stored is None else stored
        return Dataset.entry(path, f'{self.foreign.uri}/{damaged}', len(said), self.etag(said)), damaged != tail

    def add_foreign(self):
        for path, tail in (('raw/{}', 'xyz.bin'), ('raw/{}', 'a.bin'), ('raw/{}', 'da.bin'), ('raw/{}', 'train/x.bin'),
                           ('{}', 'train/star.bin'), ('raw/{}', 'data/raw/data.bin'), ('kept/raw/{}', 'art/9')):
            data = self.bytes(500 + len(self.files))
            entry, is_damaged = self.foreign_entry(path.format(tail), tail, data)
            self.entries.append(entry)
            self.expect(entry['relative_path'], data, why='foreign' + (', damaged' if is_damaged else ''))
            self.counts['repaired'] += is_damaged
        entry, is_damaged = self.foreign_entry('raw/wrath/gone.bin', 'wrath/gone.bin', None, b'gone')
        self.bad(entry, 'EIO', 'damaged, and the object is gone')
        self.counts['faults'] += is_damaged
        entry, is_damaged = self.foreign_entry('raw/dart/grown.bin', 'dart/grown.bin', b'it has grown', b'small')
        self.bad(entry, 'EIO', 'damaged, and the object that fits has another size')
        self.counts['faults'] += is_damaged
        self.foreign.put('zero', b'other bytes')
        self.bad(Dataset.entry('raw/zero', self.foreign.uri + '/zero', 5, self.etag(b'bytes')), 'EIO',
                 'a foreign object of another size')
        self.foreign.put('zone', b'other')
        self.bad(Dataset.entry('raw/zone', self.foreign.uri + '/zone', 5, self.etag(b'bytes')), 'EIO',
                 'a foreign object that was overwritten')

    def add_odd_keys(self):
        keys = ['a,b;c*d', 'w', 'w#b.txt', 'q?x=1&y=2', '100%', '%41', 'sp ace', 'plus+', 'caf\u00e9', "it's(!)",
                'quo"te', 'back\\slash', '~tilde', '=', '@', ':', '[x]']
        for key in keys:
            data = ('odd ' + key).encode()
            self.odd.put(key, data)
            self.entries.append(Dataset.entry('odd/' + key, f'{self.odd.uri}/{key}', len(data), self.etag(data)))
            self.expect('odd/' + key, data, why='a key that must be taken verbatim')
        data = b'one slash'
        self.odd.put('slash/es', data)
        self.entries.append(Dataset.entry('odd/slash/es', f'{self.odd.uri}/slash//es', len(data), self.etag(data)))
        self.expect('odd/slash/es', data, why='two slashes in the manifest, one in the store')
        self.counts['repaired'] += 1

    # -- versions ---------------------------------------------------------------

    def end(self, manifest=None, errno=None):
        number = self.ds.add_version(self.entries, manifest)
        self.versions[str(number)] = dict(errno=errno, files=self.files, directories=self.directories,
                                          absent=self.absent, counts=self.counts)
        self.begin()

    def build(self):
        self.versions = {}
        self.add_clashes()
        self.add_sizes()
        self.add_foreign()
        self.add_names()
        self.add_manifest_forms()
        self.add_hostile_paths()
        self.add_wrong_objects()
        self.add_forbidden()
        self.add_odd_keys()
        self.end()

        self.entries = [self.ds.blob(f'f{i}', b'%d' % i) for i in range(50)]
        whole = manifest_bytes(self.entries)
        self.end(whole[:len(whole) // 2], 'EIO')                       # 2: cut inside an entry
        self.entries = [self.ds.blob(f'f{i}', b'%d' % i) for i in range(50)]
        self.end(whole[:whole.index(b'},\n') + 1], 'EIO')              # 3: cut between two
        self.entries = [self.ds.blob('f', b'f')]
        self.end(False, 'EIO')                                         # 4: no manifest, but a checksum
        self.end()                                                     # 5: an upload of nothing
        self.entries = [self.ds.blob('f', b'f')]
        self.end(b'<html>502 Bad Gateway</html>', 'EIO')               # 6: something else
        if self.options.small_files:
            for i in range(self.options.small_files):                  # 7
                self.good(f'd{i % 100:02d}/{i:06d}', b'%d\n' % i, 'small')
            self.end()
        self.ds.tag('latest', 1)

    def write_expect(self):
        places = [self.bucket.place, self.foreign, self.odd, self.neighbour]
        with open(os.path.join(self.bucket.top, 'expect.json'), 'w') as f:
            json.dump(dict(schema='datasetfs-test-expect/1', bucket=self.bucket.name, dataset='nasty',
                           places=[dict(uri=p.uri, folder=os.path.relpath(p.folder, self.bucket.top)) for p in places],
                           foreign=[self.foreign.uri, self.odd.uri], versions=self.versions), f, indent=1)


def split_container(uri):
    """("s3://b", "p/q"): what names the container, and the rest."""
    scheme, _, rest = uri.partition('://')
    parts = rest.split('/')
    n = {'azure': 2, 'tos': 2, 'swift': 3}.get(scheme, 1)
    return scheme + '://' + '/'.join(parts[:n]), '/'.join(parts[n:])


def add(bucket, dataset_id, options):
    nasty = Nasty(bucket, dataset_id, options)
    nasty.build()
    nasty.write_expect()
