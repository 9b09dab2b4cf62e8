/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend_probe(): what a store does with conditions, found out by breaking
 * them.  Some stores answer 200 and ignore them, so only a refusal that comes
 * where one is due, and does not come where none is, counts as honoured.
 */
#include <config.h>
#include "backends/backend_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "backends/backend_sync.h"
#include "backends/base/encode.h"
#include "backends/base/log.h"

#define PROBE_PREFIX ".datasetfs/probe/"
/* In the form of an MD5, which some stores insist on. */
#define NOBODYS_ETAG "00000000000000000000000000000000"
#define NOBODYS_GENERATION "1"

struct probe {
	struct backend *b;
	int64_t deadline_ms;
	char key[sizeof(PROBE_PREFIX) + 32];
	struct object_info info; /* of what stands there now */
};

/* What no object has, of the same kind as what stands there. */
static const char *nobodys(const struct probe *probe)
{
	return probe->info.generation[0] ? NOBODYS_GENERATION : NOBODYS_ETAG;
}

/* 1: the condition was refused, 0: written, or -errno. */
static int put(struct probe *probe, const char *text, bool create_only,
	       const char *if_match, struct err *err)
{
	const struct backend_put rq = {
		.key = probe->key,
		.data = text,
		.len = strlen(text),
		.content_type = "text/plain",
		.create_only = create_only,
		.if_match = if_match,
		.deadline_ms = probe->deadline_ms,
	};
	struct object_info info;
	int r = backend_sync_put(probe->b, &rq, &info, err);

	if (r == 0)
		probe->info = info;
	if (r == -EEXIST || r == -ESTALE) {
		err_clear(err);
		return 1;
	}
	return r;
}

/* "I cannot do that": an answer about the condition, not a failure. */
static bool is_unknown(int r, struct err *err)
{
	if (r != -ENOTSUP)
		return false;
	err_clear(err);
	return true;
}

static int probe_create(struct probe *probe, bool *works, struct err *err)
{
	int r;

	/* A second try of the first one may meet itself. */
	r = put(probe, "1", true, NULL, err);
	if (is_unknown(r, err))
		return 0;
	if (r >= 0)
		r = put(probe, "2", true, NULL, err);
	if (r < 0)
		return r;
	*works = r == 1;
	return 0;
}

/* Quoted or not, as caps says. */
static int try_if_match(struct probe *probe, bool *works, struct err *err)
{
	struct object_info before;
	int r = put(probe, "3", false, nobodys(probe), err);

	*works = false;
	if (is_unknown(r, err) || r == 0)
		return 0;
	if (r < 0)
		return r;
	before = probe->info;
	r = put(probe, "4", false, object_validator(&before), err);
	if (is_unknown(r, err))
		return 0;
	*works = r == 0;
	return r < 0 ? r : 0;
}

static int probe_if_match(struct probe *probe, bool *works, struct err *err)
{
	/* Its own etag, whether or not a condition was met before. */
	int r = put(probe, "0", false, NULL, err);

	if (r < 0)
		return r;
	if (!*object_validator(&probe->info))
		return 0;
	r = try_if_match(probe, works, err);
	if (r == 0 && !*works) {
		probe->b->caps.if_match_unquoted = true;
		r = try_if_match(probe, works, err);
		probe->b->caps.if_match_unquoted = *works;
	}
	return r;
}

static int is_there(struct probe *probe, bool *there, struct err *err)
{
	struct object_info info;
	int r = backend_sync_head(probe->b, probe->key, &info,
				  probe->deadline_ms, err);

	*there = r == 0;
	if (r == -ENOENT) {
		err_clear(err);
		r = 0;
	}
	return r;
}

static int probe_delete(struct probe *probe, bool *works, struct err *err)
{
	bool there = false;
	int r = backend_sync_delete(probe->b, probe->key, nobodys(probe),
				    probe->deadline_ms, err);

	if (is_unknown(r, err) || r == 0)
		return 0;
	if (r != -ESTALE)
		return r;
	err_clear(err);
	r = backend_sync_delete(probe->b, probe->key,
				object_validator(&probe->info),
				probe->deadline_ms, err);
	if (r == -ESTALE || is_unknown(r, err)) {
		err_clear(err);
		return 0;
	}
	if (r == 0)
		r = is_there(probe, &there, err);
	*works = r == 0 && !there;
	return r;
}

