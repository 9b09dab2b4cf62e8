/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/disk/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include "backends/base/digest.h"
#include "backends/base/io.h"

#define MAGIC_HEADER "dfsseg02"
#define MAGIC_FOOTER "dfssum02"
#define MAGIC_LEN 8

#define SEQUENCE_DIGITS 16u
#define PLACE_DIGITS 8u		/* of an offset or a number */
#define HEX "0123456789abcdef"

#define DIRECT_UNTRIED (-2)
#define DIRECT_NOT (-1)	/* the file system does not do it */

struct segment {
	atomic_uint refs;
	int fd;
	atomic_int direct_fd;	/* the same file, past the page cache */
	char name[SEGMENT_NAME];
	uint64_t sequence;
	uint64_t end;		/* of the records */
	uint32_t n_entries;
	struct buf summary;	/* as written when it is sealed; then empty */
};

void segment_file_name(char out[SEGMENT_NAME],
		       const struct segment_file *file)
{
	(void)snprintf(out, SEGMENT_NAME, "%016llx.%08x.%08x",
		       (unsigned long long)file->sequence, file->end,
		       file->n_entries);
}

/* ".", and digits; false: it is something else. */
static bool parse_place(const char **at, uint32_t *out)
{
	if (**at != '.' || strspn(*at + 1, HEX) != PLACE_DIGITS)
		return false;
	*out = (uint32_t)strtoul(*at + 1, NULL, 16);
	*at += 1 + PLACE_DIGITS;
	return true;
}

static uint64_t file_bytes(uint64_t end, uint64_t n_entries)
{
	return end + n_entries * SEGMENT_ENTRY + SEGMENT_FOOTER;
}

enum segment_kind segment_file_parse(const char *name,
				     struct segment_file *out)
{
	const char *at = name + SEQUENCE_DIGITS;

	if (strspn(name, HEX) < SEQUENCE_DIGITS)
		return SEGMENT_NONE;
	*out = (struct segment_file){ 0, 0, 0 };
	for (const char *c = name; c < at; c++)
		out->sequence = out->sequence << 4 |
				(uint64_t)(strchr(HEX, *c) - HEX);
	if (!parse_place(&at, &out->end) ||
	    !parse_place(&at, &out->n_entries) || *at ||
	    out->end < SEGMENT_HEADER ||
	    file_bytes(out->end, out->n_entries) > SEGMENT_SIZE_MAX)
		return SEGMENT_STALE;
	return SEGMENT_SEALED;
}

static void entry_encode(uint8_t out[SEGMENT_ENTRY],
			 const struct segment_entry *e)
{
	put_le64(out, e->key.hi);
	put_le64(out + 8, e->key.lo);
	put_le32(out + 16, e->part);
	put_le32(out + 20, e->len);
	put_le64(out + 24, e->value);
}

static void entry_decode(struct segment_entry *e, const uint8_t *in)
{
	e->key.hi = get_le64(in);
	e->key.lo = get_le64(in + 8);
	e->part = get_le32(in + 16);
	e->len = get_le32(in + 20);
	e->value = get_le64(in + 24);
}

/* A record's head: as its entry, but for the value. */
static void head_encode(uint8_t out[SEGMENT_RECORD_HEAD],
			const struct segment_entry *e, const void *data)
{
	struct segment_entry head = *e;

	head.value = digest_xxh3(data, e->len);
	entry_encode(out, &head);
	put_le64(out + 32, digest_xxh3(out, 32));
}

static void header_encode(uint8_t out[SEGMENT_HEADER], uint64_t sequence)
{
	memset(out, 0, SEGMENT_HEADER);
	memcpy(out, MAGIC_HEADER, MAGIC_LEN);
	put_le64(out + 8, sequence);
	put_le64(out + 16, digest_xxh3(out, 16));
}

static int segment_new(struct segment **out, int dir_fd, const char *name,
		       uint64_t sequence, int flags, struct err *err)
{
	struct segment *s = calloc(1, sizeof(*s));

	if (!s)
		return err_nomem(err);
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	atomic_init(&s->refs, 1);
	atomic_init(&s->direct_fd, DIRECT_UNTRIED);
	s->sequence = sequence;
	s->fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW |
				     O_NONBLOCK | flags, 0600);
	if (s->fd < 0) {
		int e = errno;

		free(s);
		return err_errno(err, e, "open segment %s", name);
	}
	*out = s;
	return 0;
}

