/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/config/settings.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/encode.h"

#define SHOWN_MAX 1024

static json_t *text_or_null(const char *s)
{
	json_t *v = s ? json_string(s) : NULL;

	return v ? v : json_null();
}

static json_t *dump_cred(const struct settings_cred *cred)
{
	static const char *const styles[] = {
		[ADDRESSING_AUTO] = "auto", [ADDRESSING_VIRTUAL] = "virtual",
		[ADDRESSING_PATH] = "path",
	};
	json_t *o;

	if (!cred)
		return json_null();
	o = json_object();
	json_object_set_new(o, "endpoint", text_or_null(cred->endpoint));
	json_object_set_new(o, "region", text_or_null(cred->region));
	json_object_set_new(o, "override_url",
			    text_or_null(cred->override_url));
	json_object_set_new(o, "addressing_style", cred->has_addressing ?
			    json_string(styles[cred->addressing]) : json_null());
	json_object_set_new(o, "access_key_id",
			    text_or_null(cred->access_key_id));
	json_object_set_new(o, "access_key", json_string(SETTINGS_MASK));
	return o;
}

static int by_place(const void *a, const void *b)
{
	const struct settings_bucket *x = *(struct settings_bucket *const *)a;
	const struct settings_bucket *y = *(struct settings_bucket *const *)b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return (x->column > y->column) - (x->column < y->column);
}

static json_t *dump_buckets(const struct settings *st)
{
	struct settings_bucket **order = calloc(st->n_buckets + 1,
						sizeof(*order));
	json_t *all = json_object();

	for (size_t i = 0; order && i < st->n_buckets; i++)
		order[i] = &st->buckets[i];
	if (order)
		qsort(order, st->n_buckets, sizeof(*order), by_place);
	for (size_t i = 0; order && i < st->n_buckets; i++) {
		const struct settings_bucket *b = order[i];
		json_t *o = json_object();

		json_object_set_new(o, "dataset_path",
				    text_or_null(b->dataset_path));
		json_object_set_new(o, "region", text_or_null(b->region));
		json_object_set_new(o, "description",
				    text_or_null(b->description));
		json_object_set_new(o, "mode", text_or_null(b->mode_text));
		json_object_set_new(o, "default_credential",
				    dump_cred(b->cred));
		json_object_set_new(all, b->name, o);
	}
	if (!order) {
		json_decref(all);
		all = NULL;
	}
	free(order);
	return all;
}

void settings_dump_osmo(const struct settings *st, struct buf *out)
{
	json_t *doc = json_object(), *buckets = dump_buckets(st);
	char *text = NULL;

	if (doc && buckets) {
		json_object_set_new(doc, "buckets", buckets);
		json_object_set_new(doc, "default_bucket",
				    json_string(st->default_bucket_text ?
						st->default_bucket_text : ""));
		text = json_dumps(doc, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	}
	json_decref(doc);
	if (text) {
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
