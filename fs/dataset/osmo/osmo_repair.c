/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/osmo/osmo_repair.h"

#include <stdint.h>
#include <string.h>

#include "backends/backend.h"
#include "backends/base/encode.h"
#include "backends/uri.h"

#define SPLITS_MAX 32	/* of one storage_path: bounds the work for a hostile
			   one; real ones have a few components */

struct text {
	const char *p;
	size_t len;
};

struct search {
	struct osmo_repair *out;
	struct text path;	/* relative_path */
	struct text source;
	size_t key_at;		/* in source */
};

void osmo_repair_release(struct osmo_repair *repair)
{
	for (size_t i = 0; i < repair->n; i++)
		free(repair->uris[i]);
	repair->n = 0;
}

/* a, then b, as another candidate; silently none where there are enough. */
static int add(const struct search *s, struct text a, const char *between,
	       struct text b, struct err *err)
{
	struct osmo_repair *out = s->out;
	cleanup_buf struct buf uri = BUF_INIT;

	if (out->n == OSMO_REPAIR_MAX ||
	    a.len - s->key_at + strlen(between) + b.len > BACKEND_KEY_MAX)
		return 0;
	buf_bytes(&uri, a.p, a.len);
	buf_str(&uri, between);
	buf_bytes(&uri, b.p, b.len);
	if (buf_failed(&uri))
		return err_nomem(err);
	if (uri.len == s->source.len &&
	    memcmp(uri.data, s->source.p, uri.len) == 0)
		return 0;
	for (size_t i = 0; i < out->n; i++)
		if (strcmp(out->uris[i], uri.data) == 0)
			return 0;
	out->uris[out->n] = buf_steal(&uri);
	if (!out->uris[out->n])
		return err_nomem(err);
	out->n++;
	return 0;
}

static int add_collapsed(const struct search *s, struct err *err)
{
	cleanup_buf struct buf key = BUF_INIT;
	const struct text place = { s->source.p, s->key_at };
	size_t i = s->key_at;

	if (!memmem(s->source.p + i - 1, s->source.len - i + 1, "//", 2))
		return 0;
	for (; i < s->source.len; i++)
		if (s->source.p[i] != '/' || s->source.p[i - 1] != '/')
			buf_char(&key, s->source.p[i]);
	if (buf_failed(&key))
		return err_nomem(err);
	return add(s, place, "", (struct text){ key.data, key.len }, err);
}

/* The length of the character that ends at p + len; a stray byte is one. */
static size_t last_char_len(const char *p, size_t len)
{
	for (size_t n = 1; n <= 4 && n <= len; n++) {
		if (((uint8_t)p[len - n] & 0xc0) == 0x80)
			continue;
		if (encode_utf8_len(p + len - n, n) == n)
			return n;
		break;
	}
	return 1;
}

static bool has_char(struct text set, const char *c, size_t len)
{
	return memmem(set.p, set.len, c, len) != NULL;
}

/* How many bytes right before the tail consist of characters of prefix. */
static size_t cut_max(struct text path, size_t tail_len, struct text prefix)
{
	size_t end = path.len - tail_len, at = end;

	while (at > 0) {
		size_t n = last_char_len(path.p, at);

		if (!has_char(prefix, path.p + at - n, n))
			break;
		at -= n;
	}
	return end - at;
}

/* Whether the component before path[at] is the last one of prefix. */
static bool follows_source(struct text path, size_t at, struct text prefix)
{
	const char *slash = memrchr(prefix.p, '/', prefix.len);
	const char *name = slash ? slash + 1 : prefix.p;
	size_t len = (size_t)(prefix.p + prefix.len - name);

	return at > len && memcmp(path.p + at - 1 - len, name, len) == 0 &&
	       (at - 1 - len == 0 || path.p[at - 2 - len] == '/');
}

/*
 * source[0, prefix_end) is taken for the prefix.  likely: only where the path
 * goes on as an upload makes it: all of it, or from behind the prefix's own
 * last component; else only the rest.
 */
static int try_split(const struct search *s, size_t prefix_end, bool likely,
		     struct err *err)
{
	const struct text place = { s->source.p, prefix_end };
	const struct text prefix = { s->source.p + s->key_at,
				     prefix_end - s->key_at };
	size_t tail_at = prefix_end < s->source.len ? prefix_end + 1 :
						      prefix_end;
	const struct text tail = { s->source.p + tail_at,
				   s->source.len - tail_at };
	size_t end = s->path.len - tail.len, cut;
	int r = 0;

	if (!memchr(prefix.p, '/', prefix.len))
		return 0;
	if (tail.len) {
		size_t n = encode_utf8_len(tail.p, tail.len);

		if (has_char(prefix, tail.p, n ? n : 1))
			return 0;
	}
	cut = cut_max(s->path, tail.len, prefix);
	for (size_t at = end; at-- > end - cut && r == 0;) {
		const struct text rest = { s->path.p + at, s->path.len - at };

		if (at > 0 && s->path.p[at - 1] != '/')
			continue;
		/* All of the key for the prefix, nothing left of the tail:
		   possible, but most often it is an object's whole name. */
		if (prefix_end == s->source.len &&
		    !follows_source(s->path, at, prefix))
			continue;
		if ((at == 0 || follows_source(s->path, at, prefix)) == likely)
			r = add(s, place, "/", rest, err);
	}
	return r;
}

static size_t common_end(struct text a, struct text b)
{
	size_t n = 0;

	while (n < a.len && n < b.len &&
	       a.p[a.len - 1 - n] == b.p[b.len - 1 - n])
		n++;
	return n;
}

/* The shortest prefixes first: what was damaged has the longest tail. */
static int try_splits(const struct search *s, bool likely, struct err *err)
{
	const struct text key = { s->source.p + s->key_at,
				  s->source.len - s->key_at };
	size_t same = common_end(key, s->path);
	size_t at = s->source.len - same;
	unsigned n = 0;
	int r = 0;

	if (at > s->key_at)
		at--;		/* the slash itself need not be in the path */
	for (; at <= s->source.len && n < SPLITS_MAX && r == 0; at++) {
		if (at < s->source.len && s->source.p[at] != '/')
			continue;
		if (at <= s->key_at)
			continue;
		r = try_split(s, at, likely, err);
		n++;
	}
	return r;
}

int osmo_repair_init(struct osmo_repair *out, const char *relative_path,
		     size_t path_len, const char *source, size_t source_len,
		     struct err *err)
{
	struct search s = {
		.out = out,
		.path = { relative_path, path_len },
		.source = { source, source_len },
	};
	cleanup_free char *text = NULL;
	struct err ignored = ERR_INIT;
	struct uri uri;
	int r;

	out->n = 0;
	if (path_len == 0 || memchr(source, '\0', source_len) ||
	    memchr(relative_path, '\0', path_len))
		return 0;
	text = strndup(source, source_len);
	if (!text)
		return err_nomem(err);
	if (uri_parse_object(&uri, text, &ignored) < 0)
		return 0;
	s.key_at = source_len - strlen(uri.key);
	if (uri.scheme == URI_FILE)
		s.key_at++;	/* its key begins with the slash */
	uri_release(&uri);
	if (source_len - s.key_at > BACKEND_KEY_MAX)
		return 0;
	r = add_collapsed(&s, err);
	if (r == 0 && !(source_len > path_len &&
			source[source_len - path_len - 1] == '/' &&
			memcmp(source + source_len - path_len, relative_path,
			       path_len) == 0)) {
		r = try_splits(&s, true, err);
		if (r == 0)
			r = try_splits(&s, false, err);
	}
	if (r < 0)
		osmo_repair_release(out);
	return r;
}
