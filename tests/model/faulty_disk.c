/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/model/faulty_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>
#include "backends/base/lock.h"
#include "tests/model/random.h"

#define PAGE 4096
#define LOST_PAGES 8	/* of a file, at most */

static struct {
	struct lock lock;
	int dir_fd, grave_fd;	/* where unlinked files wait for a power cut */
	uint64_t random;
	unsigned write_fails, read_fails, delay_us;
	unsigned die_in;	/* 0: it does not */
	bool is_dead;
	uint64_t failures, left_over;
	uint64_t capacity;
	atomic_llong passed_ms;
} disk;

/* What becomes of a call. */
enum fate { FATE_DONE, FATE_FAILS, FATE_PART };

static void wait_a_little(void)
{
	unsigned us;

	lock_take(&disk.lock);
	us = disk.delay_us ? (unsigned)random_below(&disk.random,
						    disk.delay_us) : 0;
	lock_drop(&disk.lock);
	if (us)
		usleep(us);
}

static enum fate fate_of_write(void)
{
	enum fate fate = FATE_DONE;

	wait_a_little();
	lock_take(&disk.lock);
	if (disk.is_dead) {
		fate = FATE_FAILS;
	} else if (disk.die_in && --disk.die_in == 0) {
		disk.is_dead = true;
		fate = FATE_PART;
	} else if (disk.write_fails && random_one_in(&disk.random,
						     disk.write_fails)) {
		disk.failures++;
		fate = random_one_in(&disk.random, 2) ? FATE_FAILS : FATE_PART;
	}
	lock_drop(&disk.lock);
	return fate;
}

static enum fate fate_of_read(void)
{
	enum fate fate = FATE_DONE;

	wait_a_little();
	lock_take(&disk.lock);
	if (disk.read_fails && random_one_in(&disk.random, disk.read_fails)) {
		disk.failures++;
		fate = random_one_in(&disk.random, 2) ? FATE_FAILS : FATE_PART;
	}
	lock_drop(&disk.lock);
	return fate;
}

static uint64_t below(uint64_t n)
{
	uint64_t r;

	lock_take(&disk.lock);
	r = random_below(&disk.random, n);
	lock_drop(&disk.lock);
	return r;
}

static int failed(void)
{
	errno = below(2) ? EIO : ENOSPC;
	return -1;
}

/*
 * The calls.
 */

int __real_openat(int dir_fd, const char *path, int flags, ...);
int __real_unlinkat(int dir_fd, const char *path, int flags);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_ftruncate(int fd, off_t size);
int __real_fstatvfs(int fd, struct statvfs *out);
ssize_t __real_pwrite(int fd, const void *src, size_t len, off_t at);
ssize_t __real_pwritev(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __real_pread(int fd, void *dst, size_t len, off_t at);
ssize_t __real_preadv(int fd, const struct iovec *iov, int n, off_t at);
int64_t __real_clock_ms(void);

int __wrap_openat(int dir_fd, const char *path, int flags, ...);
int __wrap_unlinkat(int dir_fd, const char *path, int flags);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_fstatvfs(int fd, struct statvfs *out);
ssize_t __wrap_pwrite(int fd, const void *src, size_t len, off_t at);
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __wrap_pread(int fd, void *dst, size_t len, off_t at);
ssize_t __wrap_preadv(int fd, const struct iovec *iov, int n, off_t at);
int64_t __wrap_clock_ms(void);

int __wrap_openat(int dir_fd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	/* Of the name alone there is no part. */
	if ((flags & O_CREAT) && fate_of_write() == FATE_FAILS)
		return failed();
	return __real_openat(dir_fd, path, flags, mode);
}

/* A disk that cannot even unlink is a dead one: nothing helps there. */
int __wrap_unlinkat(int dir_fd, const char *path, int flags)
{
	(void)flags;
	wait_a_little();
	lock_take(&disk.lock);
	if (!disk.is_dead && disk.die_in && --disk.die_in == 0)
		disk.is_dead = true;
	if (disk.is_dead) {
		lock_drop(&disk.lock);
		return failed();
	}
	lock_drop(&disk.lock);
	return __real_renameat(dir_fd, path, disk.grave_fd, path);
}

/* There is no part of it either: it is done, though the call failed. */
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	enum fate fate = fate_of_write();

	if (fate == FATE_FAILS)
		return failed();
	if (fate == FATE_PART)
		(void)__real_renameat(from_fd, from, to_fd, to);
	return fate == FATE_PART ? failed() :
				   __real_renameat(from_fd, from, to_fd, to);
}

