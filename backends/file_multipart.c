/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/file_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "backends/base/digest.h"
#include "backends/base/encode.h"
#include "backends/base/io.h"

/*
 * An upload is a hidden directory below the root, its id is that name, and its
 * parts are files named by their number.  A part's etag is the MD5 of its
 * content, checked while the parts are joined.
 */
#define UPLOAD_KIND "upload"
#define PART_NAME_SIZE 16
#define JOIN_BYTES ((size_t)256 << 10)

static int no_such_upload(struct backend_op *op)
{
	return err_set(&op->err, ERR_MISSING, ENOENT, "no such upload");
}

static int open_upload(struct backend_op *op)
{
	const char *id = op->upload_id;
	int fd;

	if (strncmp(id, FILE_HIDDEN UPLOAD_KIND,
		    strlen(FILE_HIDDEN UPLOAD_KIND)) != 0 ||
	    strchr(id, '/') || strlen(id) >= FILE_TEMP_SIZE)
		return no_such_upload(op);
	fd = file_open_dir(file_backend(op)->root_fd, id);
	if (fd == -ENOENT)
		return no_such_upload(op);
	return fd < 0 ? file_error(&op->err, -fd, "open the upload") : fd;
}

int file_multipart_create(struct backend_op *op)
{
	char name[FILE_TEMP_SIZE];
	int r = file_check_key(op->key, &op->err);

	if (r == 0)
		r = file_temp_name(name, UPLOAD_KIND, &op->err);
	if (r < 0)
		return r;
	if (mkdirat(file_backend(op)->root_fd, name, 0777) < 0)
		return file_error(&op->err, errno, "make the upload");
	(void)snprintf(op->upload_id_out, BACKEND_UPLOAD_ID_MAX, "%s", name);
	return 0;
}

static void part_name(char name[PART_NAME_SIZE], unsigned number)
{
	(void)snprintf(name, PART_NAME_SIZE, "%u", number);
}

static void part_etag(char etag[BACKEND_ETAG_MAX], const uint8_t md5[MD5_SIZE])
{
	encode_hex(etag, md5, MD5_SIZE);
}

int file_multipart_put(struct backend_op *op)
{
	char name[PART_NAME_SIZE];
	uint8_t md5[MD5_SIZE];
	cleanup_fd int dir_fd = -1;
	cleanup_fd int fd = -1;
	int r;

	dir_fd = open_upload(op);
	if (dir_fd < 0)
		return dir_fd;
	part_name(name, op->part_number);
	fd = openat(dir_fd, name,
		    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0666);
	if (fd < 0)
		return file_error(&op->err, errno, "make the part");
	r = io_write_full(fd, op->data, op->len);
	if (r < 0)
		return file_error(&op->err, -r, "write the part");
	digest_md5(md5, op->data, op->len);
	part_etag(op->info.etag, md5);
	op->info.size = op->len;
	return 0;
}

static int copy_part(struct backend_op *op, int to, int from,
		     const struct part_etag *part, void *bounce)
{
	struct digest *digest = digest_new(DIGEST_MD5);
	char etag[BACKEND_ETAG_MAX];
	uint8_t md5[MD5_SIZE];
	uint64_t at = 0;
	ssize_t n;
	int r = 0;

	while (r == 0 &&
	       (n = io_pread_full(from, bounce, JOIN_BYTES, at)) != 0) {
		if (n < 0) {
			r = file_error(&op->err, (int)-n, "read a part");
			break;
		}
		digest_add(digest, bounce, (size_t)n);
		at += (uint64_t)n;
		r = io_write_full(to, bounce, (size_t)n);
		if (r < 0)
			r = file_error(&op->err, -r, "write");
	}
	digest_finish(digest, md5);
	digest_free(digest);
	part_etag(etag, md5);
	if (r == 0 && strcmp(etag, part->etag) != 0)
		r = err_set(&op->err, ERR_CORRUPT, EBADMSG,
			    "part %u is not what was sent", part->number);
	return r;
}

static int feed_parts(struct backend_op *op, int fd)
{
	cleanup_free void *bounce = malloc(JOIN_BYTES);
	cleanup_fd int dir_fd = -1;
	int r = 0;

	if (!bounce)
		return err_nomem(&op->err);
	dir_fd = open_upload(op);
	if (dir_fd < 0)
		return dir_fd;
	for (size_t i = 0; r == 0 && i < op->n_parts; i++) {
		char name[PART_NAME_SIZE];
		cleanup_fd int part_fd = -1;

		part_name(name, op->parts[i].number);
		part_fd = io_open_beneath(dir_fd, name, O_RDONLY | O_CLOEXEC,
					  0);
		if (part_fd < 0)
			return err_set(&op->err, ERR_MISSING, ENOENT,
				       "there is no part %u",
				       op->parts[i].number);
		r = copy_part(op, fd, part_fd, &op->parts[i], bounce);
	}
	return r;
}

static int remove_upload(struct backend_op *op)
{
	cleanup_fd int dir_fd = open_upload(op);
	struct dirent *entry;
	DIR *dir;

	if (dir_fd < 0)
		return dir_fd;
	dir = fdopendir(dir_fd);
	if (!dir)
		return file_error(&op->err, errno, "open the upload");
	(void)steal_fd(&dir_fd);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	(void)closedir(dir);
	if (unlinkat(file_backend(op)->root_fd, op->upload_id, AT_REMOVEDIR) <
	    0)
		return file_error(&op->err, errno, "remove the upload");
	return 0;
}

int file_multipart_complete(struct backend_op *op)
{
	int r = file_write(op, feed_parts);

	/* The object stands; what is left of the upload is only disk space. */
	if (r == 0 && remove_upload(op) < 0)
		err_clear(&op->err);
	return r;
}

/* An upload that is gone is what an abort is for. */
int file_multipart_abort(struct backend_op *op)
{
	int r = remove_upload(op);

	if (r == -ENOENT) {
		err_clear(&op->err);
		return 0;
	}
	return r;
}
