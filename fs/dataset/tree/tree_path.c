/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree/tree_path.h"

#include <string.h>

#include "backends/base/encode.h"
#include "fs/dataset/tree.h"

#define PRINT_MAX 300

_Static_assert(TREE_KEY_MAX == TREE_PATH_MAX + 1, "a path and one NUL");

static const char *check_component(const char *p, size_t len)
{
	if (len == 0)
		return "empty component";
	if (len > TREE_NAME_MAX)
		return "name over 255 bytes";
	if (p[0] == '.' && (len == 1 || (len == 2 && p[1] == '.')))
		return len == 1 ? "a component ." : "a component ..";
	return NULL;
}

static const char *check_path(const char *path, size_t len)
{
	if (len == 0)
		return "empty";
	if (len > TREE_PATH_MAX)
		return "over 4096 bytes";
	if (path[0] == '/')
		return "absolute";
	if (path[len - 1] == '/')
		return "ends in a slash";
	if (memchr(path, '\0', len))
		return "holds a NUL byte";
	return NULL;
}

const char *tree_path_key(uint8_t key[TREE_KEY_MAX], size_t *key_len,
			  size_t *name_at, const char *path, size_t len)
{
	const char *why = check_path(path, len);
	const char *p = path, *end = path + len;
	unsigned depth = 1;

	if (why)
		return why;
	for (;;) {
		const char *slash = memchr(p, '/', (size_t)(end - p));

		why = check_component(p, (size_t)((slash ? slash : end) - p));
		if (why)
			return why;
		if (!slash)
			break;
		memcpy(key + (p - path), p, (size_t)(slash - p));
		key[slash - path] = '\0';
		if (++depth > TREE_DEPTH_MAX)
			return "over 128 components deep";
		p = slash + 1;
	}
	key[p - path] = '\0';
	*name_at = (size_t)(p - path) + 1;
	memcpy(key + *name_at, p, (size_t)(end - p));
	*key_len = len + 1;
	return NULL;
}

size_t tree_key_name(const uint8_t *key, size_t len)
{
	const uint8_t *nul = memrchr(key, '\0', len);

	return nul ? (size_t)(nul - key) + 1 : 0;
}

void tree_key_print(struct buf *out, const uint8_t *key, size_t len)
{
	size_t name = tree_key_name(key, len);
	char path[TREE_KEY_MAX];
	size_t n = 0;

	if (name == 0 || len > sizeof(path))
		return;
	for (size_t i = 0; i < name - 1; i++)
		path[n++] = key[i] ? (char)key[i] : '/';
	memcpy(path + n, key + name, len - name);
	encode_printable(out, path, n + len - name, PRINT_MAX);
}
