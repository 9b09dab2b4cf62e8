/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree/tree_prefix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/digest.h"
#include "backends/uri.h"

#define NOT_SHARED UINT32_MAX

int tree_prefixes_init(struct tree_prefixes *p, struct err *err)
{
	*p = (struct tree_prefixes){
		.bytes = BUF_INIT_LIMIT(TREE_PREFIX_BYTES_MAX),
		.all = calloc(TREE_PREFIXES_MAX, sizeof(*p->all)),
		.slots = calloc(TREE_PREFIX_SLOTS, sizeof(*p->slots)),
	};
	return p->all && p->slots ? 0 : err_nomem(err);
}

void tree_prefixes_release(struct tree_prefixes *p)
{
	buf_release(&p->bytes);
	free(p->all);
	free(p->slots);
	p->all = NULL;
	p->slots = NULL;
}

bool tree_prefixes_equal(const struct tree_prefixes *p, uint16_t number,
			 const char *text, size_t len)
{
	const struct tree_prefix *e = &p->all[number];

	return e->len == len && memcmp(p->bytes.data + e->at, text, len) == 0;
}

/* source ends in a NUL nowhere: it may hold one, and is copied for the parse */
static bool is_readable(const char *source, size_t len)
{
	cleanup_free char *text = NULL;
	struct err err = ERR_INIT;
	struct uri uri;
	bool ok;

	if (memchr(source, '\0', len))
		return false;
	text = strndup(source, len);
	if (!text || uri_parse_object(&uri, text, &err) < 0)
		return false;
	ok = uri.key[0];
	uri_release(&uri);
	return ok;
}

static uint32_t add(struct tree_prefixes *p, uint16_t *slot, uint64_t hash,
		    const char *source, size_t source_len, size_t len)
{
	struct tree_prefix *e = &p->all[p->n];
	struct err full = ERR_INIT;
	uint8_t head[2];

	if (p->n == TREE_PREFIXES_MAX || len > UINT16_MAX ||
	    p->bytes.len + len + sizeof(head) > TREE_PREFIX_BYTES_MAX)
		return NOT_SHARED;
	put_le16(head, (uint16_t)len);
	if (buf_reserve(&p->bytes, len + sizeof(head), &full) < 0 ||
	    buf_add(&p->bytes, head, sizeof(head), &full) < 0 ||
	    buf_add(&p->bytes, source, len, &full) < 0)
		return NOT_SHARED;
	e->hash = hash;
	e->at = (uint32_t)(p->bytes.len - len);
	e->len = (uint16_t)len;
	e->is_readable = is_readable(source, source_len);
	*slot = (uint16_t)(p->n + 1);
	return p->n++;
}

/* The number of source's first len bytes. */
static uint32_t intern(struct tree_prefixes *p, const char *source,
		       size_t source_len, size_t len)
{
	uint64_t hash;
	uint32_t i;

	if (p->n && tree_prefixes_equal(p, (uint16_t)p->last, source, len))
		return p->last;
	hash = digest_xxh3(source, len);
	for (i = hash % TREE_PREFIX_SLOTS; p->slots[i];
	     i = (i + 1) % TREE_PREFIX_SLOTS) {
		uint16_t number = p->slots[i] - 1;

		if (p->all[number].hash == hash &&
		    tree_prefixes_equal(p, number, source, len))
			return p->last = number;
	}
	i = add(p, &p->slots[i], hash, source, source_len, len);
	if (i != NOT_SHARED)
		p->last = i;
	return i;
}

bool tree_source_is_etag(const char *source, size_t source_len,
			 const char *etag, size_t etag_len)
{
	return etag_len > 0 && source_len > etag_len &&
	       source[source_len - etag_len - 1] == '/' &&
	       memcmp(source + source_len - etag_len, etag, etag_len) == 0;
}

int tree_prefixes_split(struct tree_prefixes *p, struct tree_source_form *out,
			const char *source, size_t source_len,
			const char *etag, size_t etag_len, struct err *err)
{
	bool is_etag = tree_source_is_etag(source, source_len, etag, etag_len);
	const char *slash = is_etag ? source + source_len - etag_len - 1 :
			    source_len ? memrchr(source, '/', source_len) :
					 NULL;
	uint32_t number;

	*out = (struct tree_source_form){ .text = source,
					  .text_len = source_len };
	if (source_len > UINT16_MAX)
		return err_set(err, ERR_USAGE, EFBIG, "a source is too long");
	/* A tail that is empty, or "..", or holds NUL, says nothing of its
	   neighbours. */
	if (!slash || slash == source + source_len - 1 ||
	    (source_len >= 3 &&
	     memcmp(source + source_len - 3, "/..", 3) == 0) ||
	    memchr(source, '\0', source_len)) {
		out->is_readable = is_readable(source, source_len);
		return 0;
	}
	number = intern(p, source, source_len, (size_t)(slash - source));
	if (number == NOT_SHARED) {
		out->is_readable = is_readable(source, source_len);
		return 0;
	}
	out->prefix = (uint16_t)number;
	out->is_readable = p->all[number].is_readable;
	out->flags = is_etag ? TREE_F_SOURCE_ETAG : TREE_F_SOURCE_TAIL;
	out->text = slash + 1;
	out->text_len = is_etag ? 0 : source_len - (size_t)(slash + 1 - source);
	return 0;
}
