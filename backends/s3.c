/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_impl.h"

#include <errno.h>
#include <string.h>
#include "backends/object/condition.h"

static void on_done(void *ctx, int r, const struct err *err)
{
	struct s3_call *call = ctx;
	struct backend_op *op = call->op;

	object_backend_settle(op, &call->use, r, err);
	buf_release(&call->reply);
	buf_release(&call->body);
	free(call);
	backend_op_finish(op);
}

static int check(struct backend_op *op)
{
	int r = condition_check(op);

	if (r < 0)
		return r;
	if (op->kind == BACKEND_OP_MULTIPART_PUT &&
	    (!op->part_number || op->part_number > S3_PARTS_MAX))
		return err_set(&op->err, ERR_USAGE, EINVAL, "part %u of %d",
			       op->part_number, S3_PARTS_MAX);
	return 0;
}

static void start(struct backend_op *op)
{
	static const struct exchange_ops ops = {
		.prepare = s3_prepare,
		.judge = s3_judge,
		.done = on_done,
	};
	struct s3_backend *sb = (struct s3_backend *)op->backend;
	struct s3_call *call;

	op->r = check(op);
	call = op->r == 0 ? calloc(1, sizeof(*call)) : NULL;
	if (!call) {
		if (op->r == 0)
			op->r = err_nomem(&op->err);
		object_backend_later(op, backend_op_finish);
		return;
	}
	call->op = op;
	call->sb = sb;
	exchange_start(sb->object.engine, &ops, call, op->deadline_ms);
}

static void s3_release(struct backend *b)
{
	struct s3_backend *sb = (struct s3_backend *)b;

	s3_endpoint_release(&sb->endpoint);
	object_backend_release(&sb->object);
	free(sb->expected_owner);
	free(sb->sse_kms_key);
	lock_release(&sb->lock);
}

static void s3_region(struct backend *b, char out[BACKEND_REGION_MAX])
{
	struct s3_backend *sb = (struct s3_backend *)b;

	lock_take(&sb->lock);
	memcpy(out, sb->region, sizeof(sb->region));
	lock_drop(&sb->lock);
}

static void s3_origin(struct backend *b, struct buf *out)
{
	struct s3_backend *sb = (struct s3_backend *)b;
	cleanup_buf struct buf host = BUF_INIT, path = BUF_INIT;
	char region[BACKEND_REGION_MAX];

	s3_region(b, region);
	s3_endpoint_locate(&sb->endpoint, region, NULL, &host, &path);
	buf_printf(out, "%s://%s/",
		   sb->endpoint.at.is_https ? "https" : "http",
		   host.data ? host.data : "");
}

static const struct backend_ops s3_ops = {
	/* clang-format off */
	.start = {
		[BACKEND_OP_GET] = start,
		[BACKEND_OP_GET_ALL] = start,
		[BACKEND_OP_HEAD] = start,
		[BACKEND_OP_PUT] = start,
		[BACKEND_OP_DELETE] = start,
		[BACKEND_OP_LIST] = start,
		[BACKEND_OP_MULTIPART_CREATE] = start,
		[BACKEND_OP_MULTIPART_PUT] = start,
		[BACKEND_OP_MULTIPART_COMPLETE] = start,
		[BACKEND_OP_MULTIPART_ABORT] = start,
	},
	/* clang-format on */
	.later = object_backend_later,
	.release = s3_release,
	.origin = s3_origin,
	.region = s3_region,
};

static int copy(char **out, const char *text, struct err *err)
{
	*out = text ? strdup(text) : NULL;
	return text && !*out ? err_nomem(err) : 0;
}

static int take_options(struct s3_backend *sb, const struct backend_spec *spec,
			struct err *err)
{
	const struct backend_s3_options *options = &spec->s3;
	int r = copy(&sb->expected_owner, options->expected_owner, err);

	if (r == 0)
		r = copy(&sb->sse_kms_key, options->sse_kms_key, err);
	sb->requester_pays = options->requester_pays;
	return r;
}

int s3_open(struct backend **out, const struct backend_spec *spec,
	    struct http_engine *engine, struct err *err)
{
	struct s3_backend *sb;
	int r;

	sb = calloc(1, sizeof(*sb));
	if (!sb)
		return err_nomem(err);
	r = s3_endpoint_init(&sb->endpoint, spec, err);
	if (r == 0)
		r = take_options(sb, spec, err);
	if (r == 0)
		r = object_backend_init(&sb->object, &s3_ops, spec, engine,
					err);
	if (r < 0) {
		s3_endpoint_release(&sb->endpoint);
		free(sb->expected_owner);
		free(sb->sse_kms_key);
		free(sb);
		return r;
	}
	lock_init(&sb->lock);
	(void)strcpy(sb->region, sb->endpoint.region);
	*out = &sb->object.base;
	return 0;
}
