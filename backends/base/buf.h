/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable byte buffer with a limit, and the one bounds-checked reader and
 * writer of binary formats.  A struct buf belongs to one thread.  The content
 * is always followed by a NUL that is not counted, so data is also a string.
 */
#ifndef DATASETFS_BASE_BUF_H
#define DATASETFS_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "backends/base/err.h"

struct buf {
	char *data;	/* NULL while nothing was added */
	size_t len;
	size_t cap;
	size_t limit;	/* buf_add beyond it is refused; 0: BUF_LIMIT_DEFAULT */
	bool failed;	/* a buf_str() or the like did not fit */
};

#define BUF_LIMIT_DEFAULT ((size_t)1 << 30)
#define BUF_INIT { .data = NULL }
#define BUF_INIT_LIMIT(n) { .data = NULL, .limit = (n) }

void buf_release(struct buf *buf);
#define cleanup_buf __attribute__((cleanup(buf_release)))

/* Forgets the content and a failure, keeps the memory. */
void buf_clear(struct buf *buf);

/* -EFBIG (ERR_USAGE) beyond the limit, -ENOMEM; *buf is as before then. */
int buf_add(struct buf *buf, const void *data, size_t len, struct err *err)
	MUST_CHECK;
int buf_reserve(struct buf *buf, size_t extra, struct err *err) MUST_CHECK;

/*
 * For building text: failures are remembered (buf_failed) rather than
 * returned, so that a chain of them needs one check at its end.
 */
void buf_str(struct buf *buf, const char *s);
void buf_char(struct buf *buf, char c);
void buf_bytes(struct buf *buf, const void *data, size_t len);
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool buf_failed(const struct buf *buf);

/*
 * The content as a string that the caller frees, NULL after a failure or
 * without memory; *buf is empty after.
 */
char *buf_steal(struct buf *buf);

/* Overflow-checked: false where the result does not fit. */
static inline bool size_add(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}
static inline bool size_mul(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

static inline uint16_t get_le16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}
static inline uint32_t get_le32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
	       (uint32_t)b[3] << 24;
}
static inline uint64_t get_le64(const void *p)
{
	const uint8_t *b = p;

	return (uint64_t)get_le32(b) | (uint64_t)get_le32(b + 4) << 32;
}
static inline void put_le16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}
static inline void put_le32(void *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16((uint8_t *)p + 2, (uint16_t)(v >> 16));
}
static inline void put_le64(void *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

/*
 * Reads a binary record front to back.  The error is sticky: after the first
 * read beyond the end every get returns 0, and reader_finish() reports it.
 */
struct reader {
	const uint8_t *p;
	const uint8_t *end;
	bool failed;
};
struct reader reader_over(const void *bytes, size_t len);
uint8_t reader_u8(struct reader *rd);
uint16_t reader_le16(struct reader *rd);
uint32_t reader_le32(struct reader *rd);
uint64_t reader_le64(struct reader *rd);
/* A pointer into the bytes, or NULL (sticky) when fewer than len are left. */
const void *reader_bytes(struct reader *rd, size_t len);
/* 0; -EBADMSG (ERR_CORRUPT) when a read failed or bytes are left over. */
int reader_finish(struct reader *rd, struct err *err) MUST_CHECK;

#endif
