/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/errand_doc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/cli/status_doc.h"
#include "fs/mount/mount.h"

static enum err_class class_of(const char *name)
{
	for (int c = ERR_NONE; c <= ERR_SYSTEM; c++)
		if (strcmp(err_class_name((enum err_class)c), name) == 0)
			return (enum err_class)c;
	return ERR_SYSTEM;
}

static int take_error(const json_t *e, struct err *err)
{
	json_int_t code = status_doc_number(e, "code");

	return err_set(err, class_of(status_doc_text(e, "class")),
		       code > 0 && code < 4096 ? (int)code : EIO, "%s",
		       status_doc_text(e, "text"));
}

static int add_paths(json_t *list, char *const *paths, size_t n_paths,
		     struct err *err)
{
	for (size_t i = 0; i < n_paths; i++) {
		/* "" is the root, and alone then: all of it. */
		json_t *path = *paths[i] ? json_string(paths[i]) : NULL;

		if (*paths[i] && !path)
			return err_set(err, ERR_USAGE, EILSEQ,
				       "a path that is no UTF-8 cannot be sent to the mount: name the directory it is in");
		if (path)
			json_array_append_new(list, path);
	}
	return 0;
}

int errand_doc_question(struct buf *out, const char *verb, const char *ref,
			char *const *paths, size_t n_paths, uint32_t from,
			struct err *err)
{
	json_t *question = json_object(), *list = json_array();
	int r = add_paths(list, paths, n_paths, err);
	char *text;

	json_object_set_new(question, "ref", json_string(ref));
	json_object_set_new(question, "paths", list);
	json_object_set_new(question, "from", json_integer(from));
	text = json_dumps(question, JSON_COMPACT);
	json_decref(question);
	if (r == 0) {
		buf_printf(out, "%s %s", verb, text ? text : "");
		r = !text || buf_failed(out) ? err_nomem(err) : 0;
	}
	free(text);
	return r;
}

int errand_doc_fetch(json_t **doc, const char *mountpoint,
		     const struct settings *settings, const char *question,
		     struct err *err)
{
	cleanup_buf struct buf answer = BUF_INIT, line = BUF_INIT;
	const json_t *e;
	json_t *got;
	int r;

	buf_printf(&line, "%s\n", question);
	if (buf_failed(&line))
		return err_nomem(err);
	r = mountpoint ? mount_errand(mountpoint, line.data, &answer, err) :
			 mount_errand_offline(settings, question, &answer, err);
	if (r < 0)
		return r;
	got = json_loads(answer.data ? answer.data : "", 0, NULL);
	e = json_object_get(got, "error");
	if (json_is_object(got) && !e) {
		*doc = got;
		return 0;
	}
	r = e ? take_error(e, err) :
		err_set(err, ERR_SYSTEM, EPROTO,
			"the daemon does not know \"%s\": is it another version, or ending?",
			question);
	json_decref(got);
	return r;
}
