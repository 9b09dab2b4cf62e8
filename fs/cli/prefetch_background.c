/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/prefetch_background.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "fs/cli/errand_doc.h"
#include "fs/cli/status_doc.h"

/* BUCKET/NAME@VERSION: what a reference meant when it was given. */
static int find_ref(const char **ref, const char *mountpoint, const char *root,
		    struct err *err)
{
	char real[PATH_MAX];
	size_t len;

	if (!realpath(mountpoint, real))
		return err_errno(err, errno, "%s", mountpoint);
	len = strlen(real);
	if (strncmp(root, real, len) != 0 || root[len] != '/')
		return err_set(err, ERR_SYSTEM, EXDEV, "%s is not below %s",
			       root, real);
	*ref = root + len + 1;
	return 0;
}

static int show(json_t *doc, const char *ref, struct err *err)
{
	json_object_set_new(doc, "ref", cli_json_text(ref));
	if (cli_print_json(doc, "dataset-prefetch-background") == EXIT_DONE)
		return 0;
	return err_set(err, ERR_SYSTEM, EIO, "cannot write the output");
}

int prefetch_background(struct cli *cli, const char *mountpoint,
			const char *root, char *const *paths, size_t n_paths,
			struct err *err)
{
	cleanup_buf struct buf question = BUF_INIT;
	json_t *doc = NULL;
	const char *ref;
	int r = find_ref(&ref, mountpoint, root, err);

	if (r == 0)
		r = errand_doc_question(&question, "prefetch", ref, paths,
					n_paths, 0, err);
	if (r == 0)
		r = errand_doc_fetch(&doc, mountpoint, NULL, question.data,
				     err);
	if (r < 0)
		return r;
	if (cli->json)
		return show(doc, ref, err);
	printf("%s %s in the background: \"datasetfs status %s\" shows how far it is\n",
	       ref, json_is_true(json_object_get(doc, "new")) ?
			    "is prefetched" : "is prefetched already",
	       mountpoint);
	json_decref(doc);
	return 0;
}

int prefetch_background_cancel(struct cli *cli, const char *mountpoint,
			       const char *root, struct err *err)
{
	cleanup_buf struct buf question = BUF_INIT;
	json_t *doc = NULL;
	const char *ref;
	long long n;
	int r = find_ref(&ref, mountpoint, root, err);

	if (r < 0)
		return r;
	buf_printf(&question, "cancel %s", ref);
	r = buf_failed(&question) ? err_nomem(err) :
		errand_doc_fetch(&doc, mountpoint, NULL, question.data, err);
	if (r < 0)
		return r;
	n = status_doc_number(doc, "cancelled");
	if (n == 0) {
		json_decref(doc);
		return err_set(err, ERR_MISSING, ENOENT,
			       "%s is not being prefetched in the background: \"datasetfs status %s\" shows what is",
			       ref, mountpoint);
	}
	if (cli->json)
		return show(doc, ref, err);
	printf("cancelled: %s\n", ref);
	json_decref(doc);
	return 0;
}
