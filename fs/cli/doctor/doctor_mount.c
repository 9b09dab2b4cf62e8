/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts that follow this configuration: do they serve what it says now?
 */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/cli/doctor/doctor.h"
#include "fs/cli/status_doc.h"
#include "fs/mount/mount.h"

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	/* The very path, too: it may be gone. */
	return strcmp(a, b) == 0 ||
	       (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
		x.st_ino == y.st_ino);
}

static void names_of(const json_t *list, struct buf *out)
{
	const json_t *name;
	size_t i;

	json_array_foreach(list, i, name)
		buf_printf(out, "%s%s", i ? ", " : "",
			   json_string_value(name));
}

static void tell(struct doctor *d, const char *point, const json_t *c)
{
	const json_t *refused = json_object_get(c, "refused");
	const json_t *next = json_object_get(c, "next_mount");
	cleanup_buf struct buf check = BUF_INIT, names = BUF_INIT,
				fix = BUF_INIT;

	buf_printf(&check, "mount %s", point);
	if (json_is_object(refused)) {
		doctor_tell(d, VERDICT_FAILED, check.data,
			    "correct it: the mount takes it by itself",
			    "serves the configuration of %s, as it refuses the one of %s: %s",
			    status_doc_text(c, "loaded"),
			    status_doc_text(refused, "since"),
			    status_doc_text(refused, "reason"));
	} else if (json_array_size(next) > 0) {
		names_of(next, &names);
		buf_printf(&fix, "datasetfs unmount %s, and mount it again",
			   point);
		doctor_tell(d, VERDICT_WARNING, check.data, fix.data,
			    "takes effect at the next mount: %s", names.data);
	} else {
		doctor_tell(d, VERDICT_OK, check.data, NULL,
			    "serves the configuration of %s",
			    status_doc_text(c, "loaded"));
	}
}

struct looking {
	struct doctor *d;
	const char *path;
};

/* Another user's, or a dead one, tells nothing. */
static void look_at(void *arg, const char *point)
{
	const struct looking *looking = arg;
	struct err ignored = ERR_INIT;
	const json_t *c;
	json_t *doc;

	if (status_doc_fetch(&doc, point, &ignored) < 0)
		return;
	c = json_object_get(doc, "configuration");
	if (json_is_object(c) &&
	    is_same_file(status_doc_text(c, "file"), looking->path))
		tell(looking->d, point, c);
	json_decref(doc);
}

void doctor_look_at_mounts(struct doctor *d)
{
	struct err ignored = ERR_INIT;
	cleanup_free char *path = settings_find(d->cli->config, &ignored);
	struct looking looking = { .d = d, .path = path };

	if (path)
		mount_each(look_at, &looking);
}
