/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "fs/dataset/reference.h"

/* OSMO's own sentence; its users search for it. */
#define BAD_NAME "Name, Tag, and Bucket can only consist of lower and upper " \
		 "case letters, numbers, \"-\" and \"_\"."

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool reference_is_name(const char *s, size_t len)
{
	if (len == 0 || len > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(s[i]))
			return false;
	return true;
}

unsigned reference_version_number(const char *s)
{
	uint64_t n = 0;

	if (*s < '1' || *s > '9')
		return 0;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return 0;
		n = n * 10 + (unsigned)(*s - '0');
		if (n > UINT32_MAX)
			return 0;
	}
	return (unsigned)n;
}

static int part_copy(char out[NAME_MAX_BYTES + 1], const char *s, size_t len,
		     const char *what, struct err *err)
{
	if (len > NAME_MAX_BYTES)
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s of %zu characters: at most %d are possible",
			       what, len, NAME_MAX_BYTES);
	if (!reference_is_name(s, len))
		return err_set(err, ERR_USAGE, EINVAL, "%s", BAD_NAME);
	memcpy(out, s, len);
	out[len] = '\0';
	return 0;
}

int reference_parse(struct reference *out, const char *text, struct err *err)
{
	const char *slash = strchr(text, '/');
	const char *name = slash ? slash + 1 : text;
	size_t name_len = strcspn(name, ":@");
	const char *version = name + name_len;
	int r;

	memset(out, 0, sizeof(*out));
	if (slash) {
		r = part_copy(out->bucket, text, (size_t)(slash - text),
			      "a bucket's name", err);
		if (r < 0)
			return r;
	}
	r = part_copy(out->name, name, name_len, "a dataset's name", err);
	if (r < 0)
		return r;
	/* An empty tag is the same as none. */
	if (version[0] == '\0' || version[1] == '\0')
		return 0;
	version++;
	return part_copy(out->version, version, strlen(version), "a tag", err);
}
