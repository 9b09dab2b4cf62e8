/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What import_source.c (rows) and import_settle.c (their end) share.
 */
#ifndef DATASETFS_DATASET_IMPORT_SOURCE_IMPL_H
#define DATASETFS_DATASET_IMPORT_SOURCE_IMPL_H

#include "fs/dataset/import/import_source.h"

void import_version_release(struct import_version *v);

/* The first one stays; a dataset with one is refused. */
int import_dataset_contradiction(struct import_dataset *ds, const char *what,
				 struct err *err) MUST_CHECK;

/* size: slots, a power of two and at least twice the datasets. */
int import_source_reindex(struct import_source *src, size_t size,
			  struct err *err) MUST_CHECK;

#endif
