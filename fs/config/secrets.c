/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/secrets.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/base/encode.h"
#include "backends/base/io.h"

/* A reference that was found, while it is being resolved. */
struct reference {
	struct settings_context *context;
	const struct field_path *path;
	struct yaml_position at;
	char *what;	/* "secret NAME" or "secret file PATH": for origins */
	char *file;	/* path of the file or the directory */
	bool want_text;	/* it stands for one text, not for a mapping */
};

static void reference_release(struct reference *ref)
{
	free(ref->what);
	free(ref->file);
}
#define cleanup_reference __attribute__((cleanup(reference_release)))

static void wiped_buf_release(struct buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->cap);
	buf_release(buf);
}
#define cleanup_wiped_buf __attribute__((cleanup(wiped_buf_release)))

#define problem(ref, ...)                                                      \
	settings_context_problem((ref)->context, SETTINGS_PROBLEM, (ref)->at,  \
				 (ref)->path, __VA_ARGS__)

PRINTF_LIKE(2, 3)
static char *print(struct settings_context *context, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n >= 0)
		return text;
	context->no_memory = true;
	return NULL;
}

/* Where it comes from, for all of a tree, and where that was asked for. */
static bool set_origin(struct yaml_node *node, const char *origin,
		       struct yaml_position at)
{
	free(node->origin);
	node->origin = strdup(origin);
	if (!node->origin)
		return false;
	node->at = at;
	for (size_t i = 0; i < node->n_items; i++) {
		node->items[i].at = at;
		if (!set_origin(node->items[i].value, origin, at))
			return false;
	}
	return true;
}

static char *origin_of(const struct reference *ref, const char *file)
{
	if (strncmp(ref->what, "secret file ", 12) == 0)
		return settings_context_strdup(ref->context, ref->what);
	return print(ref->context, "%s (%s)", ref->what, file);
}

/* Trailing line breaks only: echo and editors leave them. */
static size_t text_length(const struct buf *content)
{
	size_t len = content->len;

	while (len > 0 && (content->data[len - 1] == '\n' ||
			   content->data[len - 1] == '\r'))
		len--;
	return len;
}

static bool is_utf8(const char *s, size_t len)
{
	for (size_t n; len > 0; s += n, len -= n) {
		n = encode_utf8_len(s, len);
		if (n == 0)
			return false;
	}
	return true;
}

/* NULL: reported. */
static struct yaml_node *raw_text(struct reference *ref, const char *file,
				  const struct buf *content)
{
	const char *text = content->data ? content->data : "";
	struct yaml_node *node;

	if (!is_utf8(text, text_length(content))) {
		problem(ref,
			"%s holds bytes that are no UTF-8 text (they are not "
			"shown)",
			file);
		return NULL;
	}
	node = yaml_node_scalar(text, text_length(content), ref->at);
	if (!node)
		ref->context->no_memory = true;
	return node;
}

/* {value: X}: X; NULL where map is not of that form. */
static struct yaml_node *take_value(struct yaml_node *map)
{
	struct yaml_node *value;

	if (map->kind != NODE_MAPPING || map->n_items != 1 ||
	    strcmp(map->items[0].key, "value") != 0)
		return NULL;
	value = map->items[0].value;
	free(map->items[0].key);
	map->n_items = 0;
	return value;
}

/* NULL: reported.  The content is never shown. */
static struct yaml_node *single_content(struct reference *ref,
					const struct buf *content)
{
	cleanup_yaml_node struct yaml_node *root = NULL;
	struct yaml_node *value;
	struct yaml_position at;
	struct err err = ERR_INIT;
	int r;

	r = yaml_node_parse(&root, content->data ? content->data : "",
			    content->len, &at, &err);
	if (r == -ENOMEM) {
		ref->context->no_memory = true;
		return NULL;
	}
	if (r == 0 && root && (value = take_value(root)))
		return value;
	if (ref->want_text && (r < 0 || !root || root->kind == NODE_SCALAR))
		return raw_text(ref, ref->file, content);
	if (r < 0)
		problem(ref,
			"%s is neither YAML nor JSON, at line %u, column %u "
			"(its content is not shown): expected access_key_id "
			"and access_key, or value",
			ref->file, at.line, at.column);
	else if (!root || root->kind != NODE_MAPPING)
		problem(ref,
			"%s holds %s: expected a mapping with access_key_id "
			"and access_key, or with value alone",
			ref->file, yaml_node_kind_name(root));
	else if (yaml_node_get(root, "auths"))
		problem(ref,
			"%s is a docker registry credential (auths), which "
			"opens no bucket: make a Secret with access_key_id "
			"and access_key",
			ref->file);
	else if (ref->want_text)
		problem(ref,
			"%s holds a mapping: expected the text itself, or a "
			"mapping with value alone",
			ref->file);
	else
		return steal_pointer(&root);
	return NULL;
}