static void sealed_name(const struct segment *s, char out[SEGMENT_NAME])
{
	const struct segment_file file = { s->sequence, (uint32_t)s->end,
					   s->n_entries };

	segment_file_name(out, &file);
}

void segment_unlink(const struct segment *s, int dir_fd)
{
	char sealed[SEGMENT_NAME];

	(void)unlinkat(dir_fd, s->name, 0);
	/* A renaming that failed may have been done. */
	sealed_name(s, sealed);
	if (strcmp(s->name, sealed) != 0)
		(void)unlinkat(dir_fd, sealed, 0);
}

int segment_create(struct segment **out, int dir_fd, uint64_t sequence,
		   struct err *err)
{
	uint8_t header[SEGMENT_HEADER];
	char name[SEQUENCE_DIGITS + 1];
	struct segment *s;
	int r;

	(void)snprintf(name, sizeof(name), "%016llx",
		       (unsigned long long)sequence);
	r = segment_new(&s, dir_fd, name, sequence, O_CREAT | O_EXCL, err);
	if (r < 0)
		return r;
	header_encode(header, sequence);
	r = io_pwrite_full(s->fd, header, sizeof(header), 0);
	if (r < 0) {
		segment_unlink(s, dir_fd);
		segment_put(s);
		return err_errno(err, -r, "write segment %s", name);
	}
	s->end = sizeof(header);
	*out = s;
	return 0;
}

static int not_whole(const struct segment *s, struct err *err)
{
	return err_set(err, ERR_CORRUPT, EBADMSG,
		       "segment %s is not whole", s->name);
}

/*
 * All behind the records: the file has to end there, and to say the same.  In
 * one call: a file that gives less has no more.
 */
static int summary_load(const struct segment *s, struct buf *summary,
			struct err *err)
{
	size_t len = (size_t)s->n_entries * SEGMENT_ENTRY;
	const uint8_t *footer;
	ssize_t n;
	int r;

	r = buf_reserve(summary, len + SEGMENT_FOOTER + 1, err);
	if (r < 0)
		return r;
	do
		n = pread(s->fd, summary->data, len + SEGMENT_FOOTER + 1,
			  (off_t)s->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(err, errno, "read segment %s", s->name);
	footer = (uint8_t *)summary->data + len;
	if ((size_t)n != len + SEGMENT_FOOTER ||
	    memcmp(footer, MAGIC_FOOTER, MAGIC_LEN) ||
	    get_le64(footer + 8) != s->sequence ||
	    get_le32(footer + 16) != s->n_entries ||
	    get_le64(footer + 24) != s->end ||
	    digest_xxh3(summary->data, len + SEGMENT_FOOTER - 8) !=
		    get_le64(footer + SEGMENT_FOOTER - 8))
		return not_whole(s, err);
	return 0;
}

/* The checksum is against accidents only. */
static bool entry_is_possible(const struct segment_entry *e, uint64_t end)
{
	return e->len == 0 ||
	       (e->len <= SEGMENT_RECORD_MAX && e->value >= SEGMENT_HEADER &&
		e->value < end &&
		end - e->value >= SEGMENT_RECORD_HEAD + e->len);
}

int segment_each(struct segment *s, segment_entry_fn each, void *arg,
		 struct err *err)
{
	cleanup_buf struct buf summary = BUF_INIT;
	struct segment_entry e;
	int r = summary_load(s, &summary, err);

