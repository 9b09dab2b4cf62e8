/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/import/import_prefixes.h"

#include <stdlib.h>
#include <string.h>

static void container_release(struct import_container *c)
{
	for (size_t i = 0; i < c->n_prefixes; i++)
		free(c->prefixes[i]);
	free(c->base);
}

void import_prefixes_release(struct import_prefixes *p)
{
	for (size_t i = 0; i < p->n_containers; i++)
		container_release(&p->containers[i]);
	free(p->containers);
	memset(p, 0, sizeof(*p));
}

size_t import_prefixes_source(const char *path, size_t path_len,
			      size_t base_len, const char *relative,
			      size_t relative_len)
{
	const char *slash;
	size_t same = 0, len = 0;

	while (same < path_len && same < relative_len &&
	       path[path_len - 1 - same] == relative[relative_len - 1 - same])
		same++;
	/* All of the relative path: the folder is as near as we can tell. */
	if (same < relative_len && same < path_len) {
		slash = memchr(path + path_len - same - 1, '/', same + 1);
		len = slash ? (size_t)(slash - path) : 0;
	}
	slash = memrchr(path, '/', path_len);
	if (len == 0 && slash)
		len = (size_t)(slash - path);
	return len > base_len ? len : base_len;
}

/* How much of a and b is the same, in whole components; at least min. */
static size_t common(const char *a, size_t a_len, const char *b, size_t b_len,
		     size_t min)
{
	size_t end = min;

	for (size_t i = min; i <= a_len && i <= b_len; i++) {
		bool a_ends = i == a_len || a[i] == '/';
		bool b_ends = i == b_len || b[i] == '/';

		if (a_ends && b_ends)
			end = i;
		if (i == a_len || i == b_len || a[i] != b[i])
			break;
	}
	return end;
}

/* "s3://b/2024" of "s3://b/2024/train"; base itself where nothing follows. */
static size_t first_component(const char *dir, size_t len, size_t base_len)
{
	const char *slash;

	if (len <= base_len + 1)
		return base_len;
	slash = memchr(dir + base_len + 1, '/', len - base_len - 1);
	return slash ? (size_t)(slash - dir) : len;
}

static struct import_container *container_find(struct import_prefixes *p,
					       const char *dir, size_t base_len,
					       struct err *err)
{
	struct import_container *at;
	char *base;
	size_t i;
	int order = 1;

	for (i = 0; i < p->n_containers; i++) {
		order = strncmp(p->containers[i].base, dir, base_len);
		if (order == 0 && p->containers[i].base[base_len])
			order = 1;
		if (order >= 0)
			break;
	}
	if (i < p->n_containers && order == 0)
		return &p->containers[i];
	if (p->n_containers == IMPORT_CONTAINERS_MAX) {
		p->n_dropped++;
		return NULL;
	}
	base = strndup(dir, base_len);
	at = reallocarray(p->containers, p->n_containers + 1, sizeof(*at));
	if (at)
		p->containers = at;
	if (!base || !at) {
		free(base);
		err_nomem(err);
		return NULL;
	}
	memmove(&at[i + 1], &at[i], (p->n_containers - i) * sizeof(*at));
	memset(&at[i], 0, sizeof(*at));
	at[i].base = base;
	p->n_containers++;
	return &at[i];
}

static void prefix_cut(char *prefix, const char *dir, size_t len, size_t min)
{
	prefix[common(prefix, strlen(prefix), dir, len, min)] = '\0';
}

static void container_merge(struct import_container *c, const char *dir,
			    size_t len, size_t base_len)
{
	for (size_t i = 1; i < c->n_prefixes; i++) {
		prefix_cut(c->prefixes[0], c->prefixes[i],
			   strlen(c->prefixes[i]), base_len);
		free(c->prefixes[i]);
	}
	c->n_prefixes = 1;
	c->is_merged = true;
	prefix_cut(c->prefixes[0], dir, len, base_len);
}

int import_prefixes_add(struct import_prefixes *p, const char *dir, size_t len,
			size_t base_len, struct err *err)
{
	size_t first = first_component(dir, len, base_len);
	struct import_container *c;
	char *copy;
	size_t i;

	c = container_find(p, dir, base_len, err);
	if (!c)
		return err->class == ERR_NONE ? 0 : -err->code;
	if (c->is_merged) {
		prefix_cut(c->prefixes[0], dir, len, base_len);
		return 0;
	}
	for (i = 0; i < c->n_prefixes; i++) {
		const char *prefix = c->prefixes[i];

		if (first_component(prefix, strlen(prefix), base_len) == first &&
		    strncmp(prefix, dir, first) == 0) {
			prefix_cut(c->prefixes[i], dir, len, first);
			return 0;
		}
	}
	/* Beside a line for the whole container others say nothing. */
	if (c->n_prefixes > 0 &&
	    (first == base_len || c->n_prefixes == IMPORT_PREFIXES_EACH)) {
		container_merge(c, dir, len, base_len);
		return 0;
	}
	copy = strndup(dir, len);
	if (!copy)
		return err_nomem(err);
	while (i > 0 && strcmp(c->prefixes[i - 1], copy) > 0) {
		c->prefixes[i] = c->prefixes[i - 1];
		i--;
	}
	c->prefixes[i] = copy;
	c->n_prefixes++;
	c->is_merged = first == base_len;
	return 0;
}
