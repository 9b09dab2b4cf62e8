/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/status_doc.h"

#include <errno.h>

#include "fs/mount/mount.h"

int status_doc_fetch(json_t **doc, const char *mountpoint, struct err *err)
{
	cleanup_buf struct buf answer = BUF_INIT;
	json_t *got;
	int r = mount_status_fetch(mountpoint, &answer, err);

	if (r < 0)
		return r;
	got = json_loads(answer.data, 0, NULL);
	if (!json_is_object(got)) {
		json_decref(got);
		return err_set(err, ERR_SYSTEM, EPROTO,
			       "the daemon's answer is no JSON object: is it another version?");
	}
	*doc = got;
	return 0;
}

const char *status_doc_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

json_int_t status_doc_number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

void status_doc_size(const json_t *o, const char *key,
		     char out[SIZE_TEXT_MAX])
{
	json_int_t n = status_doc_number(o, key);

	size_text(out, n > 0 ? (uint64_t)n : 0);
}