int __wrap_ftruncate(int fd, off_t size)
{
	return fate_of_write() == FATE_FAILS ? failed() :
					       __real_ftruncate(fd, size);
}

ssize_t __wrap_pwrite(int fd, const void *src, size_t len, off_t at)
{
	switch (fate_of_write()) {
	case FATE_FAILS:
		return failed();
	case FATE_PART:
		len = below(len + 1);
		return len ? __real_pwrite(fd, src, len, at) : failed();
	case FATE_DONE:
		break;
	}
	return __real_pwrite(fd, src, len, at);
}

static size_t iov_len(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	enum fate fate = fate_of_write();
	size_t len, done = 0;

	if (fate == FATE_FAILS)
		return failed();
	if (fate == FATE_DONE)
		return __real_pwritev(fd, iov, n, at);
	len = below(iov_len(iov, n) + 1);
	for (int i = 0; i < n && done < len; i++) {
		size_t rest = len - done < iov[i].iov_len ? len - done :
							    iov[i].iov_len;

		/* Past the page cache (O_DIRECT) there are no odd parts. */
		if (__real_pwrite(fd, iov[i].iov_base, rest,
				  at + (off_t)done) != (ssize_t)rest)
			break;
		done += rest;
	}
	lock_take(&disk.lock);
	disk.left_over += done;
	lock_drop(&disk.lock);
	return done ? (ssize_t)done : failed();
}

ssize_t __wrap_pread(int fd, void *dst, size_t len, off_t at)
{
	switch (fate_of_read()) {
	case FATE_FAILS:
		return failed();
	case FATE_PART:
		return __real_pread(fd, dst, below(len + 1), at);
	case FATE_DONE:
		break;
	}
	return __real_pread(fd, dst, len, at);
}

ssize_t __wrap_preadv(int fd, const struct iovec *iov, int n, off_t at)
{
	switch (fate_of_read()) {
	case FATE_FAILS:
		return failed();
	case FATE_PART:
		return __real_pread(fd, iov[0].iov_base,
				    below(iov[0].iov_len + 1), at);
	case FATE_DONE:
		break;
	}
	return __real_preadv(fd, iov, n, at);
}

int __wrap_fstatvfs(int fd, struct statvfs *out)
{
	int r = __real_fstatvfs(fd, out);
	uint64_t capacity, used;

	lock_take(&disk.lock);
	capacity = disk.capacity;
	lock_drop(&disk.lock);
	if (r < 0 || !capacity)
		return r;
	used = faulty_disk_used();
	out->f_bavail = used < capacity ? (capacity - used) / out->f_frsize : 0;
	return 0;
}

int64_t __wrap_clock_ms(void)
{
	return __real_clock_ms() + atomic_load(&disk.passed_ms);
}

/*
 * What a test says.
 */