static bool read_secret(struct reference *ref, const char *file,
			struct buf *content)
{
	struct err err = ERR_INIT;

	content->limit = SECRET_BYTES_MAX;
	settings_context_source(ref->context, file, false);
	if (io_read_file(file, SECRET_BYTES_MAX, content, &err) == 0) {
		settings_context_was_read(ref->context, content->data,
					  content->len);
		return true;
	}
	problem(ref, "%s cannot be read: %s", ref->what, err.text);
	return false;
}

static struct yaml_node *load_single(struct reference *ref)
{
	cleanup_wiped_buf struct buf content = BUF_INIT;
	cleanup_yaml_node struct yaml_node *node = NULL;
	cleanup_free char *origin = NULL;

	if (!read_secret(ref, ref->file, &content))
		return NULL;
	node = single_content(ref, &content);
	origin = node ? origin_of(ref, ref->file) : NULL;
	if (!origin)
		return NULL;
	if (!set_origin(node, origin, ref->at)) {
		ref->context->no_memory = true;
		return NULL;
	}
	return steal_pointer(&node);
}

static bool load_field(struct reference *ref, struct yaml_node *map,
		       const char *name)
{
	cleanup_wiped_buf struct buf content = BUF_INIT;
	cleanup_yaml_node struct yaml_node *value = NULL;
	cleanup_free char *file = print(ref->context, "%s/%s", ref->file, name);
	cleanup_free char *origin = file ? origin_of(ref, file) : NULL;
	struct stat st;

	if (!origin)
		return false;
	if (stat(file, &st) == 0 && !S_ISREG(st.st_mode))
		return true;
	if (!read_secret(ref, file, &content))
		return false;
	value = raw_text(ref, file, &content);
	if (!value)
		return false;
	if (!set_origin(value, origin, ref->at) ||
	    yaml_node_put(map, name, steal_pointer(&value)) < 0) {
		ref->context->no_memory = true;
		return false;
	}
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in the directory but "..*", which Kubernetes swaps; -1: reported */
static int list_names(struct reference *ref, DIR *dir,
		      char *names[SECRET_FIELDS_MAX])
{
	int n = 0;

	for (struct dirent *e; (e = readdir(dir));) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strncmp(e->d_name, "..", 2) == 0)
			continue;
		if (n == SECRET_FIELDS_MAX) {
			problem(ref, "%s holds more than %d files: this is no "
				     "storage credential",
				ref->file, SECRET_FIELDS_MAX);
			goto fail;
		}
		names[n] = settings_context_strdup(ref->context, e->d_name);
		if (!names[n])
			goto fail;
		n++;
	}
	qsort(names, (size_t)n, sizeof(*names), compare_names);
	return n;
fail:
	while (n > 0)
		free(names[--n]);
	return -1;
}

static void directory_problem(struct reference *ref, const char *name,
			      int error)
{
	const struct yaml_node *refs = ref->context->secret_refs;
	bool listed = !refs;

	for (size_t i = 0; refs && i < refs->n_items; i++) {
		const struct yaml_node *n =
			yaml_node_get(refs->items[i].value, "secretName");

		if (n && n->kind == NODE_SCALAR && strcmp(n->text, name) == 0)
			listed = true;
	}
	problem(ref,
		"%s: its directory %s cannot be opened (%s)%s%s%s: mount the "
		"Secret there, or make the directory with one file for each "
		"field (access_key_id, access_key)",
		ref->what, ref->file, strerror(error),
		listed ? "" : ", and services.configs.secretRefs does not list "
			      "it (add \"- secretName: ",
		listed ? "" : name, listed ? "" : "\")");
}

static struct yaml_node *load_directory(struct reference *ref, const char *name)
{
	cleanup_yaml_node struct yaml_node *map = NULL;
	char *names[SECRET_FIELDS_MAX];
	DIR *dir = opendir(ref->file);
	bool ok = true;
	int n;

	if (!dir) {
		directory_problem(ref, name, errno);
		return NULL;
	}
	n = list_names(ref, dir, names);
	(void)closedir(dir);
	if (n < 0)
		return NULL;
	map = calloc(1, sizeof(*map));
	if (!map) {
		ref->context->no_memory = true;
		ok = false;
	} else {
		map->kind = NODE_MAPPING;
	}
	for (int i = 0; i < n; i++) {
		ok = ok && load_field(ref, map, names[i]);
		free(names[i]);
	}
	if (ok && map->n_items == 0) {
		problem(ref,
			"%s: %s holds no file: expected one for each field "
			"(access_key_id, access_key)",
			ref->what, ref->file);
		ok = false;
	}
	return ok ? steal_pointer(&map) : NULL;
}

