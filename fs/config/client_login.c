/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/config/client_login.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/buf.h"
#include "backends/base/io.h"
#include "fs/config/yaml_node.h"

#define LOGIN_FILE "login.yaml"
#define LOGIN_BYTES_MAX ((size_t)256 << 10)

char *client_file_path(const char *name, struct err *err)
{
	const char *dir = getenv("OSMO_CONFIG_FILE_DIR");
	const char *xdg = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	struct buf path = BUF_INIT;
	char *text;

	if (dir && *dir)
		buf_printf(&path, "%s/%s", dir, name);
	else if (xdg && *xdg)
		buf_printf(&path, "%s/osmo/%s", xdg, name);
	else if (home && *home)
		buf_printf(&path, "%s/.config/osmo/%s", home, name);
	else
		buf_str(&path, "");
	text = buf_steal(&path);
	if (!text)
		err_nomem(err);
	return text;
}

void client_login_release(struct client_login *login)
{
	if (login->token)
		explicit_bzero(login->token, strlen(login->token));
	free(login->token);
	free(login->user);
	free(login->path);
	memset(login, 0, sizeof(*login));
}

/* Bytes of "scheme://host:port". */
static size_t origin_len(const char *url)
{
	const char *p = strstr(url, "://");

	return p ? (size_t)(p + 3 - url) + strcspn(p + 3, "/?#") : strlen(url);
}

static bool is_same_origin(const char *a, const char *b)
{
	size_t n = origin_len(a);

	return n == origin_len(b) && strncmp(a, b, n) == 0;
}

/* NULL where it is none, or holds a NUL byte. */
static const char *text_of(const struct yaml_node *node)
{
	if (!node || node->kind != NODE_SCALAR || yaml_node_is_null(node) ||
	    strlen(node->text) != node->len)
		return NULL;
	return node->text;
}

static int take(char **out, const char *text, struct err *err)
{
	if (!text)
		return 0;
	*out = strdup(text);
	return *out ? 0 : err_nomem(err);
}

static int parse(struct client_login *out, const struct buf *text,
		 const char *url, struct err *err)
{
	cleanup_yaml_node struct yaml_node *root = NULL;
	struct yaml_position at = { 0, 0 };
	struct err why = ERR_INIT;
	const char *theirs;
	int r;

	r = yaml_node_parse(&root, text->data ? text->data : "", text->len,
			    &at, &why);
	if (r == -ENOMEM)
		return err_nomem(err);
	if (r < 0)	/* the position only: the file holds secrets */
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s:%u:%u: OSMO's login file is not valid YAML",
			       out->path, at.line, at.column);
	theirs = text_of(yaml_node_get(root, "url"));
	if (!theirs || !is_same_origin(theirs, url))
		return 0;
	r = take(&out->token,
		 text_of(yaml_node_get(yaml_node_get(root, "token_login"),
				       "id_token")), err);
	if (r == 0)
		r = take(&out->user,
			 text_of(yaml_node_get(yaml_node_get(root,
							     "dev_login"),
					       "username")), err);
	return r;
}

int client_login_find(struct client_login *out, const char *url,
		      struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	out->path = client_file_path(LOGIN_FILE, err);
	if (!out->path)
		return -ENOMEM;
	if (!*out->path)
		return 0;
	r = io_read_file(out->path, LOGIN_BYTES_MAX, &text, err);
	if (r == -ENOENT || r == -ENOTDIR) {
		err_clear(err);
		return 0;
	}
	if (r == 0)
		r = parse(out, &text, url, err);
	if (text.data)
		explicit_bzero(text.data, text.cap);
	return r;
}