void faulty_disk_init(const char *dir, uint64_t seed)
{
	char grave[256];

	lock_init(&disk.lock);
	disk.random = seed;
	(void)snprintf(grave, sizeof(grave), "%s/.grave", dir);
	disk.dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (disk.dir_fd < 0 || mkdir(grave, 0700) < 0)
		abort();
	disk.grave_fd = open(grave, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (disk.grave_fd < 0)
		abort();
}

void faulty_disk_fail(unsigned writes, unsigned reads)
{
	lock_take(&disk.lock);
	disk.write_fails = writes;
	disk.read_fails = reads;
	lock_drop(&disk.lock);
}

void faulty_disk_delay(unsigned us)
{
	lock_take(&disk.lock);
	disk.delay_us = us;
	lock_drop(&disk.lock);
}

uint64_t faulty_disk_failures(void)
{
	uint64_t n;

	lock_take(&disk.lock);
	n = disk.failures;
	lock_drop(&disk.lock);
	return n;
}

uint64_t faulty_disk_left_over(void)
{
	uint64_t n;

	lock_take(&disk.lock);
	n = disk.left_over;
	lock_drop(&disk.lock);
	return n;
}

void faulty_disk_die_in(unsigned writes)
{
	lock_take(&disk.lock);
	disk.die_in = writes;
	lock_drop(&disk.lock);
}

bool faulty_disk_is_dead(void)
{
	bool is_dead;

	lock_take(&disk.lock);
	is_dead = disk.is_dead;
	lock_drop(&disk.lock);
	return is_dead;
}

void faulty_disk_set_capacity(uint64_t bytes)
{
	lock_take(&disk.lock);
	disk.capacity = bytes;
	lock_drop(&disk.lock);
}

void faulty_disk_pass_ms(int64_t ms)
{
	atomic_fetch_add(&disk.passed_ms, ms);
}

/* Calls each for the files of a folder; the sum of what it says. */
static uint64_t each_file(int dir_fd,
			  uint64_t (*each)(int dir_fd, const char *name))
{
	int fd = __real_openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t sum = 0;

	if (!dir)
		abort();
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			sum += each(dir_fd, entry->d_name);
	closedir(dir);
	return sum;
}

static uint64_t file_size(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

uint64_t faulty_disk_used(void)
{
	return each_file(disk.dir_fd, file_size);
}

static uint64_t file_bury(int dir_fd, const char *name)
{
	return __real_unlinkat(dir_fd, name, 0) == 0;
}

void faulty_disk_revive(void)
{
	(void)each_file(disk.grave_fd, file_bury);
	lock_take(&disk.lock);
	disk.is_dead = false;
	disk.die_in = 0;
	disk.write_fails = disk.read_fails = 0;
	disk.delay_us = 0;
	disk.left_over = 0;
	lock_drop(&disk.lock);
}

/* One in three is there again; but not what has its name now. */
static uint64_t file_rise(int dir_fd, const char *name)
{
	return below(3) == 0 &&
	       linkat(dir_fd, name, disk.dir_fd, name, 0) == 0;
}

/* From somewhere in a page to its end, as when that write was the last. */
static void zero_page(int fd, uint64_t size)
{
	static const char zeros[PAGE];
	uint64_t page = below(size / PAGE + 1) * PAGE;
	uint64_t at = page + (below(2) ? 0 : below(PAGE));

	if (at < size && __real_pwrite(fd, zeros, page + PAGE - at,
				       (off_t)at) < 0)
		abort();
}

static uint64_t file_lose(int dir_fd, const char *name)
{
	uint64_t size = file_size(dir_fd, name), pages = below(LOST_PAGES);
	int fd;

	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		return 0;
	case 3:
		return (uint64_t)__real_unlinkat(dir_fd, name, 0);
	}
	fd = __real_openat(dir_fd, name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		abort();
	for (uint64_t i = 0; i < pages; i++)
		zero_page(fd, size);
	/* zero_page() may have made it a little longer, too. */
	if (below(2) && __real_ftruncate(fd, (off_t)below(size + 1)) < 0)
		abort();
	close(fd);
	return 0;
}

void faulty_disk_lose_pages(void)
{
	(void)each_file(disk.dir_fd, file_lose);
	(void)each_file(disk.grave_fd, file_rise);
}
