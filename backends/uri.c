/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/uri.h"

#include <errno.h>
#include <string.h>
#include "backends/base/buf.h"
#include "backends/base/encode.h"

/*
 * What a scheme's URI is made of, in front of the key.  OSMO names the parts
 * differently from scheme to scheme; the words here are the ones that an
 * error shows, and the example is what it tells the user to write.
 */
struct uri_shape {
	const char *name;
	unsigned n_parts;
	const char *parts[3];
	const char *example;
};

static const struct uri_shape shapes[] = {
	[URI_FILE] = {"file", 0, {NULL}, "file:///DIR"},
	[URI_S3] = {"s3", 1, {"bucket"}, "s3://BUCKET/PREFIX"},
	[URI_GS] = {"gs", 1, {"bucket"}, "gs://BUCKET/PREFIX"},
	[URI_AZURE] = {"azure",
		       2,
		       {"account", "container"},
		       "azure://ACCOUNT/CONTAINER/PREFIX"},
	[URI_TOS] = {"tos", 2, {"host", "bucket"}, "tos://HOST/BUCKET/PREFIX"},
	[URI_SWIFT] = {"swift",
		       3,
		       {"host", "namespace", "container"},
		       "swift://HOST/NAMESPACE/CONTAINER/PREFIX"},
};

/* Longer than any key with any container; a bound for messages and memory. */
#define URI_TEXT_MAX 4096

/* Enough of a hostile text to recognise it by. */
#define URI_SHOWN_MAX 200

const char *uri_scheme_name(enum uri_scheme scheme)
{
	return shapes[scheme].name;
}

void uri_release(struct uri *uri)
{
	/* text is the one allocation; the other strings lie behind it. */
	free(uri->text);
	memset(uri, 0, sizeof(*uri));
}

static int refuse(struct err *err, const char *text, const char *why)
{
	cleanup_buf struct buf shown = BUF_INIT;

	encode_printable(&shown, text, strlen(text), URI_SHOWN_MAX);
	return err_set(err, ERR_USAGE, EINVAL, "%s %s",
		       shown.data ? shown.data : "", why);
}

static int refuse_scheme(struct err *err, const char *text, size_t scheme_len)
{
	if (!strncmp(text, "http://", 7) || !strncmp(text, "https://", 8))
		return refuse(err, text,
			      "is a web address: write s3://BUCKET/PREFIX here "
			      "and the address into the credential's "
			      "override_url");
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const char *name = shapes[i].name;

		if (strlen(name) == scheme_len &&
		    !strncasecmp(text, name, scheme_len)) {
			cleanup_buf struct buf why = BUF_INIT;

			buf_printf(&why, "has its scheme in capitals: write %s",
				   shapes[i].example);
			return refuse(err, text, why.data ? why.data : "");
		}
	}
	return refuse(err, text,
		      "has an unknown scheme: it is one of file://, s3://, "
		      "gs://, azure://, tos://, swift://");
}

static int find_scheme(enum uri_scheme *scheme, const char **rest,
		       const char *text, struct err *err)
{
	const char *sep = strstr(text, "://");

	if (!*text)
		return err_set(err, ERR_USAGE, EINVAL,
			       "the URI is empty: write for example "
			       "s3://BUCKET/PREFIX");
	if (strlen(text) > URI_TEXT_MAX)
		return err_set(err, ERR_USAGE, EINVAL,
			       "a URI of %zu bytes, the limit is %d",
			       strlen(text), URI_TEXT_MAX);
	if (!sep)
		return refuse(err, text,
			      *text == '/' ? "has no scheme: write file:// in "
					     "front of a local directory"
					   : "is not a URI: write for example "
					     "s3://BUCKET/PREFIX");
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		size_t len = strlen(shapes[i].name);

		if ((size_t)(sep - text) == len &&
		    !strncmp(text, shapes[i].name, len)) {
			*scheme = (enum uri_scheme)i;
			*rest = sep + 3;
			return 0;
		}
	}
	return refuse_scheme(err, text, (size_t)(sep - text));
}

