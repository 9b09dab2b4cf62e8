/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A settled import_source as text: two sources are equal when their texts are.
 */
#ifndef DATASETFS_TESTS_SOURCE_TEXT_H
#define DATASETFS_TESTS_SOURCE_TEXT_H

#include <stdlib.h>
#include <string.h>
#include "backends/base/encode.h"
#include "backends/base/io.h"
#include "fs/dataset/import/import_source.h"

static inline void source_text_value(struct buf *out, const char *label,
				     const char *s)
{
	buf_printf(out, " %s=", label);
	if (!s)
		buf_str(out, "-");
	else
		encode_printable(out, s, strlen(s), 100000);
}

static inline void source_text_version(struct buf *out,
				       const struct import_version *v)
{
	buf_printf(out, "  version %u %s", v->number,
		   version_status_name(v->status));
	source_text_value(out, "uri", v->uri);
	source_text_value(out, "checksum", v->checksum);
	source_text_value(out, "by", v->created_by);
	source_text_value(out, "metadata", v->metadata);
	source_text_value(out, "problem", v->problem);
	buf_printf(out, " size=%llu created=%lld used=%lld\n",
		   (unsigned long long)v->size, (long long)v->created_s,
		   (long long)v->last_used_s);
}

static inline void source_text_dataset(struct buf *out,
				       const struct import_dataset *ds)
{
	buf_printf(out, "%s %s", ds->is_collection ? "collection" : "dataset",
		   ds->id);
	source_text_value(out, "name", ds->name);
	source_text_value(out, "bucket", ds->bucket);
	source_text_value(out, "by", ds->created_by);
	source_text_value(out, "hashes", ds->hash_location);
	source_text_value(out, "labels", ds->labels);
	source_text_value(out, "problem", ds->problem);
	buf_printf(out, " stored=%llu created=%lld%s%s\n",
		   (unsigned long long)ds->stored_size,
		   (long long)ds->created_s,
		   ds->has_details ? " details" : "",
		   ds->is_whole ? " whole" : "");
	for (size_t i = 0; i < ds->n_versions; i++)
		source_text_version(out, &ds->versions[i]);
	for (size_t i = 0; i < ds->n_tags; i++)
		buf_printf(out, "  tag %s %u\n", ds->tags[i].name,
			   ds->tags[i].version);
	for (size_t i = 0; i < ds->n_members; i++)
		buf_printf(out, "  member %s %u\n", ds->members[i].id,
			   ds->members[i].version);
}

static inline void source_text(struct buf *out, const struct import_source *src)
{
	for (size_t i = 0; i < src->n_datasets; i++)
		source_text_dataset(out, &src->datasets[i]);
}

/* A note that holds every word; NULL ends them. */
static inline bool source_has_note(const struct import_source *src,
				   const char *a, const char *b)
{
	for (size_t i = 0; i < src->n_notes; i++)
		if (strstr(src->notes[i], a) && strstr(src->notes[i], b))
			return true;
	return false;
}

/* A file of the source tree. */
static inline void fixture_read(struct buf *out, const char *name)
{
	const char *top = getenv("top_srcdir");
	struct err err = ERR_INIT;
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/fixtures/%s", top ? top : ".",
		 name);
	if (io_read_file(path, (size_t)16 << 20, out, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
}

#endif
