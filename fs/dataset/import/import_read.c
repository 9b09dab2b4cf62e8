/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/base/buf.h"
#include "backends/base/io.h"
#include "fs/dataset/import/import_read.h"
#include "fs/dataset/import/import_sql.h"
#include "fs/dataset/import/osmo_json.h"

#define BLOCK ((size_t)256 << 10)
#define SNIFF 512	/* bytes that tell what a file is */

enum content { CONTENT_JSON, CONTENT_SQL };

struct magic {
	const char *bytes;
	size_t len;
	const char *what;
	const char *remedy;	/* with the file's name at %s */
};

static const struct magic magics[] = {
	{ "PGDMP", 5, "a dump in PostgreSQL's custom format",
	  "pg_restore -f - %s" },
	{ "toc.dat", 7, "a dump in PostgreSQL's tar format",
	  "pg_restore -f - %s" },
	{ "\x1f\x8b", 2, "compressed by gzip", "gzip -dc %s" },
	{ "BZh", 3, "compressed by bzip2", "bzip2 -dc %s" },
	{ "\xfd" "7zXZ", 5, "compressed by xz", "xz -dc %s" },
	{ "\x28\xb5\x2f\xfd", 4, "compressed by zstd", "zstd -dc %s" },
	{ "PK\x03\x04", 4, "a zip archive", "unzip -p %s" },
	{ "\xff\xfe", 2, "UTF-16 text", "iconv -f UTF-16 -t UTF-8 %s" },
	{ "\xfe\xff", 2, "UTF-16 text", "iconv -f UTF-16 -t UTF-8 %s" },
};

static int refuse_magic(const char *where, const char *head, size_t len,
			struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		const struct magic *m = &magics[i];
		cleanup_buf struct buf remedy = BUF_INIT;
		const char *gap = strstr(m->remedy, "%s");

		if (len < m->len || memcmp(head, m->bytes, m->len) != 0)
			continue;
		buf_bytes(&remedy, m->remedy, (size_t)(gap - m->remedy));
		buf_str(&remedy, where);
		if (buf_failed(&remedy))
			return err_nomem(err);
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s: %s. First: %s > dump.txt, then import that",
			       where, m->what, remedy.data);
	}
	return 0;
}

/* A line that begins with a brace or a bracket, before any of SQL. */
static enum content content_of(const char *head, size_t len)
{
	bool is_line_start = true;

	for (size_t i = 0; i < len; i++) {
		if (head[i] == '\n')
			is_line_start = true;
		else if (is_line_start && (head[i] == '{' || head[i] == '['))
			return CONTENT_JSON;
		else if (is_line_start && head[i] == '-' && i + 1 < len &&
			 head[i + 1] == '-')
			return CONTENT_SQL;
		else if (head[i] != ' ' && head[i] != '\t' && head[i] != '\r')
			is_line_start = false;
	}
	return CONTENT_SQL;
}

/* The next block; *len 0 at the end. */
static int next_block(int fd, const char *where, char *block, size_t *len,
		      struct err *err)
{
	*len = 0;
	while (*len < BLOCK) {
		ssize_t n = read(fd, block + *len, BLOCK - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "%s", where);
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	return 0;
}

static int read_json(struct import_source *src, const char *where, int fd,
		     char *block, size_t len, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT_LIMIT(OSMO_JSON_MAX);
	int r = 0;

	while (len > 0 && r == 0) {
		r = buf_add(&text, block, len, err);
		if (r == 0)
			r = next_block(fd, where, block, &len, err);
	}
	if (r < 0)
		return err_wrap(err, "%s", where);
	return osmo_json_read(src, where, text.data ? text.data : "", text.len,
			      err);
}

static int read_sql(struct import_source *src, const char *where, int fd,
		    char *block, size_t len, struct err *err)
{
	struct import_sql *sql;
	int r;

	r = import_sql_new(&sql, src, where, err);
	while (r == 0 && len > 0) {
		r = import_sql_feed(sql, block, len, err);
		if (r == 0)
			r = next_block(fd, where, block, &len, err);
	}
	if (r == 0)
		r = import_sql_finish(sql, err);
	import_sql_free(sql);
	return r;
}

static int read_fd(struct import_source *src, const char *where, int fd,
		   struct err *err)
{
	cleanup_free char *block = malloc(BLOCK);
	size_t len, sniff;
	int r;