	for (uint32_t i = s->n_entries; r == 0 && i > 0; i--) {
		entry_decode(&e, (uint8_t *)summary.data +
				 (size_t)(i - 1) * SEGMENT_ENTRY);
		r = entry_is_possible(&e, s->end) ? each(arg, &e) :
						    not_whole(s, err);
	}
	return r;
}

int segment_open(struct segment **out, int dir_fd,
		 const struct segment_file *file, segment_entry_fn each,
		 void *arg, struct err *err)
{
	char name[SEGMENT_NAME];
	struct segment *s;
	int r;

	segment_file_name(name, file);
	r = segment_new(&s, dir_fd, name, file->sequence, 0, err);
	if (r < 0)
		return r;
	s->end = file->end;
	s->n_entries = file->n_entries;
	r = segment_each(s, each, arg, err);
	if (r < 0) {
		segment_put(s);
		return r;
	}
	*out = s;
	return 0;
}

struct segment *segment_get(struct segment *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void segment_put(struct segment *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	(void)close(s->fd);
	if (atomic_load(&s->direct_fd) >= 0)
		(void)close(atomic_load(&s->direct_fd));
	buf_release(&s->summary);
	free(s);
}

uint64_t segment_sequence(const struct segment *s)
{
	return s->sequence;
}

const char *segment_name(const struct segment *s)
{
	return s->name;
}

uint64_t segment_bytes(const struct segment *s)
{
	return file_bytes(s->end, s->n_entries);
}

/* ---- large records, past the page cache ---- */

static uint64_t page_ceil(uint64_t n)
{
	return (n + SEGMENT_PAGE - 1) / SEGMENT_PAGE * SEGMENT_PAGE;
}

static bool is_large(uint32_t len)
{
	return len >= SEGMENT_DIRECT_MIN && len % SEGMENT_PAGE == 0;
}

/* A descriptor for data of len bytes in memory, or DIRECT_NOT. */
static int direct_fd(struct segment *s, const void *data, uint32_t len)
{
	int fd = atomic_load(&s->direct_fd), untried = DIRECT_UNTRIED;
	char path[64];

	if (!is_large(len) || (uintptr_t)data % SEGMENT_PAGE)
		return DIRECT_NOT;
	if (fd != DIRECT_UNTRIED)
		return fd;
	/* It may have been unlinked. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_DIRECT);
	if (fd < 0)
		fd = DIRECT_NOT;
	if (!atomic_compare_exchange_strong(&s->direct_fd, &untried, fd)) {
		if (fd >= 0)
			(void)close(fd);
		fd = untried;
	}
	return fd;
}

/*
 * The page before the data, with the record's head at its end, and the data:
 * 0, or -errno; -EINVAL: the file system wants it otherwise.
 */
static int direct_write(struct segment *s, int fd, const uint8_t *head,
			struct segment_entry *entry, const void *data)
{
	_Alignas(SEGMENT_PAGE) uint8_t page[SEGMENT_PAGE] = {0};
	struct iovec iov[2] = {
		{ page, sizeof(page) },
		{ (void *)(uintptr_t)data, entry->len },
	};
	uint64_t at = page_ceil(s->end);
	ssize_t n;

	memcpy(page + SEGMENT_PAGE - SEGMENT_RECORD_HEAD, head,
	       SEGMENT_RECORD_HEAD);
	n = pwritev(fd, iov, 2, (off_t)at);
	if (n < 0)
		return -errno;
	if ((size_t)n < SEGMENT_PAGE + entry->len)
		return -ENOSPC;
	entry->value = at + SEGMENT_PAGE - SEGMENT_RECORD_HEAD;
	s->end = at + SEGMENT_PAGE + entry->len;
	return 0;
}

/* Bytes read of head and data, or -errno. */
static ssize_t direct_read(int fd, const struct segment_entry *entry,
			   uint8_t *head, void *dst)
{
	_Alignas(SEGMENT_PAGE) uint8_t page[SEGMENT_PAGE];
	struct iovec iov[2] = { { page, sizeof(page) }, { dst, entry->len } };
	ssize_t n;

	do
		n = preadv(fd, iov, 2, (off_t)(entry->value +
					       SEGMENT_RECORD_HEAD -
					       SEGMENT_PAGE));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	memcpy(head, page + SEGMENT_PAGE - SEGMENT_RECORD_HEAD,
	       SEGMENT_RECORD_HEAD);
	n -= (ssize_t)(SEGMENT_PAGE - SEGMENT_RECORD_HEAD);
	return n < 0 ? 0 : n;
}

/* ---- any records ---- */

uint64_t segment_cost(uint32_t len)
{
	uint64_t record = len ? SEGMENT_RECORD_HEAD + (uint64_t)len : 0;

	return SEGMENT_ENTRY + record + (is_large(len) ? 2 * SEGMENT_PAGE : 0);
}

static int plain_write(struct segment *s, uint8_t *head,
		       struct segment_entry *entry, const void *data)
{
	struct iovec iov[2] = {
		{ head, SEGMENT_RECORD_HEAD },
		{ (void *)(uintptr_t)data, entry->len },
	};
	size_t len = SEGMENT_RECORD_HEAD + entry->len;
	ssize_t n = pwritev(s->fd, iov, 2, (off_t)s->end);

	/* A file takes all, or has no room: the rest would not fit either. */
	if (n < 0 || (size_t)n < len)
		return n < 0 ? -errno : -ENOSPC;
	entry->value = s->end;
	s->end += len;
	return 0;
}

static int record_write(struct segment *s, struct segment_entry *entry,
			const void *data, struct err *err)
{
	uint8_t head[SEGMENT_RECORD_HEAD];
	int fd = direct_fd(s, data, entry->len);
	int r = -EINVAL;

	head_encode(head, entry, data);
	if (fd >= 0)
		r = direct_write(s, fd, head, entry, data);
	if (r == -EINVAL)
		r = plain_write(s, head, entry, data);
	return r < 0 ? err_errno(err, -r, "write segment %s", s->name) : 0;
}

int segment_append(struct segment *s, struct segment_entry *entry,
		   const void *data, struct err *err)
{
	uint8_t line[SEGMENT_ENTRY];
	int r = buf_reserve(&s->summary, sizeof(line), err);

	if (r == 0 && entry->len)
		r = record_write(s, entry, data, err);
	if (r < 0)
		return r;
	entry_encode(line, entry);
	s->n_entries++;
	return buf_add(&s->summary, line, sizeof(line), err);
}

static int footer_add(struct segment *s, struct err *err)
{
	uint8_t footer[SEGMENT_FOOTER] = {0};
	int r;

	memcpy(footer, MAGIC_FOOTER, MAGIC_LEN);
	put_le64(footer + 8, s->sequence);
	put_le32(footer + 16, s->n_entries);
	put_le64(footer + 24, s->end);
	r = buf_add(&s->summary, footer, SEGMENT_FOOTER - 8, err);
	if (r < 0)
		return r;
	put_le64(footer + SEGMENT_FOOTER - 8,
		 digest_xxh3(s->summary.data, s->summary.len));
	return buf_add(&s->summary, footer + SEGMENT_FOOTER - 8, 8, err);
}

static int rename_sealed(struct segment *s, int dir_fd)
{
	char name[SEGMENT_NAME];

	sealed_name(s, name);
	if (renameat(dir_fd, s->name, dir_fd, name) < 0)
		return errno == ENOENT ? 0 : -errno;
	memcpy(s->name, name, sizeof(name));
	return 0;
}

int segment_seal(struct segment *s, int dir_fd, struct err *err)
{
	int r = footer_add(s, err);

	if (r < 0)
		return r;
	/* What a failed append left; nothing may be behind the footer. */
	r = ftruncate(s->fd, (off_t)s->end) < 0 ? -errno : 0;
	if (r == 0)
		r = io_pwrite_full(s->fd, s->summary.data, s->summary.len,
				   s->end);
	if (r == 0)
		r = rename_sealed(s, dir_fd);
	buf_release(&s->summary);
	return r < 0 ? err_errno(err, -r, "seal segment %s", s->name) : 0;
}

/* flags: of preadv2() */
static ssize_t plain_read(const struct segment *s,
			  const struct segment_entry *entry, uint8_t *head,
			  void *dst, int flags)
{
	struct iovec iov[2] = {
		{ head, SEGMENT_RECORD_HEAD },
		{ dst, entry->len },
	};
	ssize_t n;

	do
		n = preadv2(s->fd, iov, 2, (off_t)entry->value, flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* n bytes of head and data came, or -errno. */
static int check_read(const struct segment_entry *entry, const uint8_t *head,
		      const void *dst, ssize_t n)
{
	uint8_t expected[SEGMENT_RECORD_HEAD];

	if (n < 0)
		return (int)n;
	if ((size_t)n < SEGMENT_RECORD_HEAD + entry->len)
		return -EBADMSG;
	head_encode(expected, entry, dst);
	return memcmp(head, expected, SEGMENT_RECORD_HEAD) == 0 ? 0 : -EBADMSG;
}

int segment_read(struct segment *s, const struct segment_entry *entry,
		 void *dst)
{
	uint8_t head[SEGMENT_RECORD_HEAD];
	bool is_at_page = (entry->value + SEGMENT_RECORD_HEAD) %
			  SEGMENT_PAGE == 0;
	int fd = is_at_page ? direct_fd(s, dst, entry->len) : DIRECT_NOT;
	ssize_t n = -EINVAL;

	if (fd >= 0)
		n = direct_read(fd, entry, head, dst);
	if (n == -EINVAL)
		n = plain_read(s, entry, head, dst, 0);
	return check_read(entry, head, dst, n);
}

int segment_read_now(struct segment *s, const struct segment_entry *entry,
		     void *dst)
{
	uint8_t head[SEGMENT_RECORD_HEAD];
	ssize_t n = plain_read(s, entry, head, dst, RWF_NOWAIT);

	/* Part of it, a failure, or no such flag here: it is read in earnest. */
	if (n < 0 || (size_t)n < sizeof(head) + entry->len)
		return -EAGAIN;
	return check_read(entry, head, dst, n);
}
