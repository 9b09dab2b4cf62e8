/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Azure's service and its users write: the same bytes read as the page of
 * a list, and as a connection string.
 * fuzz-covers: backends/azure/azure_xml.c backends/azure/azure_connection.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"
#include "backends/azure/azure_connection.h"
#include "backends/azure/azure_xml.h"

#include <stdlib.h>

/* What goes into a header or a URL later. */
static void check_plain(const char *text)
{
	for (; text && *text; text++)
		FUZZ_CHECK((unsigned char)*text > 0x20 &&
			   (unsigned char)*text < 0x7f);
}

static void check_list(const uint8_t *data, size_t size)
{
	struct azure_list list;
	struct err err = ERR_INIT;

	if (azure_xml_list(&list, data, size, &err) < 0) {
		FUZZ_CHECK(err.text[0] != '\0');
		FUZZ_CHECK(!list.names.entries && !list.marker);
		return;
	}
	check_plain(list.error.code);
	FUZZ_CHECK(!list.error.code[0] || !list.names.n_entries);
	FUZZ_CHECK(!list.marker || *list.marker);
	for (size_t i = 0; i < list.names.n_entries; i++) {
		const struct listing_entry *e = &list.names.entries[i];

		FUZZ_CHECK(e->key && strlen(e->key) <= XML_TEXT_MAX);
		FUZZ_CHECK(e->info.size <= INT64_MAX ||
			   e->info.size == BACKEND_SIZE_UNKNOWN);
		check_plain(e->info.etag);
		FUZZ_CHECK(!i || strcmp(e[-1].key, e->key) < 0);
	}
	azure_list_release(&list);
}

static void check_connection(const uint8_t *data, size_t size)
{
	struct azure_connection conn;
	struct err err = ERR_INIT;
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (azure_connection_parse(&conn, text, "acct", &err) < 0) {
		FUZZ_CHECK(err.text[0] && err.class == ERR_USAGE);
		FUZZ_CHECK(!conn.key && !conn.sas && !conn.endpoint);
	} else {
		FUZZ_CHECK(!conn.key != !conn.sas && conn.endpoint);
		FUZZ_CHECK(!conn.key || conn.account);
		FUZZ_CHECK(!conn.sas || !strpbrk(conn.sas, "?#"));
		check_plain(conn.account);
		check_plain(conn.key);
		check_plain(conn.sas);
		check_plain(conn.endpoint);
		azure_connection_release(&conn);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_list(data, size);
	check_connection(data, size);
	return 0;
}