	if (!block)
		return err_nomem(err);
	r = next_block(fd, where, block, &len, err);
	if (r < 0)
		return r;
	if (len == 0)
		return err_set(err, ERR_MISSING, ENOENT, "%s: it is empty",
			       where);
	r = refuse_magic(where, block, len, err);
	if (r < 0)
		return r;
	sniff = len < SNIFF ? len : SNIFF;
	if (content_of(block, sniff) == CONTENT_JSON)
		return read_json(src, where, fd, block, len, err);
	return read_sql(src, where, fd, block, len, err);
}

/* --- folders ---------------------------------------------------------- */

static bool is_wanted(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot != name &&
	       (strcmp(dot, ".json") == 0 || strcmp(dot, ".sql") == 0);
}

static int folder_filter(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int read_folder(struct import_source *src, const char *path,
		       unsigned depth, size_t *n_files, struct err *err);

/* A file that was named must be OSMO's; one that lies there need not be. */
static int read_folder_file(struct import_source *src, const char *path,
			    int fd, size_t *n_files, struct err *err)
{
	int r = read_fd(src, path, fd, err);

	if (r == 0)
		++*n_files;
	if (r == 0 || err->class != ERR_MISSING)
		return r;
	import_source_note(src, "skipped: %s", err->text);
	err_clear(err);
	return 0;
}

static int read_entry(struct import_source *src, const char *path,
		      unsigned depth, size_t *n_files, struct err *err)
{
	cleanup_fd int fd = -1;
	struct stat st;

	if (stat(path, &st) < 0)
		return err_errno(err, errno, "%s", path);
	if (S_ISDIR(st.st_mode) && depth < IMPORT_FOLDER_DEPTH)
		return read_folder(src, path, depth + 1, n_files, err);
	if (!S_ISREG(st.st_mode) || !is_wanted(path))
		return 0;
	if (*n_files >= IMPORT_FILES_MAX)
		return err_set(err, ERR_USAGE, EFBIG, "%s: more than %d files",
			       path, IMPORT_FILES_MAX);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	return read_folder_file(src, path, fd, n_files, err);
}

/* In the order of names, so that the same folder is the same source. */
static int read_folder(struct import_source *src, const char *path,
		       unsigned depth, size_t *n_files, struct err *err)
{
	struct dirent **entries;
	int n = scandir(path, &entries, folder_filter, alphasort);
	int r = 0;

	if (n < 0)
		return err_errno(err, errno, "%s", path);
	for (int i = 0; i < n; i++) {
		cleanup_buf struct buf child = BUF_INIT;

		buf_printf(&child, "%s/%s", path, entries[i]->d_name);
		if (r == 0)
			r = buf_failed(&child) ? err_nomem(err) :
			    read_entry(src, child.data, depth, n_files, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int refuse_dump_folder(const char *path, int fd, struct err *err)
{
	if (faccessat(fd, "toc.dat", F_OK, 0) < 0)
		return 0;
	return err_set(err, ERR_USAGE, EINVAL,
		       "%s: a dump in PostgreSQL's directory format. First: "
		       "pg_restore -f - %s > dump.txt, then import that", path,
		       path);
}

/* --- a source --------------------------------------------------------- */

int import_read(struct import_source *src, const char *source, struct err *err)
{
	cleanup_fd int fd = -1;
	struct stat st;
	size_t n_files = 0;
	int r;

	if (strcmp(source, "-") == 0)
		return read_fd(src, "standard input", STDIN_FILENO, err);
	fd = open(source, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno == ENOENT ? ERR_MISSING : ERR_SYSTEM,
			       errno, "%s: %s", source, strerror(errno));
	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "%s", source);
	if (!S_ISDIR(st.st_mode))
		return read_fd(src, source, fd, err);
	r = refuse_dump_folder(source, fd, err);
	if (r == 0)
		r = read_folder(src, source, 0, &n_files, err);
	if (r == 0 && n_files == 0)
		return err_set(err, ERR_MISSING, ENOENT,
			       "%s: no .json or .sql file of OSMO's in this folder",
			       source);
	return r;
}
