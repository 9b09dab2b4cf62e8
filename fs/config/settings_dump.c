/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/config/settings.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/encode.h"
#include "fs/config/settings_context.h"

#define SHOWN_MAX 1024

/* NULL: without memory, or no UTF-8; json_pack() then gives NULL too. */
static json_t *text_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

static json_t *dump_cred(const struct settings_cred *cred)
{
	if (!cred)
		return json_null();
	return json_pack("{so,so,so,so,so,ss}",
			 "endpoint", text_or_null(cred->endpoint),
			 "region", text_or_null(cred->region),
			 "override_url", text_or_null(cred->override_url),
			 "addressing_style", text_or_null(
				 cred->has_addressing ?
				 settings_addressing_names[cred->addressing] :
				 NULL),
			 "access_key_id", text_or_null(cred->access_key_id),
			 "access_key", SETTINGS_MASK);
}

static int by_place(const void *a, const void *b)
{
	const struct settings_bucket *x = *(const struct settings_bucket *const *)a;
	const struct settings_bucket *y = *(const struct settings_bucket *const *)b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return (x->column > y->column) - (x->column < y->column);
}

const struct settings_bucket **
settings_buckets_in_file_order(const struct settings *st)
{
	const struct settings_bucket **order;

	order = calloc(st->n_buckets + 1, sizeof(*order));
	if (!order)
		return NULL;
	for (size_t i = 0; i < st->n_buckets; i++)
		order[i] = &st->buckets[i];
	qsort(order, st->n_buckets, sizeof(*order), by_place);
	return order;
}

static json_t *dump_bucket(const struct settings_bucket *b)
{
	return json_pack("{so,so,so,so,so}",
			 "dataset_path", text_or_null(b->dataset_path),
			 "region", text_or_null(b->region),
			 "description", text_or_null(b->description),
			 "mode", text_or_null(b->mode_text),
			 "default_credential", dump_cred(b->cred));
}

/* In the order of the file; NULL without memory. */
static json_t *dump_buckets(const struct settings *st)
{
	cleanup_free const struct settings_bucket **order =
		settings_buckets_in_file_order(st);
	json_t *all = json_object();
	int r = order && all ? 0 : -1;

	for (size_t i = 0; r == 0 && i < st->n_buckets; i++)
		r = json_object_set_new(all, order[i]->name,
					dump_bucket(order[i]));
	if (r == 0)
		return all;
	json_decref(all);
	return NULL;
}

/* \u00E9 as Python writes it, \u00e9. */
static void lower_escapes(char *text)
{
	for (char *p = text; *p; p++) {
		if (*p != '\\')
			continue;
		if (*++p == 'u')
			for (int i = 1; i <= 4; i++)
				p[i] = (char)tolower((unsigned char)p[i]);
	}
}

void settings_dump_osmo(const struct settings *st, struct buf *out)
{
	const char *fallback = st->default_bucket_text ?
			       st->default_bucket_text : "";
	json_t *doc = json_pack("{so,ss}", "buckets", dump_buckets(st),
				"default_bucket", fallback);
	char *text = doc ? json_dumps(doc, JSON_INDENT(2) | JSON_ENSURE_ASCII) :
			   NULL;

	json_decref(doc);
	if (text) {
		lower_escapes(text);
		buf_str(out, text);
		buf_char(out, '\n');
	} else {
		out->failed = true;
	}
	free(text);
}

void settings_dump_effective(const struct settings *st, bool origin,
			     struct buf *out)
{
	size_t width = 0;

	for (size_t i = 0; i < st->n_values; i++) {
		size_t len = strlen(st->values[i].name);

		width = len > width ? len : width;
	}
	for (size_t i = 0; i < st->n_values; i++) {
		const struct settings_value *v = &st->values[i];

		buf_printf(out, "%-*s  ", (int)width, v->name);
		encode_printable(out, v->value, strlen(v->value), SHOWN_MAX);
		if (origin)
			buf_printf(out, "  # %s", v->origin);
		buf_char(out, '\n');
	}
}