/*
 * These end up in host names and URL paths, so anything that could change a
 * URL's meaning there is refused: '@' would move the host, '?' and '#' the
 * path's end, '%' and '\' what a server decodes.
 */
static bool is_part_byte(unsigned char c)
{
	return c > 0x20 && c < 0x7f && !strchr("/,;*?#@%\\\"<>^`{|}", c);
}

static int check_part(const char *part, size_t len, const char *text,
		      const char *what, struct err *err)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)part[i];

		if (is_part_byte(c))
			continue;
		/* What stands before an '@' is often a secret: not shown. */
		if (c == '@')
			return err_set(err, ERR_USAGE, EINVAL,
				       "the %s holds '@': a credential does "
				       "not belong into a URI, write it into "
				       "default_credential",
				       what);
		cleanup_buf struct buf why = BUF_INIT;

		buf_printf(&why,
			   "has the byte 0x%02x in its %s: letters, "
			   "digits, '.', '-' and '_' are allowed there",
			   c, what);
		return refuse(err, text, why.data ? why.data : "");
	}
	if ((len == 1 && part[0] == '.') ||
	    (len == 2 && part[0] == '.' && part[1] == '.'))
		return refuse(err, text,
			      "has '.' or '..' where a name belongs");
	return 0;
}

static int missing_part(const struct uri_shape *shape, unsigned i,
			const char *text, struct err *err)
{
	cleanup_buf struct buf why = BUF_INIT;
	size_t len = strlen(text);

	while (len && text[len - 1] == '/')
		len--;
	buf_printf(&why, "has no %s: write ", shape->parts[i]);
	if (i == 0) {
		buf_str(&why, shape->example);
	} else {
		encode_printable(&why, text, len, URI_SHOWN_MAX);
		for (; i < shape->n_parts; i++) {
			buf_char(&why, '/');
			for (const char *p = shape->parts[i]; *p; p++)
				buf_char(&why, (char)(*p - 'a' + 'A'));
		}
	}
	return refuse(err, text, why.data ? why.data : "");
}

/* A configured prefix: OSMO's C(/C)* with C = [^/,;*]+. */
static int check_prefix(const char *key, size_t len, const char *text,
			struct err *err)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)key[i];

		if (c == '/' && (i == 0 || key[i - 1] == '/'))
			return refuse(err, text,
				      "holds '//': write single slashes");
		if (c == ',' || c == ';' || c == '*')
			return refuse(err, text,
				      "holds ',', ';' or '*', which OSMO does "
				      "not allow in a dataset_path");
		if (c < 0x20 || c == 0x7f)
			return refuse(err, text, "holds a control byte");
	}
	return 0;
}

static bool has_dot_dot(const char *path, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t end = i;

		while (end < len && path[end] != '/')
			end++;
		if (end - i == 2 && path[i] == '.' && path[i + 1] == '.')
			return true;
		i = end + 1;
	}
	return false;
}

struct part {
	const char *p;
	size_t len;
};

static char *place(char **at, const char *s, size_t len)
{
	char *to = *at;

	memcpy(to, s, len);
	to[len] = '\0';
	*at = to + len + 1;
	return to;
}

static int fill(struct uri *out, enum uri_scheme scheme, const char *text,
		size_t text_len, const struct part *parts, const char *key,
		size_t key_len, struct err *err)
{
	/* Each string is a piece of text; the profile is one with a scheme. */
	size_t size = 4 * (text_len + 1) + 16 + key_len;
	char *at = malloc(size);
	unsigned n_parts = shapes[scheme].n_parts;

	if (!at)
		return err_nomem(err);
	memset(out, 0, sizeof(*out));
	out->scheme = scheme;
	out->text = place(&at, text, text_len);
	out->key = place(&at, key, key_len);
	if (scheme == URI_FILE) {
		out->profile = place(&at, "file://", strlen("file://"));
		return 0;
	}
	out->container = place(&at, parts[n_parts - 1].p,
			       parts[n_parts - 1].len);
	if (n_parts > 1)
		out->host = place(&at, parts[0].p, parts[0].len);
	if (n_parts > 2)
		out->space = place(&at, parts[1].p, parts[1].len);

	/* azure: one account, one credential; swift: one namespace. */
	const struct part *last = &parts[0];

	if (scheme == URI_TOS || scheme == URI_SWIFT)
		last = &parts[1];
	out->profile = place(&at, text, (size_t)(last->p + last->len - text));
	return 0;
}

