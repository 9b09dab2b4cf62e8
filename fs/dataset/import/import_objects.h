/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A manifest of objects that exist already: what lies below a URI becomes the
 * files of a version, and no byte of it is moved.  Each file is pinned by the
 * validator that the listing shows (generation or ETag), so that one that is
 * replaced later answers an error and never other content.
 *
 * The manifest has OSMO's form (osmo_manifest.h), so whatever reads OSMO's
 * versions reads these.  Synchronous; for a command's thread.
 */
#ifndef DATASETFS_DATASET_IMPORT_OBJECTS_H
#define DATASETFS_DATASET_IMPORT_OBJECTS_H

#include "fs/dataset/buckets.h"
#include "fs/dataset/osmo/osmo_checksum.h"

/* Some two million objects; more are imported in parts. */
#define IMPORT_OBJECTS_BYTES_MAX ((size_t)512 << 20)

struct import_objects_options {
	const char *uri;	/* a prefix, or one object */
	/* NULL, or which relative paths are taken. */
	bool (*is_wanted)(void *arg, const char *path);
	/* NULL, or called now and then. */
	void (*tell)(void *arg, uint64_t n_files, uint64_t bytes);
	void *arg;
};
struct import_objects {
	struct buf manifest;
	char checksum[OSMO_CHECKSUM_TEXT];	/* as OSMO computes it */
	uint64_t n_files, bytes;
	uint64_t n_unpinned;	/* the store shows no validator of them */
	uint64_t n_unnamed;	/* their keys cannot be paths: left out */
	char unnamed[256];	/* the first of these, printable */
	uint64_t n_shadowed;	/* in the manifest, but a directory has their
				   name: "f" beside "f/g" */
	char shadowed[256];
};
void import_objects_release(struct import_objects *objects);
#define cleanup_import_objects __attribute__((cleanup(import_objects_release)))

/*
 * Lists the URI, which must lie below bucket b's dataset_path or one of its
 * foreign: prefixes (-EACCES, ERR_AUTH, says which line to add).  ERR_MISSING
 * where nothing is left.  *out must be zeroed; release it in any case.
 */
int import_objects_list(struct bucket *b,
			const struct import_objects_options *opt,
			struct import_objects *out, struct err *err) MUST_CHECK;

/*
 * Puts the manifest into the bucket's catalog, named by its SHA-256; uri gets
 * its full URI.  Idempotent.  dry_run: only the name.
 */
int import_objects_store(struct bucket *b, const struct import_objects *objects,
			 bool dry_run, struct buf *uri, struct err *err)
	MUST_CHECK;

#endif
