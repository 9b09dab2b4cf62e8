/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage URIs, as locations and as objects of an entry.
 * fuzz-covers: backends/uri.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"
#include "backends/uri.h"

/* A location parses again from its own text to the same parts. */
static void check_location(const struct uri *uri)
{
	cleanup_uri struct uri again = { 0 };
	struct err err = ERR_INIT;

	FUZZ_CHECK(uri_parse_location(&again, uri->text, &err) == 0);
	FUZZ_CHECK(again.scheme == uri->scheme);
	FUZZ_CHECK(strcmp(again.text, uri->text) == 0);
	FUZZ_CHECK(strcmp(again.profile, uri->profile) == 0);
	FUZZ_CHECK(strcmp(again.key, uri->key) == 0);
	FUZZ_CHECK(strncmp(uri->text, uri_scheme_name(uri->scheme),
			   strlen(uri_scheme_name(uri->scheme))) == 0);
	FUZZ_CHECK(!uri->container == (uri->scheme == URI_FILE));
}

/* What lies below a location is a pointer into the text that was asked. */
static void check_below(const struct uri *uri, const char *text)
{
	const char *rest = uri_below(uri, text);

	if (!rest)
		return;
	FUZZ_CHECK(rest > text && rest <= text + strlen(text));
	FUZZ_CHECK(strncmp(text, uri->text, strlen(uri->text)) == 0);
}

/*
 * A first line, if there is more than one, is a location, and the rest is
 * asked for below it.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size);
	char *object = strchr(text, '\n');
	struct err err = ERR_INIT;
	struct uri uri;

	if (object)
		*object++ = '\0';
	else
		object = text;

	if (uri_parse_location(&uri, text, &err) == 0) {
		check_location(&uri);
		check_below(&uri, object);
		uri_release(&uri);
	} else {
		FUZZ_CHECK(err.text[0] != '\0');
	}

	err = (struct err)ERR_INIT;
	if (uri_parse_object(&uri, object, &err) == 0) {
		/* The key is verbatim. */
		FUZZ_CHECK(strlen(uri.key) <= strlen(object));
		FUZZ_CHECK(strcmp(object + strlen(object) - strlen(uri.key),
				  uri.key) == 0);
		uri_release(&uri);
	} else {
		FUZZ_CHECK(err.text[0] != '\0');
	}
	free(text);
	return 0;
}