/* An upload over what stands there by now must be refused. */
static int complete(struct probe *probe, const char *upload_id,
		    bool *is_complete, bool *works, struct err *err)
{
	struct part_etag part = { .number = 1 };
	struct object_info info;
	int r;

	r = backend_sync_multipart_put(probe->b, probe->key, upload_id, &part,
				       "5", 1, probe->deadline_ms, err);
	if (r < 0)
		return r;
	/* Or the store would not be asked at all. */
	probe->b->caps.complete_create_only = true;
	r = backend_sync_multipart_complete(probe->b, probe->key, upload_id,
					    &part, 1, true, &info,
					    probe->deadline_ms, err);
	probe->b->caps.complete_create_only = false;
	*works = r == -EEXIST;
	*is_complete = r == 0;
	if (r == 0)
		probe->info = info;
	if (r == -EEXIST || is_unknown(r, err)) {
		err_clear(err);
		r = 0;
	}
	return r;
}

static int probe_complete(struct probe *probe, bool *works, struct err *err)
{
	char upload_id[BACKEND_UPLOAD_ID_MAX];
	struct err ignored = ERR_INIT;
	bool is_complete = false;
	int r;

	r = backend_sync_multipart_create(probe->b, probe->key, upload_id,
					  probe->deadline_ms, err);
	if (is_unknown(r, err))
		return 0;
	if (r < 0)
		return r;
	r = complete(probe, upload_id, &is_complete, works, err);
	if (!is_complete)
		(void)!backend_sync_multipart_abort(probe->b, probe->key,
						    upload_id,
						    probe->deadline_ms,
						    &ignored);
	return r;
}

/* A body that its digest does not fit must not be kept. */
static int probe_md5(struct probe *probe, bool *works, struct err *err)
{
	const struct backend_put rq = {
		.key = probe->key,
		.data = "6",
		.len = 1,
		.content_type = "text/plain",
		.deadline_ms = probe->deadline_ms,
		.is_spoiled = true,
	};
	struct object_info info;
	int r = backend_sync_put(probe->b, &rq, &info, err);

	/* Not every store has a code of its own for it. */
	*works = r == -EBADMSG || (r == -EIO && err->class == ERR_USAGE);
	if (*works || is_unknown(r, err)) {
		err_clear(err);
		r = 0;
	}
	return r;
}

static int run(struct probe *probe, struct backend_caps *caps, struct err *err)
{
	int r = probe_create(probe, &caps->create_only, err);

	if (r == 0)
		r = probe_if_match(probe, &caps->if_match, err);
	if (r == 0)
		r = probe_complete(probe, &caps->complete_create_only, err);
	if (r == 0)
		r = probe_delete(probe, &caps->delete_if_match, err);
	if (r == 0)
		r = probe_md5(probe, &caps->checks_md5, err);
	return r;
}

static void clean_up(struct probe *probe)
{
	struct err err = ERR_INIT;

	if (backend_sync_delete(probe->b, probe->key, NULL, probe->deadline_ms,
				&err) < 0)
		log_warn("probe", "left behind: %s", err.text);
}

int backend_probe(struct backend *b, int64_t deadline_ms, struct err *err)
{
	struct probe probe = { .b = b, .deadline_ms = deadline_ms };
	struct backend_caps caps = { .probed = true };
	uint8_t random[16];
	char hex[2 * sizeof(random) + 1];
	int r;

	if (b->read_only)
		return err_set(err, ERR_USAGE, EROFS,
			       "%s: the bucket is configured read-only",
			       b->name);
	if (b->caps.probed)
		return 0;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_errno(err, errno, "getrandom");
	encode_hex(hex, random, sizeof(random));
	(void)snprintf(probe.key, sizeof(probe.key), PROBE_PREFIX "%s", hex);

	r = run(&probe, &caps, err);
	clean_up(&probe);
	if (r < 0)
		return err_wrap(err, "find out which conditions the store "
				     "honours");
	caps.if_match_unquoted = b->caps.if_match_unquoted;
	b->caps = caps;
	log_info("probe",
		 "conditions: %s create=%d upload=%d if_match=%d unquoted=%d "
		 "delete=%d md5=%d",
		 b->name, caps.create_only, caps.complete_create_only,
		 caps.if_match, caps.if_match_unquoted, caps.delete_if_match,
		 caps.checks_md5);
	return 0;
}