static int parse_file(struct uri *out, const char *text, size_t len,
		      bool is_object, struct err *err)
{
	const char *path = text + strlen("file://");
	size_t path_len = len - strlen("file://");

	if (!path_len || path[0] != '/') {
		cleanup_buf struct buf why = BUF_INIT;

		if (!path_len)
			return refuse(err, text,
				      "has no directory (and the "
				      "whole file system is not "
				      "one): write file:///DIR");
		buf_str(&why, "names a host or a relative path: write "
			      "file:///");
		encode_printable(&why, path, path_len, URI_SHOWN_MAX);
		return refuse(err, text, why.data ? why.data : "");
	}
	if (has_dot_dot(path, path_len))
		return refuse(err, text,
			      "holds '..': write the directory's real path");
	if (!is_object) {
		int r = check_prefix(path + 1, path_len - 1, text, err);

		if (r < 0)
			return r;
	}
	return fill(out, URI_FILE, text, len, NULL, path, path_len, err);
}

static int parse(struct uri *out, const char *text, bool is_object,
		 struct err *err)
{
	struct part parts[3] = {{NULL, 0}};
	size_t len = strlen(text);
	enum uri_scheme scheme = URI_FILE;
	const char *p = text, *end;
	int r;

	memset(out, 0, sizeof(*out));
	r = find_scheme(&scheme, &p, text, err);
	if (r < 0)
		return r;

	if (!is_object)
		while (text + len > p && text[len - 1] == '/')
			len--;
	end = text + len;
	if (scheme == URI_FILE)
		return parse_file(out, text, len, is_object, err);

	for (unsigned i = 0; i < shapes[scheme].n_parts; i++) {
		const char *slash = memchr(p, '/', (size_t)(end - p));

		parts[i].p = p;
		parts[i].len = (size_t)((slash ? slash : end) - p);
		if (!parts[i].len && i && slash)
			return refuse(err, text,
				      "holds '//': write single slashes");
		if (!parts[i].len)
			return missing_part(&shapes[scheme], i, text, err);
		r = check_part(p, parts[i].len, text, shapes[scheme].parts[i],
			       err);
		if (r < 0)
			return r;
		p = slash ? slash + 1 : end;
	}

	if (is_object && p == end)
		return refuse(err, text, "names no object");
	if (!is_object) {
		r = check_prefix(p, (size_t)(end - p), text, err);
		if (r < 0)
			return r;
	}
	return fill(out, scheme, text, len, parts, p, (size_t)(end - p), err);
}

/* "?sv=...&sig=...": a key may hold it, a place that is configured does not. */
static bool has_sas(const char *text)
{
	const char *query = strchr(text, '?');

	return query && strncmp(text, "azure://", 8) == 0 &&
	       (strstr(query, "?sig=") || strstr(query, "&sig="));
}

int uri_parse_location(struct uri *out, const char *text, struct err *err)
{
	if (has_sas(text))
		return err_set(err, ERR_USAGE, EINVAL,
			       "it holds a SAS: a credential does not belong "
			       "into a URI, write it into default_credential");
	return parse(out, text, false, err);
}

int uri_parse_object(struct uri *out, const char *text, struct err *err)
{
	return parse(out, text, true, err);
}

const char *uri_below(const struct uri *location, const char *text)
{
	size_t len = strlen(location->text);

	if (strncmp(location->text, text, len) != 0 || text[len] != '/')
		return NULL;
	return text + len + 1;
}
