/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What OSMO's client prints: nothing is taken from a text that is refused half
 * way but what came before, and the same text twice says nothing new.
 * fuzz-covers: fs/dataset/import/osmo_json.c fs/dataset/import/import_source.c fs/dataset/import/import_value.c
 * fuzz-covers: fs/dataset/import/import_settle.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"
#include "fs/dataset/catalog_store/catalog_record.h"
#include "fs/dataset/import/osmo_json.h"
#include "fs/dataset/reference.h"
#include "tests/unit/source_text.h"

static void check_dataset(const struct import_dataset *ds)
{
	FUZZ_CHECK(catalog_is_id(ds->id, strlen(ds->id)));
	FUZZ_CHECK(!ds->name || ds->problem ||
		   reference_is_name(ds->name, strlen(ds->name)));
	for (size_t i = 0; i < ds->n_versions; i++) {
		const struct import_version *v = &ds->versions[i];

		FUZZ_CHECK(v->number > 0);
		FUZZ_CHECK(v->problem || (v->uri && *v->uri && v->checksum));
		FUZZ_CHECK(i == 0 || ds->versions[i - 1].number < v->number);
	}
	for (size_t i = 1; i < ds->n_tags; i++)
		FUZZ_CHECK(strcmp(ds->tags[i - 1].name, ds->tags[i].name) < 0);
	for (size_t i = 0; i < ds->n_members; i++)
		FUZZ_CHECK(ds->members[i].id && ds->members[i].version > 0);
}

/* So many readings of the text, settled, as text. */
static int read_times(struct buf *text, const void *data, size_t size,
		      int times)
{
	struct import_source *src = import_source_new();
	struct err err = ERR_INIT;
	int r = 0;

	FUZZ_CHECK(src);
	while (times-- > 0 && r == 0)
		r = osmo_json_read(src, "f", data, size, &err);
	FUZZ_CHECK(r == 0 || err.text[0]);
	/* Also what stands there after an error must hold together. */
	FUZZ_CHECK(import_source_settle(src, &err) == 0);
	for (size_t i = 0; i < src->n_datasets; i++)
		check_dataset(&src->datasets[i]);
	source_text(text, src);
	FUZZ_CHECK(!buf_failed(text));
	import_source_free(src);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf once = BUF_INIT, twice = BUF_INIT;
	int r = read_times(&once, data, size, 1);

	FUZZ_CHECK(read_times(&twice, data, size, 2) == r);
	if (r == 0)
		FUZZ_CHECK(once.len == twice.len &&
			   memcmp(once.data ? once.data : "",
				  twice.data ? twice.data : "", once.len) == 0);
	return 0;
}
