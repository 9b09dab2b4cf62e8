/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which foreign: prefixes would cover a set of objects: few lines, each as
 * long as it can be, as a line opens everything below it.  Per container: the
 * longest common prefix of what lies below the same first component, and one
 * for the whole container where there are many such components.
 *
 * Memory is bounded whatever is added.  One thread.
 */
#ifndef DATASETFS_DATASET_IMPORT_PREFIXES_H
#define DATASETFS_DATASET_IMPORT_PREFIXES_H

#include "backends/base/buf.h"

#define IMPORT_PREFIXES_EACH 8		/* lines of one container */
#define IMPORT_CONTAINERS_MAX 1000	/* more are counted only */

struct import_container {
	char *base;		/* "s3://bucket" */
	char *prefixes[IMPORT_PREFIXES_EACH];
	size_t n_prefixes;
	bool is_merged;		/* there were more: one prefix is for all */
};

struct import_prefixes {
	struct import_container *containers;	/* by base */
	size_t n_containers;
	size_t n_dropped;	/* directories beyond the limit */
};
void import_prefixes_release(struct import_prefixes *p);

/*
 * The part of an entry's storage_path that its source was configured as, as
 * far as the two paths tell: what is the same at the end of both is the
 * file's.  So it also covers where the object of an entry with a damaged path
 * lies (osmo_repair.h).  At least base_len; without a slash at the end.
 */
size_t import_prefixes_source(const char *path, size_t path_len,
			      size_t base_len, const char *relative,
			      size_t relative_len);

/* base_len: of the container's part of dir.  -ENOMEM only. */
int import_prefixes_add(struct import_prefixes *p, const char *dir, size_t len,
			size_t base_len, struct err *err) MUST_CHECK;

#endif
