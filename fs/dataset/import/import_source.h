/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an OSMO installation says about its datasets, whichever way it said
 * it: the rows of four tables.  Rows may come in any order and from several
 * files; each value is checked here and nowhere else.  A row that makes no
 * sense becomes a problem of its dataset or a note, never an error: one bad
 * row must not hide the others.
 *
 * Owned by one thread.  It must not know SQL, JSON, stores.
 */
#ifndef DATASETFS_DATASET_IMPORT_SOURCE_H
#define DATASETFS_DATASET_IMPORT_SOURCE_H

#include "fs/dataset/catalog.h"

#define IMPORT_ROWS_MAX 5000000	/* of all kinds, from all files */
#define IMPORT_NOTES_MAX 1000	/* more are counted only */

struct import_version {
	uint32_t number;
	enum version_status status;
	char *uri;		/* manifest, or prefix of a legacy version */
	char *checksum;		/* "" none */
	uint64_t size;
	char *created_by;
	int64_t created_s;
	int64_t last_used_s;
	char *metadata;		/* compact JSON object */
	char *problem;		/* NULL, or why it cannot be taken */
};

struct import_tag {
	char *name;
	uint32_t version;
};

struct import_member {
	char *id;		/* of a dataset; NULL while only ... */
	char *name;		/* ... its name is known (JSON) */
	uint32_t version;
};

struct import_dataset {
	char id[DATASET_ID_MAX];
	char *name;		/* NULL: only rows about it, not its own */
	char *bucket;
	bool is_collection;
	char *created_by;
	int64_t created_s;
	char *hash_location;
	uint64_t stored_size;
	char *labels;		/* compact JSON object */
	struct import_version *versions;	/* by number, once settled */
	size_t n_versions;
	struct import_tag *tags;		/* by name, once settled */
	size_t n_tags;
	struct import_member *members;
	size_t n_members;
	bool has_details;	/* its versions (or members) were shown */
	bool is_whole;		/* ... all of them, with all tags */
	char *problem;		/* NULL, or why it cannot be taken */
	bool is_contradictory;	/* the problem: the source says two things */
};

struct import_source {
	struct import_dataset *datasets;	/* by name, once settled */
	size_t n_datasets;
	char **notes;			/* for people: what to do about it */
	size_t n_notes, n_notes_dropped;
	size_t n_rows;
	uint32_t *index;		/* by id; internal */
	size_t index_size;
};
struct import_source *import_source_new(void);	/* NULL: no memory */
void import_source_free(struct import_source *src);
static inline void import_source_cleanup_(struct import_source **src)
{
	if (*src)
		import_source_free(*src);
}
#define cleanup_import_source __attribute__((cleanup(import_source_cleanup_)))

void import_source_note(struct import_source *src, const char *fmt, ...)
	PRINTF_LIKE(2, 3);

/* Text as the database holds it; NULL is its NULL.  Borrowed. */
struct import_dataset_row {
	const char *name, *id, *created_by, *created_date, *is_collection,
		*labels, *hash_location, *hash_location_size, *bucket;
};
struct import_version_row {
	const char *dataset_id, *version_id, *location, *status, *created_by,
		*created_date, *last_used, *size, *checksum, *metadata;
};
struct import_tag_row {
	const char *dataset_id, *version_id, *tag;
};
struct import_member_row {
	const char *collection_id, *dataset_id, *dataset_name, *version_id;
};

/*
 * where: "dump.sql:812", for notes.  Only -ENOMEM, and -EFBIG (ERR_USAGE)
 * beyond IMPORT_ROWS_MAX.
 */
int import_source_add_dataset(struct import_source *src,
			      const struct import_dataset_row *row,
			      const char *where, struct err *err) MUST_CHECK;
int import_source_add_version(struct import_source *src,
			      const struct import_version_row *row,
			      const char *where, struct err *err) MUST_CHECK;
int import_source_add_tag(struct import_source *src,
			  const struct import_tag_row *row, const char *where,
			  struct err *err) MUST_CHECK;
int import_source_add_member(struct import_source *src,
			     const struct import_member_row *row,
			     const char *where, struct err *err) MUST_CHECK;

/* What has been said about that id so far, or NULL. */
struct import_dataset *import_source_find(const struct import_source *src,
					  const char *id);

/* All rows are in: sorts, drops repetitions, names contradictions. */
int import_source_settle(struct import_source *src, struct err *err) MUST_CHECK;

/* The version of that number in a source that is settled, or NULL. */
const struct import_version *
import_dataset_version(const struct import_dataset *ds, uint32_t number);

#endif
