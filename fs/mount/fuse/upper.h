/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations above the versions: root, buckets, collections, symlinks.  Names,
 * tags and listings come from a catalog that is at most CATALOG_FRESH_MS old
 * (or the last known one when the store is away); a version that the last
 * catalog holds is answered from it at once, see view_recent().
 */
#ifndef DATASETFS_MOUNT_UPPER_H
#define DATASETFS_MOUNT_UPPER_H

#include "fs/mount/fuse/fs.h"

/* One request and its operands, copied when it has to wait. */
struct upper_call;

void upper_lookup(fuse_req_t req, uint64_t parent, const char *name);
void upper_getattr(fuse_req_t req, uint64_t nodeid);
void upper_readlink(fuse_req_t req, uint64_t nodeid);
/* EACCES where the bucket cannot be used. */
void upper_opendir(fuse_req_t req, uint64_t nodeid,
		   struct fuse_file_info *fi);
void upper_readdir(fuse_req_t req, uint64_t nodeid, size_t size, off_t off,
		   bool plus);

/*
 * Runs fn with a fresh catalog of the node's bucket and gives the error reply
 * itself when there is none.  For the files of this part only.
 */
#include "fs/mount/fuse/parked.h"

struct upper_call {
	struct parked parked;
	struct fs *fs;
	const struct name_node *node;
	uint64_t nodeid;
	void (*fn)(struct upper_call *call, struct catalog *catalog);
	char name[LISTING_NAME_MAX + 1];	/* lookup */
	struct bucket *bucket;			/* lookup of a default name */
	size_t size;				/* readdir */
	off_t off;
	bool plus;
};
void upper_run_fresh(const struct upper_call *call, fuse_req_t req,
		     struct bucket *b);

/* NULL (ESTALE): not of this mount, or its bucket is gone. */
const struct name_node *upper_node(struct fs *fs, uint64_t nodeid);

/* A node's number and attributes, bound and ready for the kernel. */
struct upper_entry {
	uint64_t nodeid;
	struct stat attr;
};
/* Its number alone: the attributes cost a look at all of its datasets. */
int upper_bucket_nodeid(struct fs *fs, struct bucket *b, uint64_t *nodeid,
			struct err *err) MUST_CHECK;
int upper_bind_bucket(struct fs *fs, struct bucket *b, struct upper_entry *out,
		      struct err *err) MUST_CHECK;
/* An entry of a bucket's directory. */
int upper_bind_listed(struct fs *fs, struct bucket *b, struct catalog *catalog,
		      const struct listing_entry *entry, bool is_bare,
		      struct upper_entry *out, struct err *err) MUST_CHECK;
/* An entry of a collection's directory. */
int upper_bind_member(struct fs *fs, struct bucket *b, struct catalog *catalog,
		      const struct dataset *collection,
		      const struct dataset *ds, const struct version *v,
		      bool is_bare, struct upper_entry *out, struct err *err)
	MUST_CHECK;
/*
 * Where a symlink leads by that catalog; false when its dataset, tag or
 * version is gone.
 */
#define UPPER_TARGET_MAX 1024
bool upper_target(const struct catalog *catalog, const struct name_node *node,
		  char out[UPPER_TARGET_MAX], const struct dataset **ds,
		  const struct version **v);

#endif
