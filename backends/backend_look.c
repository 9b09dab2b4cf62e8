/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/backend_look.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include "backends/backend_impl.h"
#include "backends/base/clock.h"
#include "backends/http/exchange.h"
#include "backends/object/object_backend.h"

struct reach {
	struct backend_reach *out;
	int64_t deadline_ms;
};

static int prepare(void *ctx, unsigned attempt, struct http_request *rq,
		   struct err *err)
{
	struct reach *reach = ctx;

	(void)attempt;
	rq->method = HTTP_GET;
	buf_str(&rq->url, reach->out->origin);
	rq->timing = &reach->out->timing;
	rq->deadline_ms = reach->deadline_ms;
	return buf_failed(&rq->url) ? err_nomem(err) : 0;
}

/* A body that is no small one is an answer as well. */
static enum exchange_verdict judge(void *ctx, int r, struct http_response *rs,
				   int *out, struct err *err)
{
	struct reach *reach = ctx;

	reach->out->status = rs->status;
	*out = r;
	if (r == -EBADMSG && rs->status) {
		err_clear(err);
		*out = 0;
	}
	return EXCHANGE_DONE;
}

void backend_origin(struct backend *b, struct buf *out)
{
	if (b->ops->origin)
		b->ops->origin(b, out);
}

int backend_reach(struct backend *b, int64_t deadline_ms,
		  struct backend_reach *out, struct err *err)
{
	static const struct exchange_ops ops = {
		.prepare = prepare,
		.judge = judge,
	};
	struct reach reach = { .out = out, .deadline_ms = deadline_ms };
	cleanup_buf struct buf origin = BUF_INIT;

	memset(out, 0, sizeof(*out));
	out->timing = (struct http_timing){ -1, -1, -1, -1, false };
	if (!b->ops->origin)
		return err_set(err, ERR_USAGE, ENOTSUP,
			       "%s is this machine's own", b->name);
	backend_origin(b, &origin);
	if (buf_failed(&origin))
		return err_nomem(err);
	if (origin.len >= sizeof(out->origin))
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s: its address has %zu bytes", b->name,
			       origin.len);
	memcpy(out->origin, origin.data, origin.len + 1);
	return exchange_run(((struct object_backend *)b)->engine, &ops, &reach,
			    deadline_ms, err);
}

/* NULL: requests are unsigned, or there are none. */
static struct cred_source *creds_of(struct backend *b)
{
	return b->ops->origin ? ((struct object_backend *)b)->identity.creds :
				NULL;
}

int backend_identity(struct backend *b, int64_t deadline_ms,
		     struct backend_identity *out, struct err *err)
{
	const struct timespec pause = {
		.tv_nsec = EXCHANGE_CRED_WAIT_MS * 1000000L,
	};
	struct cred_source *creds = creds_of(b);
	cleanup_cred struct cred cred = { .kind = CRED_ANONYMOUS };
	struct cred_state state;
	int r;

	*out = (struct backend_identity){
		.name = "anonymous",
		.is_anonymous = true,
		.expires_s = INT64_MAX,
	};
	if (!creds)
		return 0;
	while ((r = cred_source_get(creds, &cred, err)) == -EAGAIN &&
	       clock_ms() < deadline_ms) {
		err_clear(err);
		(void)nanosleep(&pause, NULL);
	}
	if (r == -EAGAIN)
		return err_set(err, ERR_RETRY, ETIMEDOUT, "%s",
			       err->text);
	if (r < 0)
		return r;
	cred_source_state(creds, &state);
	(void)snprintf(out->name, sizeof(out->name), "%s", state.name);
	out->is_anonymous = cred.kind == CRED_ANONYMOUS;
	out->expires_s = cred.expires_s;
	return 0;
}

bool backend_region(struct backend *b, char out[BACKEND_REGION_MAX])
{
	if (!b->ops->region)
		return false;
	b->ops->region(b, out);
	return true;
}

struct need_words {
	const char *actions[BACKEND_NEED_DELETE + 1];
};

static const struct need_words s3_needs = { {
	"s3:ListBucket on arn:aws:s3:::",
	"s3:GetObject on arn:aws:s3:::",
	"s3:PutObject on arn:aws:s3:::",
	"s3:DeleteObject on arn:aws:s3:::",
} };
static const struct need_words gs_needs = { {
	"storage.objects.list (roles/storage.objectViewer) on gs://",
	"storage.objects.get (roles/storage.objectViewer) on gs://",
	"storage.objects.create (roles/storage.objectUser) on gs://",
	"storage.objects.delete (roles/storage.objectUser) on gs://",
} };
static const struct need_words azure_needs = { {
	"the role Storage Blob Data Reader, or a SAS with l, on container ",
	"the role Storage Blob Data Reader, or a SAS with r, on container ",
	"the role Storage Blob Data Contributor, or a SAS with c and w, on "
	"container ",
	"the role Storage Blob Data Contributor, or a SAS with d, on "
	"container ",
} };
static const struct need_words swift_needs = { {
	"the read ACL with .rlistings of container ",
	"the read ACL of container ",
	"the write ACL of container ",
	"the write ACL of container ",
} };
static const struct need_words tos_needs = { {
	"tos:ListBucket on trn:tos:::",
	"tos:GetObject on trn:tos:::",
	"tos:PutObject on trn:tos:::",
	"tos:DeleteObject on trn:tos:::",
} };
static const struct need_words file_needs = { {
	"read and search permission in ",
	"read permission in ",
	"write permission in ",
	"write permission in ",
} };

static const struct need_words *words_of(enum uri_scheme scheme)
{
	switch (scheme) {
	case URI_S3:
		return &s3_needs;
	case URI_GS:
		return &gs_needs;
	case URI_AZURE:
		return &azure_needs;
	case URI_SWIFT:
		return &swift_needs;
	case URI_TOS:
		return &tos_needs;
	case URI_FILE:
		break;
	}
	return &file_needs;
}

void backend_need_text(const struct backend *b, enum backend_need need,
		       struct buf *out)
{
	const struct uri *at = &b->location;

	buf_str(out, words_of(at->scheme)->actions[need]);
	buf_str(out, at->container ? at->container : "/");
	/* Permissions on objects are given by prefix. */
	if (need != BACKEND_NEED_LIST || at->scheme == URI_FILE) {
		if (at->container)
			buf_char(out, '/');
		buf_str(out, at->key);
		if (at->scheme != URI_FILE)
			buf_str(out, *at->key ? "/*" : "*");
	}
}
