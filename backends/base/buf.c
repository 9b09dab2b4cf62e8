/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_CAP_MIN 64

void buf_release(struct buf *buf)
{
	free(buf->data);
	buf->data = NULL;
	buf->len = 0;
	buf->cap = 0;
	buf->failed = false;
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

static size_t buf_limit(const struct buf *buf)
{
	size_t limit = buf->limit ? buf->limit : BUF_LIMIT_DEFAULT;

	/* One byte is always kept for the NUL. */
	return limit < SIZE_MAX ? limit : SIZE_MAX - 1;
}

/* 0, -EFBIG or -ENOMEM; data is allocated after 0, even for extra == 0. */
static int buf_grow(struct buf *buf, size_t extra)
{
	size_t limit = buf_limit(buf);
	size_t need;
	size_t cap;
	char *data;

	if (!size_add(buf->len, extra, &need) || need > limit)
		return -EFBIG;
	if (need < buf->cap)
		return 0;

	cap = buf->cap < BUF_CAP_MIN ? BUF_CAP_MIN : buf->cap;
	while (cap <= need && size_mul(cap, 2, &cap))
		;
	if (cap <= need || cap > limit + 1)
		cap = need < limit / 2 ? need + 1 : limit + 1;

	data = realloc(buf->data, cap);
	if (!data)
		return -ENOMEM;
	data[buf->len] = '\0';
	buf->data = data;
	buf->cap = cap;
	return 0;
}

int buf_reserve(struct buf *buf, size_t extra, struct err *err)
{
	int r = buf_grow(buf, extra);

	if (r == -EFBIG)
		return err_set(err, ERR_USAGE, EFBIG,
			       "more than %zu bytes, which is the limit",
			       buf_limit(buf));
	if (r < 0)
		return err_nomem(err);
	return 0;
}

static void buf_append(struct buf *buf, const void *data, size_t len)
{
	if (len)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

int buf_add(struct buf *buf, const void *data, size_t len, struct err *err)
{
	int r = buf_reserve(buf, len, err);

	if (r < 0)
		return r;
	buf_append(buf, data, len);
	return 0;
}

void buf_bytes(struct buf *buf, const void *data, size_t len)
{
	if (buf->failed)
		return;
	if (buf_grow(buf, len) < 0) {
		buf->failed = true;
		return;
	}
	buf_append(buf, data, len);
}

void buf_str(struct buf *buf, const char *s)
{
	buf_bytes(buf, s, strlen(s));
}

void buf_char(struct buf *buf, char c)
{
	buf_bytes(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;
	va_list again;
	size_t room;
	int n;

	if (buf->failed)
		return;
	if (buf_grow(buf, 0) < 0) {
		buf->failed = true;
		return;
	}
	room = buf->cap - buf->len;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(buf->data + buf->len, room, fmt, ap);
	if (n >= 0 && (size_t)n >= room && buf_grow(buf, (size_t)n) == 0) {
		room = buf->cap - buf->len;
		n = vsnprintf(buf->data + buf->len, room, fmt, again);
	}
	if (n >= 0 && (size_t)n < room && (size_t)n <= buf_limit(buf) - buf->len)
		buf->len += (size_t)n;
	else
		buf->failed = true;
	buf->data[buf->len] = '\0';
	va_end(again);
	va_end(ap);
}

bool buf_failed(const struct buf *buf)
{
	return buf->failed;
}

char *buf_steal(struct buf *buf)
{
	char *data = NULL;

	if (!buf->failed && buf_grow(buf, 0) == 0)
		data = steal_pointer(&buf->data);
	buf_release(buf);
	return data;
}

struct reader reader_over(const void *bytes, size_t len)
{
	return (struct reader){
		.p = bytes,
		.end = len ? (const uint8_t *)bytes + len : bytes,
		.failed = false,
	};
}

const void *reader_bytes(struct reader *rd, size_t len)
{
	const void *p = rd->p;

	if (rd->failed || (size_t)(rd->end - rd->p) < len) {
		rd->failed = true;
		return NULL;
	}
	rd->p += len;
	return p;
}

uint8_t reader_u8(struct reader *rd)
{
	const uint8_t *p = reader_bytes(rd, 1);

	return p ? *p : 0;
}

uint16_t reader_le16(struct reader *rd)
{
	const void *p = reader_bytes(rd, 2);

	return p ? get_le16(p) : 0;
}

uint32_t reader_le32(struct reader *rd)
{
	const void *p = reader_bytes(rd, 4);

	return p ? get_le32(p) : 0;
}

uint64_t reader_le64(struct reader *rd)
{
	const void *p = reader_bytes(rd, 8);

	return p ? get_le64(p) : 0;
}

int reader_finish(struct reader *rd, struct err *err)
{
	if (rd->failed)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "the record ends too early");
	if (rd->p != rd->end)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "%zu bytes too many after the record",
			       (size_t)(rd->end - rd->p));
	return 0;
}
