/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XML that a store answers with: the same bytes read as each of the four
 * documents that we ask for.
 * fuzz-covers: backends/s3/s3_xml.c backends/base/xml.c backends/object/listing.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"
#include "backends/object/header.h"
#include "backends/s3/s3_xml.h"

/* What goes into a header, a log line or a host name later. */
static void check_plain(const char *text, size_t size)
{
	FUZZ_CHECK(memchr(text, '\0', size) != NULL);
	for (; *text; text++)
		FUZZ_CHECK((unsigned char)*text > 0x20 &&
			   (unsigned char)*text < 0x7f && *text != '"');
}

static void check_error(const struct xml_error *error)
{
	check_plain(error->code, sizeof(error->code));
	check_plain(error->region, sizeof(error->region));
}

static void check_list(const uint8_t *data, size_t size)
{
	cleanup_s3_list struct s3_list list;
	struct err err = ERR_INIT;

	if (s3_xml_list(&list, data, size, &err) < 0) {
		FUZZ_CHECK(err.text[0] != '\0');
		FUZZ_CHECK(!list.names.entries && !list.token && !list.names.n_entries);
		return;
	}
	check_error(&list.error);
	FUZZ_CHECK(!list.error.code[0] || !list.names.n_entries);
	for (size_t i = 0; i < list.names.n_entries; i++) {
		const struct listing_entry *e = &list.names.entries[i];

		FUZZ_CHECK(e->key != NULL);
		FUZZ_CHECK(strlen(e->key) <= XML_TEXT_MAX);
		FUZZ_CHECK(e->info.size <= INT64_MAX ||
			   e->info.size == BACKEND_SIZE_UNKNOWN);
		check_plain(e->info.etag, sizeof(e->info.etag));
		FUZZ_CHECK(!e->info.generation[0] ||
			   header_is_generation(e->info.generation));
		FUZZ_CHECK(!i || strcmp(e[-1].key, e->key) < 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[BACKEND_UPLOAD_ID_MAX], etag[BACKEND_ETAG_MAX];
	struct xml_error error;
	struct err err = ERR_INIT;

	check_list(data, size);

	if (s3_xml_upload(&error, id, data, size, &err) == 0) {
		check_error(&error);
		FUZZ_CHECK(error.code[0] || id[0]);
		FUZZ_CHECK(memchr(id, '\0', sizeof(id)) != NULL);
	}
	err = (struct err)ERR_INIT;
	if (s3_xml_complete(&error, etag, data, size, &err) == 0) {
		check_error(&error);
		check_plain(etag, sizeof(etag));
	}
	xml_parse_error(&error, data, size);
	check_error(&error);
	return 0;
}
