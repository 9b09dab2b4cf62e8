/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bucket may not read yet of the versions that an import brought: the
 * foreign: lines to configure, from the storage_path of every entry of their
 * manifests, which are read as a stream.
 *
 * Synchronous: waits for the store.  One call at a time.
 */
#ifndef DATASETFS_DATASET_IMPORT_FOREIGN_H
#define DATASETFS_DATASET_IMPORT_FOREIGN_H

#include "fs/dataset/buckets.h"
#include "fs/dataset/import/import.h"
#include "fs/dataset/import/import_prefixes.h"

#define IMPORT_FOREIGN_NOTES 20		/* more are counted only */

struct import_foreign {
	struct import_prefixes prefixes;	/* what is lacking */
	size_t n_manifests;	/* read to their end */
	size_t n_failed;	/* not readable; notes say why */
	size_t n_elsewhere;	/* not read, as they lie where a line is lacking:
				   what they need shows only once it is there */
	uint64_t n_unreadable;	/* entries whose storage_path is no URI */
	char *notes[IMPORT_FOREIGN_NOTES];
	size_t n_notes;
};
void import_foreign_release(struct import_foreign *f);
#define cleanup_import_foreign __attribute__((cleanup(import_foreign_release)))

/*
 * The READY versions that report says were added; of a dry run also those that
 * are here already, so that it can be asked for again.  A manifest that cannot
 * be read is a note, not an error; -ENOMEM only.
 */
int import_foreign_scan(struct bucket *b, const struct import_source *src,
			const struct import_report *report,
			struct import_foreign *out, struct err *err) MUST_CHECK;

/* Is there anything that the user must do? */
bool import_foreign_is_needed(const struct import_foreign *f);

/*
 * The lines for the configuration file, as YAML below the sentence that says
 * so; nothing where none is needed.
 */
void import_foreign_print(const struct import_foreign *f, const char *bucket,
			  struct buf *out);

#endif
