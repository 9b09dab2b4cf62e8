/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_impl.h"

#include <errno.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/object/condition.h"

static void run_later(void *arg)
{
	struct backend_op *op = arg;

	op->run(op);
}

static void s3_later(struct backend_op *op, void (*run)(struct backend_op *))
{
	struct s3_backend *sb = (struct s3_backend *)op->backend;

	op->run = run;
	http_engine_after(sb->engine, clock_ms(), run_later, op);
}

static void on_done(void *ctx, int r, const struct err *err)
{
	struct s3_call *call = ctx;
	struct backend_op *op = call->op;

	op->r = r;
	if (r < 0)
		err_copy(&op->err, err);
	else
		identity_good(&call->sb->identity, &call->use);
	if (r < 0 && op->kind == BACKEND_OP_GET_ALL)
		answer_cut(op->out, op->out_start);
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
		s3_later(op, backend_op_finish);
		return;
	}
	call->op = op;
	call->sb = sb;
	exchange_start(sb->engine, &ops, call, op->deadline_ms);
}

static void s3_release(struct backend *b)
{
	struct s3_backend *sb = (struct s3_backend *)b;

	s3_endpoint_release(&sb->endpoint);
	identity_release(&sb->identity);
	free(sb->expected_owner);
	free(sb->sse_kms_key);
	lock_release(&sb->lock);
}

static struct http_engine *s3_engine(struct backend *b)
{
	return ((struct s3_backend *)b)->engine;
}

static struct identity *s3_identity(struct backend *b)
{
	return &((struct s3_backend *)b)->identity;
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
	.later = s3_later,
	.release = s3_release,
	.engine = s3_engine,
	.identity = s3_identity,
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

	if (!engine)
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s: opened without an HTTP engine",
			       spec->location->text);
	sb = calloc(1, sizeof(*sb));
	if (!sb)
		return err_nomem(err);
	r = s3_endpoint_init(&sb->endpoint, spec, err);
	if (r == 0)
		r = take_options(sb, spec, err);
	if (r == 0)
		r = backend_init(&sb->base, &s3_ops, spec, err);
	if (r < 0) {
		s3_endpoint_release(&sb->endpoint);
		free(sb->expected_owner);
		free(sb->sse_kms_key);
		backend_release(&sb->base);
		free(sb);
		return r;
	}
	lock_init(&sb->lock);
	(void)strcpy(sb->region, sb->endpoint.region);
	sb->engine = engine;
	identity_init(&sb->identity, spec->creds);
	*out = &sb->base;
	return 0;
}
