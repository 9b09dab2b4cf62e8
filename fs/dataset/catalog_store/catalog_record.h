/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog's records between bytes and structs, as datasetfs-format(5)
 * has them.  Parsers take memory and trust nothing in it; writers give equal
 * bytes for equal content.  Nothing here talks to a store.
 */
#ifndef DATASETFS_DATASET_CATALOG_RECORD_H
#define DATASETFS_DATASET_CATALOG_RECORD_H

#include "backends/base/buf.h"
#include "fs/dataset/catalog.h"

#define CATALOG_FORMAT 1

/* Bytes of one record; datasetfs-format(5) gives the same figures. */
#define CATALOG_SMALL_MAX ((size_t)4 << 10)	/* format.json, names/ */
#define CATALOG_HEAD_MAX ((size_t)16 << 20)
#define CATALOG_VERSION_MAX ((size_t)2 << 20)

#define CATALOG_TEXT_MAX 4096		/* created_by */
#define CATALOG_URI_MAX 2048
#define CATALOG_CHECKSUM_MAX 128
#define CATALOG_OBJECT_MAX ((size_t)1 << 20)	/* labels, metadata */
#define CATALOG_TAGS_MAX 100000
#define CATALOG_VERSION_TAGS_MAX 100	/* asked for with one version */
#define CATALOG_MEMBERS_MAX 100000
#define CATALOG_VERSIONS_MAX 1000000

/* What changed about a version since its record was written. */
struct catalog_live {
	uint32_t number;
	enum version_status status;
	int64_t last_used_s;	/* 0: nothing said */
	char *metadata;		/* NULL: the record's holds */
};

/* head.json.  The versions of ds stay empty here. */
struct catalog_head {
	struct dataset ds;
	bool is_imported;	/* origin "osmo" */
	bool is_adopted;
	char *renaming;		/* NULL: no rename is under way */
	struct catalog_live *live;	/* by number */
	size_t n_live;
	uint32_t *deleted;	/* ascending */
	size_t n_deleted;
	uint32_t tagged;	/* the records up to here need no completion */
};
void catalog_head_release(struct catalog_head *head);
#define cleanup_catalog_head __attribute__((cleanup(catalog_head_release)))
struct catalog_live *catalog_head_live(const struct catalog_head *head,
				       uint32_t number);
bool catalog_head_is_deleted(const struct catalog_head *head, uint32_t number);

/*
 * Gives ds the tags that records above tagged asked for, over its own of the
 * same name; versions are by number, and may be ds's.
 */
int catalog_complete_tags(struct dataset *ds, const struct version *versions,
			  size_t n_versions, uint32_t tagged, struct err *err)
	MUST_CHECK;

void version_release(struct version *v);
#define cleanup_version __attribute__((cleanup(version_release)))
void dataset_release(struct dataset *ds);

/* Characters of a name, at most DATASET_ID_MAX - 1. */
bool catalog_is_id(const char *s, size_t len);

/* Of 16 random bytes. */
int catalog_new_id(char id[DATASET_ID_MAX], struct err *err) MUST_CHECK;

/*
 * All parsers: ERR_CORRUPT -EBADMSG for what the format forbids; -ENOTSUP
 * (ERR_USAGE) for a format or kind of a newer datasetfs.  On failure *out
 * holds nothing.
 */
int catalog_parse_format(char id[DATASET_ID_MAX], const void *bytes, size_t len,
			 struct err *err) MUST_CHECK;
int catalog_parse_name(char id[DATASET_ID_MAX], const void *bytes, size_t len,
		       struct err *err) MUST_CHECK;
int catalog_parse_head(struct catalog_head *out, const char *id,
		       const void *bytes, size_t len, struct err *err)
	MUST_CHECK;
int catalog_parse_version(struct version *out, const char *id, uint32_t number,
			  const void *bytes, size_t len, struct err *err)
	MUST_CHECK;

/* All writers append; -EFBIG (ERR_USAGE) where the record exceeds its limit. */
int catalog_write_format(struct buf *out, const char *id, struct err *err)
	MUST_CHECK;
int catalog_write_name(struct buf *out, const char *id, struct err *err)
	MUST_CHECK;
/*
 * old: the record that is replaced (len 0: none); its members that are not
 * ours are kept.  It must be one that catalog_parse_head() accepts.
 */
int catalog_write_head(struct buf *out, const struct catalog_head *head,
		       const char *old, size_t old_len, struct err *err)
	MUST_CHECK;
int catalog_write_version(struct buf *out, const char *id,
			  const struct version *v, struct err *err) MUST_CHECK;

#endif
