/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/nodes/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/base/buf.h"
#include "backends/base/digest.h"
#include "backends/base/io.h"
#include "backends/base/log.h"

#define RECORD_SIZE 64
#define SUM_AT (RECORD_SIZE - 8)
#define READ_RECORDS 1024

#define STATE_VERSION 1u
static const char state_magic[8] = { 'D', 'S', 'F', 'S', 'N', 'O', 'D', 'E' };

_Static_assert(4 + 4 + STATE_KEY_SIZE + 8 <= SUM_AT, "record layout");

struct state_file {
	int fd;
	uint64_t end;	/* atomic: where the next record goes */
};

static void header_encode(uint8_t out[RECORD_SIZE])
{
	memset(out, 0, RECORD_SIZE);
	memcpy(out, state_magic, sizeof(state_magic));
	put_le32(out + 8, STATE_VERSION);
	put_le32(out + 12, RECORD_SIZE);
	put_le64(out + SUM_AT, digest_xxh3(out, SUM_AT));
}

static void record_encode(uint8_t out[RECORD_SIZE],
			  const struct state_record *rec)
{
	memset(out, 0, RECORD_SIZE);
	put_le32(out, rec->kind);
	put_le32(out + 4, rec->number);
	memcpy(out + 8, rec->key, STATE_KEY_SIZE);
	put_le64(out + 8 + STATE_KEY_SIZE, rec->value);
	put_le64(out + SUM_AT, digest_xxh3(out, SUM_AT));
}

static bool record_decode(struct state_record *rec, const uint8_t *in)
{
	uint32_t kind = get_le32(in);

	if (get_le64(in + SUM_AT) != digest_xxh3(in, SUM_AT))
		return false;
	if (kind < STATE_SLOT || kind > STATE_NAME)
		return false;
	rec->kind = (enum state_kind)kind;
	rec->number = get_le32(in + 4);
	memcpy(rec->key, in + 8, STATE_KEY_SIZE);
	rec->value = get_le64(in + 8 + STATE_KEY_SIZE);
	return true;
}

/* Bytes of the good beginning: 0 when even the header is not ours. */
static ssize_t state_load(int fd, state_record_fn each, void *arg)
{
	uint8_t header[RECORD_SIZE], want[RECORD_SIZE];
	cleanup_free uint8_t *block = malloc(READ_RECORDS * RECORD_SIZE);
	uint64_t at = RECORD_SIZE;
	ssize_t n;

	if (!block)
		return -ENOMEM;
	header_encode(want);
	n = io_pread_full(fd, header, sizeof(header), 0);
	if (n < 0)
		return n;
	if (n < RECORD_SIZE || memcmp(header, want, RECORD_SIZE) != 0)
		return 0;

	for (;;) {
		n = io_pread_full(fd, block, READ_RECORDS * RECORD_SIZE, at);
		if (n < 0)
			return n;
		for (ssize_t i = 0; i + RECORD_SIZE <= n; i += RECORD_SIZE) {
			struct state_record rec;

			if (!record_decode(&rec, block + i))
				return (ssize_t)at;
			each(arg, &rec);
			at += RECORD_SIZE;
		}
		if (n < READ_RECORDS * RECORD_SIZE)
			return (ssize_t)at;
	}
}

static int state_reset(int fd)
{
	uint8_t header[RECORD_SIZE];

	if (ftruncate(fd, 0) < 0)
		return -errno;
	header_encode(header);
	return io_pwrite_full(fd, header, sizeof(header), 0);
}

/* Who has the lock, as the kernel tells; 0: not to be seen from here. */
static int lock_holder(int fd)
{
	cleanup_file FILE *f = fopen("/proc/locks", "re");
	unsigned major_no, minor_no;
	unsigned long inode;
	char line[256];
	struct stat st;
	int pid;

	if (!f || fstat(fd, &st) < 0)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid,
			   &major_no, &minor_no, &inode) == 4 &&
		    inode == st.st_ino && major_no == major(st.st_dev) &&
		    minor_no == minor(st.st_dev))
			return pid;
	return 0;
}

static int lock_error(int fd, const char *path, struct err *err)
{
	int pid = lock_holder(fd);

	if (pid > 0)
		return err_set(err, ERR_CONFLICT, EBUSY,
			       "%s is held by process %d", path, pid);
	return err_set(err, ERR_CONFLICT, EBUSY,
		       "%s is held by another daemon", path);
}

static int state_prepare(struct state_file *sf, const char *path,
			 state_record_fn each, void *arg, struct err *err)
{
	struct stat st;
	ssize_t good;
	int r;

	if (flock(sf->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_errno(err, errno, "lock %s", path);
		return lock_error(sf->fd, path, err);
	}
	if (fstat(sf->fd, &st) < 0)
		return err_errno(err, errno, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_SYSTEM, EINVAL,
			       "%s is not a regular file", path);

	good = 0;
	if (st.st_size <= (off_t)STATE_RECORDS_MAX * RECORD_SIZE)
		good = state_load(sf->fd, each, arg);
	if (good < 0)
		return err_errno(err, (int)-good, "read %s", path);
	if (good == 0) {
		if (st.st_size > 0)
			log_warn("mount", "inode numbers start afresh: file=%s",
				 path);
		r = state_reset(sf->fd);
		if (r < 0)
			return err_errno(err, -r, "write %s", path);
		good = RECORD_SIZE;
	} else if (good < st.st_size) {
		log_warn("mount", "damaged end of the inode state is cut: file=%s offset=%zd size=%lld",
			 path, good, (long long)st.st_size);
		if (ftruncate(sf->fd, good) < 0)
			return err_errno(err, errno, "truncate %s", path);
	}
	sf->end = (uint64_t)good;
	return 0;
}

int state_file_open(struct state_file **out, const char *path,
		    state_record_fn each, void *arg, struct err *err)
{
	struct state_file *sf = calloc(1, sizeof(*sf));
	int r;

	if (!sf)
		return err_nomem(err);
	sf->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
			    O_NONBLOCK, 0600);
	if (sf->fd < 0)
		r = err_errno(err, errno, "open %s", path);
	else
		r = state_prepare(sf, path, each, arg, err);
	if (r < 0) {
		state_file_free(sf);
		return r;
	}
	*out = sf;
	return 0;
}

void state_file_free(struct state_file *sf)
{
	if (!sf)
		return;
	if (sf->fd >= 0)
		close(sf->fd);
	free(sf);
}

int state_file_append(struct state_file *sf, const struct state_record *record,
		      struct err *err)
{
	uint8_t bytes[RECORD_SIZE];
	uint64_t at;
	int r;

	record_encode(bytes, record);
	at = __atomic_fetch_add(&sf->end, RECORD_SIZE, __ATOMIC_RELAXED);
	r = io_pwrite_full(sf->fd, bytes, sizeof(bytes), at);
	return r < 0 ? err_errno(err, -r, "write the inode state") : 0;
}
