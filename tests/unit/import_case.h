/* SPDX-License-Identifier: Apache-2.0 */
/* Imports into a scratch bucket, from rows given one by one. */
#ifndef DATASETFS_TESTS_IMPORT_CASE_H
#define DATASETFS_TESTS_IMPORT_CASE_H

#include "fs/dataset/import/import.h"
#include "tests/unit/catalog_place.h"

struct import_case {
	struct place place;
	struct import_source *src;
	struct import_report report;
	struct err err;
	bool is_settled;
};

static inline void case_source(struct import_case *c)
{
	import_report_release(&c->report);
	import_source_free(c->src);
	c->src = import_source_new();
	c->is_settled = false;
}

static inline void case_open(struct import_case *c)
{
	memset(c, 0, sizeof(*c));
	place_open(&c->place);
	case_source(c);
}

static inline void case_close(struct import_case *c)
{
	import_report_release(&c->report);
	import_source_free(c->src);
	place_close(&c->place);
}

static inline void case_dataset(struct import_case *c, const char *id,
				const char *name)
{
	const struct import_dataset_row row = {
		.id = id, .name = name, .bucket = "prod",
		.hash_location = "s3://b/h", .labels = "{\"l\":1}",
	};

	cr_assert_eq(import_source_add_dataset(c->src, &row, "t", &c->err), 0);
}

static inline void case_collection(struct import_case *c, const char *id,
				   const char *name)
{
	const struct import_dataset_row row = {
		.id = id, .name = name, .bucket = "prod", .is_collection = "t",
	};

	cr_assert_eq(import_source_add_dataset(c->src, &row, "t", &c->err), 0);
	import_source_find(c->src, id)->has_details = true;
}

static inline void case_version(struct import_case *c, const char *id,
				const char *number, const char *status,
				const char *checksum)
{
	const struct import_version_row row = {
		.dataset_id = id, .version_id = number, .status = status,
		.location = "s3://b/m.json", .size = "5", .checksum = checksum,
		.metadata = "{\"m\":1}",
	};

	cr_assert_eq(import_source_add_version(c->src, &row, "t", &c->err), 0);
}

static inline void case_tag(struct import_case *c, const char *id,
			    const char *number, const char *tag)
{
	const struct import_tag_row row = {
		.dataset_id = id, .version_id = number, .tag = tag,
	};

	cr_assert_eq(import_source_add_tag(c->src, &row, "t", &c->err), 0);
}

static inline void case_member(struct import_case *c, const char *id,
			       const char *of, const char *number)
{
	const struct import_member_row row = {
		.collection_id = id, .dataset_id = of, .version_id = number,
	};

	cr_assert_eq(import_source_add_member(c->src, &row, "t", &c->err), 0);
}

#define CASE_DRY 1u
#define CASE_ADOPT 2u
#define CASE_WHOLE 4u	/* as from a SQL dump */

static inline int case_apply(struct import_case *c, unsigned flags)
{
	const struct import_options opt = {
		.bucket = "prod",
		.dry_run = flags & CASE_DRY,
		.adopt = flags & CASE_ADOPT,
	};

	err_clear(&c->err);
	import_report_release(&c->report);
	for (size_t i = 0; flags & CASE_WHOLE && i < c->src->n_datasets; i++)
		c->src->datasets[i].is_whole =
			c->src->datasets[i].has_details = true;
	if (!c->is_settled)
		cr_assert_eq(import_source_settle(c->src, &c->err), 0);
	c->is_settled = true;
	return import_apply(c->place.store, c->src, &opt, &c->report, &c->err);
}

/* Everything below .datasetfs, as text: nothing changed where it is equal. */
static inline void case_files(struct import_case *c, struct buf *out)
{
	char line[256], chunk[4096];
	size_t n;
	FILE *p;

	(void)snprintf(line, sizeof(line), "cd '%s/bucket' && find . -type f | "
		       "LC_ALL=C sort | xargs -r grep -H ''", c->place.dir);
	p = popen(line, "r");
	cr_assert_not_null(p);
	while ((n = fread(chunk, 1, sizeof(chunk), p)) > 0)
		buf_bytes(out, chunk, n);
	cr_assert_neq(pclose(p), -1);
	buf_str(out, "");
}

static inline bool case_says(struct import_case *c, const char *line)
{
	cleanup_buf struct buf text = BUF_INIT;

	import_report_print(&c->report, true, &text);
	return text.data && strstr(text.data, line);
}

#endif
