/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/import/import_value.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "backends/base/buf.h"
#include "backends/base/clock.h"
#include "fs/dataset/catalog_store/catalog_record.h"
#include "fs/dataset/catalog_store/json_text.h"

static bool is_utf8(const char *s)
{
	json_t *v = json_string(s);
	bool is_good = v != NULL;

	json_decref(v);
	return is_good;
}

int import_value_text(char **out, const char *s, size_t max, const char **why)
{
	if (!s)
		s = "";
	if (strlen(s) > max) {
		*why = "is too long";
		return 1;
	}
	if (!is_utf8(s)) {
		*why = "is not UTF-8";
		return 1;
	}
	free(*out);
	*out = strdup(s);
	return *out ? 0 : -ENOMEM;
}

int import_value_size(uint64_t *out, const char *s, const char **why)
{
	char *end;

	*out = 0;
	if (!s || !*s)
		return 0;
	errno = 0;
	*out = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end || errno || *out > INT64_MAX) {
		*why = "is not a size";
		return 1;
	}
	return 0;
}

int import_value_time(int64_t *out, const char *s, const char **why)
{
	*out = 0;
	if (!s || !*s || clock_parse_iso(s, out, NULL) == 0)
		return 0;
	*why = "is not a time";
	return 1;
}

int import_value_object(char **out, const char *s, const char **why)
{
	cleanup_buf struct buf buf = BUF_INIT;
	struct err bad = ERR_INIT;
	struct json_t *obj;
	int r;

	if (!s || !*s || strcmp(s, "null") == 0)
		s = "{}";
	r = json_text_parse(&obj, s, strlen(s), &bad);
	if (r < 0) {
		*why = "is not JSON that can be kept (syntax, depth, or a "
		       "number beyond 64 bits)";
		return r == -ENOMEM ? r : 1;
	}
	r = json_is_object(obj) ? 0 : 1;
	json_decref(obj);
	*why = "is not a JSON object";
	if (r == 0)
		json_text_compact(&buf, s, strlen(s));
	if (buf_failed(&buf))
		return -ENOMEM;
	if (r == 0 && buf.len > CATALOG_OBJECT_MAX) {
		*why = "is too large";
		r = 1;
	}
	if (r == 0) {
		free(*out);
		*out = buf_steal(&buf);
	}
	return r;
}

bool import_value_bool(const char *s)
{
	return s && (*s == 't' || *s == 'T' || *s == '1');
}

int import_value_status(enum version_status *out, const char *s)
{
	for (int i = VERSION_READY; s && i <= VERSION_DELETED; i++) {
		*out = (enum version_status)i;
		if (strcmp(s, version_status_name(*out)) == 0)
			return 0;
	}
	return 1;
}
