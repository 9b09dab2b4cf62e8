/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/attr.h"

#include <string.h>

#define ATTR_BLOCK_SIZE 4096

static uint64_t inode_of(const struct fs *fs, uint64_t nodeid)
{
	return fs->options.inode32 ? nodeid_inode32(nodeid) : nodeid;
}

static void attr_base(const struct fs *fs, uint64_t nodeid, mode_t type,
		      mode_t bits, int64_t mtime, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = inode_of(fs, nodeid);
	st->st_mode = type | (bits & ~fs->options.umask);
	st->st_nlink = 1;
	st->st_uid = fs->uid;
	st->st_gid = fs->gid;
	st->st_blksize = ATTR_BLOCK_SIZE;
	st->st_mtime = st->st_ctime = st->st_atime = mtime;
}

/* uid, gid and access close a bucket and all that is in it. */
static void attr_of_bucket(struct bucket *b, struct stat *st)
{
	const struct bucket_access now = bucket_access(b);

	if (now.uid != (uid_t)-1)
		st->st_uid = now.uid;
	if (now.gid != (gid_t)-1)
		st->st_gid = now.gid;
	if (now.access >= 0 && !S_ISLNK(st->st_mode))
		st->st_mode &= S_IFMT | (mode_t)now.access;
}

/*
 * A directory's st_nlink says 1 where the number of its sub-directories is not
 * known (as btrfs does): a tool that trusts 2 would look for none.
 */
void attr_root(const struct fs *fs, struct stat *st)
{
	attr_base(fs, NODEID_ROOT, S_IFDIR, 0555, fs->started_s, st);
	st->st_nlink = 2 + buckets_live(fs->buckets);
}

static int64_t version_time(const struct dataset *ds, const struct version *v)
{
	return v && v->created_s ? v->created_s : ds->created_s;
}

/* When anything was last published here, as far as records tell. */
static int64_t catalog_time(const struct catalog *c)
{
	int64_t newest = 0;

	for (size_t i = 0; i < c->n_datasets; i++) {
		const struct dataset *ds = &c->datasets[i];

		if (ds->created_s > newest)
			newest = ds->created_s;
		if (ds->n_versions) {
			int64_t t = version_time(ds,
				&ds->versions[ds->n_versions - 1]);

			if (t > newest)
				newest = t;
		}
	}
	return newest;
}

void attr_bucket(const struct fs *fs, uint64_t nodeid, struct bucket *b,
		 const struct catalog *known, struct stat *st)
{
	attr_base(fs, nodeid, S_IFDIR, bucket_problem(b) ? 0 : 0555,
		  known ? catalog_time(known) : fs->started_s, st);
	attr_of_bucket(b, st);
}

void attr_collection(const struct fs *fs, uint64_t nodeid, struct bucket *b,
		     const struct dataset *ds, struct stat *st)
{
	attr_base(fs, nodeid, S_IFDIR, 0555, ds->created_s, st);
	st->st_nlink = 2;
	attr_of_bucket(b, st);
}

void attr_link(const struct fs *fs, uint64_t nodeid, struct bucket *b,
	       const struct dataset *ds, const struct version *v,
	       size_t target_len, struct stat *st)
{
	attr_base(fs, nodeid, S_IFLNK, 0777, version_time(ds, v), st);
	st->st_mode = S_IFLNK | 0777;
	st->st_size = (off_t)target_len;
	attr_of_bucket(b, st);
}

static off_t size_of(uint64_t size)
{
	return size > INT64_MAX ? INT64_MAX : (off_t)size;
}

void attr_version(const struct fs *fs, struct bucket *b, uint32_t slot,
		  const struct dataset *ds, const struct version *v,
		  struct stat *st)
{
	attr_base(fs, nodeid_make(slot, TREE_ROOT), S_IFDIR, 0555,
		  version_time(ds, v), st);
	st->st_size = size_of(v->size);
	attr_of_bucket(b, st);
}

void attr_entry(const struct fs *fs, const struct slot_ref *ref,
		const struct tree_entry *entry, struct stat *st)
{
	uint64_t nodeid = nodeid_make(ref->slot, entry->index);
	int64_t mtime = version_time(ref->ds, ref->v);

	if (entry->index == TREE_ROOT) {
		attr_version(fs, ref->bucket, ref->slot, ref->ds, ref->v, st);
		return;
	}
	if (entry->type == TREE_DIR) {
		attr_base(fs, nodeid, S_IFDIR, 0555, mtime, st);
		st->st_nlink = 2 + entry->n_dirs;
	} else {
		attr_base(fs, nodeid, S_IFREG,
			  fs->options.exec ? 0555 : 0444, mtime, st);
		st->st_size = size_of(entry->size);
		st->st_blocks = st->st_size / 512 + (st->st_size % 512 != 0);
	}
	attr_of_bucket(ref->bucket, st);
}
