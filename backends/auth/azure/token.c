/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/azure/azure_impl.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/base/encode.h"

/* Beyond the year 9999 it is no time; 0 where the member is none. */
#define SECONDS_MAX 253402300799

static int64_t seconds_of(const json_t *value)
{
	const char *text = json_string_value(value);
	long long s = json_integer_value(value);
	char *end;

	if (text) {
		errno = 0;
		s = strtoll(text, &end, 10);
		if (end == text || *end || errno)
			return 0;
	}
	return s > 0 && s <= SECONDS_MAX ? s : 0;
}

static int take(struct cred *out, const char *who, const json_t *object,
		struct err *err)
{
	int64_t on_s = seconds_of(json_object_get(object, "expires_on"));
	int64_t in_s = seconds_of(json_object_get(object, "expires_in"));
	int r;

	if (!on_s && !in_s)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "%s: a token without an end", who);
	r = cred_fill_bearer(out, who, "access token",
			     ask_json_string(object, "access_token"), err);
	if (r == 0)
		out->expires_s = on_s ? on_s : clock_wall_s() + in_s;
	return r;
}

int azure_token(struct cred *out, const char *who,
		const struct ask_reply *reply, struct err *err)
{
	json_t *object;
	int r = ask_json(&object, who, reply->body.data, reply->body.len, err);

	if (r < 0)
		return r;
	r = take(out, who, object, err);
	json_decref(object);
	return r;
}

/* " AADSTS7000215" of "AADSTS7000215: Invalid client secret ...". */
static void add_number(struct buf *out, const char *description)
{
	const char *number = description ? strstr(description, "AADSTS") : NULL;
	size_t n = number ? strspn(number + 6, "0123456789") : 0;

	if (n > 0 && n < 16)
		buf_printf(out, " %.*s", (int)(6 + n), number);
}

int azure_refused(const char *who, const struct ask_reply *reply,
		  struct err *err)
{
	bool is_final = reply->status >= 400 && !ask_is_transient(reply);
	cleanup_buf struct buf why = BUF_INIT;
	struct err ignored = ERR_INIT;
	json_t *object = NULL;
	const char *code = NULL;

	if (ask_json(&object, who, reply->body.data, reply->body.len,
		     &ignored) == 0)
		code = ask_json_string(object, "error");
	if (code) {
		buf_char(&why, ' ');
		encode_printable(&why, code, strlen(code), 64);
		add_number(&why, ask_json_string(object, "error_description"));
	}
	json_decref(object);
	return err_set(err, is_final ? ERR_AUTH : ERR_RETRY,
		       is_final ? EACCES : EIO, "%s: status %d%s", who,
		       reply->status, why.data ? why.data : "");
}
