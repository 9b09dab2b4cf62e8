/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/import/import_sql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/buf.h"
#include "fs/dataset/import/osmo_sql.h"

struct import_sql {
	struct import_source *src;
	struct osmo_sql *sql;
	char *where;
};

static int add_row(void *arg, enum osmo_table table,
		   const char *const *values, uint64_t line, struct err *err)
{
	struct import_sql *in = arg;
	cleanup_buf struct buf where = BUF_INIT;

	buf_printf(&where, "%s:%llu", in->where, (unsigned long long)line);
	if (buf_failed(&where))
		return err_nomem(err);
	switch (table) {
	case OSMO_DATASET: {
		const struct import_dataset_row row = {
			.name = values[DATASET_NAME],
			.id = values[DATASET_ID],
			.created_by = values[DATASET_CREATED_BY],
			.created_date = values[DATASET_CREATED_DATE],
			.is_collection = values[DATASET_IS_COLLECTION],
			.labels = values[DATASET_LABELS],
			.hash_location = values[DATASET_HASH_LOCATION],
			.hash_location_size = values[DATASET_HASH_LOCATION_SIZE],
			.bucket = values[DATASET_BUCKET],
		};
		return import_source_add_dataset(in->src, &row, where.data,
						 err);
	}
	case OSMO_VERSION: {
		const struct import_version_row row = {
			.dataset_id = values[VERSION_DATASET_ID],
			.version_id = values[VERSION_VERSION_ID],
			.location = values[VERSION_LOCATION],
			.status = values[VERSION_STATUS],
			.created_by = values[VERSION_CREATED_BY],
			.created_date = values[VERSION_CREATED_DATE],
			.last_used = values[VERSION_LAST_USED],
			.size = values[VERSION_SIZE],
			.checksum = values[VERSION_CHECKSUM],
			.metadata = values[VERSION_METADATA],
		};
		return import_source_add_version(in->src, &row, where.data,
						 err);
	}
	case OSMO_TAG: {
		const struct import_tag_row row = {
			.dataset_id = values[TAG_DATASET_ID],
			.version_id = values[TAG_VERSION_ID],
			.tag = values[TAG_TAG],
		};
		return import_source_add_tag(in->src, &row, where.data, err);
	}
	case OSMO_COLLECTION: {
		const struct import_member_row row = {
			.collection_id = values[COLLECTION_ID],
			.dataset_id = values[COLLECTION_DATASET_ID],
			.version_id = values[COLLECTION_VERSION_ID],
		};
		return import_source_add_member(in->src, &row, where.data,
						err);
	}
	}
	return 0;
}

int import_sql_new(struct import_sql **out, struct import_source *src,
		   const char *where, struct err *err)
{
	struct import_sql *in = calloc(1, sizeof(*in));
	int r;

	*out = NULL;
	if (!in)
		return err_nomem(err);
	in->src = src;
	in->where = strdup(where);
	r = in->where ? osmo_sql_new(&in->sql, add_row, in, err) :
			err_nomem(err);
	if (r < 0) {
		import_sql_free(in);
		return r;
	}
	*out = in;
	return 0;
}

void import_sql_free(struct import_sql *in)
{
	if (!in)
		return;
	osmo_sql_free(in->sql);
	free(in->where);
	free(in);
}

int import_sql_feed(struct import_sql *in, const void *bytes, size_t len,
		    struct err *err)
{
	int r = osmo_sql_feed(in->sql, bytes, len, err);

	return r < 0 ? err_wrap(err, "%s", in->where) : 0;
}

int import_sql_finish(struct import_sql *in, struct err *err)
{
	cleanup_buf struct buf missing = BUF_INIT;
	bool has_any = false;
	int r = osmo_sql_finish(in->sql, err);

	if (r < 0)
		return err_wrap(err, "%s", in->where);
	for (int i = 0; i < OSMO_TABLES; i++) {
		if (osmo_sql_has(in->sql, (enum osmo_table)i))
			has_any = true;
		else
			buf_printf(&missing, "%s%s", missing.len ? ", " : "",
				   osmo_table_name((enum osmo_table)i));
	}
	if (!has_any)
		return err_set(err, ERR_MISSING, ENOENT,
			       "%s: none of OSMO's tables is in it (dataset, "
			       "dataset_version, dataset_tag, collection): see "
			       "datasetfs(1) for the line of pg_dump",
			       in->where);
	if (missing.len) {
		import_source_note(in->src, "%s: it lacks the data of: %s",
				   in->where, missing.data);
		return 0;
	}
	for (size_t i = 0; i < in->src->n_datasets; i++) {
		struct import_dataset *ds = &in->src->datasets[i];

		ds->has_details = ds->is_whole = true;
	}
	return 0;
}