/* A name that stays within its directory. */
static bool is_file_name(const char *name)
{
	return name[0] && !strchr(name, '/') && strncmp(name, "..", 2) != 0 &&
	       strcmp(name, ".") != 0 && strlen(name) <= 253;
}

static const char *name_of(struct reference *ref, const struct yaml_node *map,
			   const char *key)
{
	struct field_path here = { ref->path, key };
	const struct yaml_node *node = yaml_node_get(map, key);
	const char *name = settings_context_text(
		ref->context, node, &here,
		strcmp(key, "secretName") == 0 ?
			"the name of a Kubernetes Secret" :
			"the name of a key of the Secret");

	if (name && !is_file_name(name)) {
		settings_context_problem(
			ref->context, SETTINGS_PROBLEM, node->at, &here,
			"is not the name of one file: expected letters, "
			"digits, \"-\", \"_\" and \".\"");
		return NULL;
	}
	return name;
}

static struct yaml_node *load_by_name(struct reference *ref,
				      const struct yaml_node *map)
{
	struct settings_context *context = ref->context;
	const char *name = name_of(ref, map, "secretName");
	cleanup_free char *cred = NULL;
	const char *key;

	if (!name)
		return NULL;
	ref->what = print(context, "secret %s", name);
	if (yaml_node_get(map, "secretKey")) {
		key = name_of(ref, map, "secretKey");
		if (!key)
			return NULL;
		ref->file = print(context, "%s/%s/%s", context->secrets_dir,
				  name, key);
		return ref->what && ref->file ? load_single(ref) : NULL;
	}
	ref->file = print(context, "%s/%s", context->secrets_dir, name);
	cred = ref->file ? print(context, "%s/cred.yaml", ref->file) : NULL;
	if (!ref->what || !cred)
		return NULL;
	/* Which files are in it decides, too. */
	settings_context_source(context, ref->file, true);
	if (access(cred, F_OK) != 0)
		return load_directory(ref, name);
	free(ref->file);
	ref->file = steal_pointer(&cred);
	return load_single(ref);
}

static struct yaml_node *load_by_path(struct reference *ref,
				      const struct yaml_node *map)
{
	struct field_path here = { ref->path, "secret_file" };
	const char *file = settings_context_text(
		ref->context, yaml_node_get(map, "secret_file"), &here,
		"the path of a file with access_key_id and access_key");

	if (!file)
		return NULL;
	ref->file = settings_context_absolute(ref->context, file);
	ref->what = ref->file ?
			    print(ref->context, "secret file %s", ref->file) :
			    NULL;
	return ref->what ? load_single(ref) : NULL;
}

/* What the secret says wins over what stands beside the reference. */
static void merge(struct reference *ref, struct yaml_node **node,
		  struct yaml_node *from)
{
	if (from->kind != NODE_MAPPING) {
		yaml_node_free(*node);
		*node = from;
		return;
	}
	for (size_t i = 0; i < from->n_items; i++) {
		struct yaml_item *item = &from->items[i];

		if (item->duplicate)
			problem(ref, "%s: a key stands twice",
				item->value->origin);
		else if (yaml_node_put(*node, item->key,
				       steal_pointer(&item->value)) < 0)
			ref->context->no_memory = true;
	}
	yaml_node_free(from);
}

static bool has_reference(const struct yaml_node *node)
{
	return yaml_node_get(node, "secret_file") ||
	       yaml_node_get(node, "secretName");
}

static bool resolve_reference(struct settings_context *context,
			      struct yaml_node **node,
			      const struct field_path *path, bool want_text)
{
	cleanup_reference struct reference ref = {
		.context = context, .path = path, .at = (*node)->at,
		.want_text = want_text,
	};
	struct yaml_node *from;

	from = yaml_node_get(*node, "secret_file") ?
		       load_by_path(&ref, *node) : load_by_name(&ref, *node);
	yaml_node_remove(*node, "secret_file");
	yaml_node_remove(*node, "secretName");
	yaml_node_remove(*node, "secretKey");
	if (!from)
		return false;
	merge(&ref, node, from);
	return true;
}

static bool resolve(struct settings_context *context, struct yaml_node **node,
		    const struct field_path *path, bool want_text)
{
	bool refers = has_reference(*node), ok = true;

	if ((*node)->kind != NODE_MAPPING)
		return true;
	for (size_t i = 0; i < (*node)->n_items; i++) {
		struct yaml_item *item = &(*node)->items[i];
		struct field_path here = { path, item->key };
		bool is_map = strcmp(item->key, "default_credential") == 0;

		if (!resolve(context, &item->value, &here, !is_map))
			ok = false;
	}
	if (!refers)
		return ok;
	return resolve_reference(context, node, path, want_text) && ok;
}

bool secrets_resolve(struct settings_context *context, struct yaml_node **node,
		     const struct field_path *path)
{
	return resolve(context, node, path, false);
}
