/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/azure/azure_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "backends/base/encode.h"
#include "backends/object/condition.h"

static void on_done(void *ctx, int r, const struct err *err)
{
	struct azure_call *call = ctx;
	struct backend_op *op = call->op;

	object_backend_settle(op, &call->use, r, err);
	buf_release(&call->reply);
	buf_release(&call->body);
	free(call);
	backend_op_finish(op);
}

/* It becomes a part of each block's id, all of which must be of one length. */
static int check_upload(struct backend_op *op)
{
	const char *id = op->upload_id;

	if (strlen(id) != AZURE_UPLOAD_ID_LEN ||
	    strspn(id, "0123456789abcdef") != AZURE_UPLOAD_ID_LEN)
		return err_set(&op->err, ERR_USAGE, EINVAL,
			       "an upload id that is none of this store's");
	if (op->kind == BACKEND_OP_MULTIPART_PUT &&
	    (!op->part_number || op->part_number > AZURE_PARTS_MAX))
		return err_set(&op->err, ERR_USAGE, EINVAL, "part %u of %d",
			       op->part_number, AZURE_PARTS_MAX);
	if (op->n_parts > AZURE_PARTS_MAX)
		return err_set(&op->err, ERR_USAGE, EINVAL,
			       "%zu parts, the limit is %d", op->n_parts,
			       AZURE_PARTS_MAX);
	return 0;
}

static void start(struct backend_op *op)
{
	static const struct exchange_ops ops = {
		.prepare = azure_prepare,
		.judge = azure_judge,
		.done = on_done,
	};
	struct azure_backend *ab = (struct azure_backend *)op->backend;
	struct azure_call *call;

	op->r = condition_check(op);
	if (op->r == 0 && op->upload_id)
		op->r = check_upload(op);
	call = op->r == 0 ? calloc(1, sizeof(*call)) : NULL;
	if (!call) {
		if (op->r == 0)
			op->r = err_nomem(&op->err);
		object_backend_later(op, backend_op_finish);
		return;
	}
	call->op = op;
	call->ab = ab;
	exchange_start(ab->object.engine, &ops, call, op->deadline_ms);
}

/* Nobody is asked: an upload is a name that its blocks have in common. */
static void start_create(struct backend_op *op)
{
	uint8_t random[AZURE_UPLOAD_ID_LEN / 2];

	if (getrandom(random, sizeof(random), 0) == sizeof(random))
		encode_hex(op->upload_id_out, random, sizeof(random));
	else
		op->r = err_errno(&op->err, errno, "getrandom");
	object_backend_later(op, backend_op_finish);
}

/* Blocks that no list names expire by themselves. */
static void start_abort(struct backend_op *op)
{
	op->r = check_upload(op);
	object_backend_later(op, backend_op_finish);
}

static void azure_release(struct backend *b)
{
	struct azure_backend *ab = (struct azure_backend *)b;

	address_release(&ab->at);
	object_backend_release(&ab->object);
}

static void azure_origin(struct backend *b, struct buf *out)
{
	const struct azure_backend *ab = (struct azure_backend *)b;

	buf_printf(out, "%s://%s/", ab->at.is_https ? "https" : "http",
		   ab->at.authority);
}

static const struct backend_ops azure_ops = {
	/* clang-format off */
	.start = {
		[BACKEND_OP_GET] = start,
		[BACKEND_OP_GET_ALL] = start,
		[BACKEND_OP_HEAD] = start,
		[BACKEND_OP_PUT] = start,
		[BACKEND_OP_DELETE] = start,
		[BACKEND_OP_LIST] = start,
		[BACKEND_OP_MULTIPART_CREATE] = start_create,
		[BACKEND_OP_MULTIPART_PUT] = start,
		[BACKEND_OP_MULTIPART_COMPLETE] = start,
		[BACKEND_OP_MULTIPART_ABORT] = start_abort,
	},
	/* clang-format on */
	.later = object_backend_later,
	.release = azure_release,
	.origin = azure_origin,
};

static int choose_address(struct address *at, const struct backend_spec *spec,
			  struct err *err)
{
	const struct uri *uri = spec->location;
	char url[128];

	if (spec->override_url && *spec->override_url)
		return address_parse(at, "override_url", spec->override_url,
				     err);
	if (strspn(uri->host, "abcdefghijklmnopqrstuvwxyz0123456789-") !=
		    strlen(uri->host) ||
	    strlen(uri->host) > 63)
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s: the account may hold a-z, 0-9 and '-' only",
			       uri->text);
	(void)snprintf(url, sizeof(url), "https://%s.blob.core.windows.net",
		       uri->host);
	return address_parse(at, "the account's address", url, err);
}

int azure_open(struct backend **out, const struct backend_spec *spec,
	       struct http_engine *engine, struct err *err)
{
	struct azure_backend *ab;
	int r;

	ab = calloc(1, sizeof(*ab));
	if (!ab)
		return err_nomem(err);
	r = choose_address(&ab->at, spec, err);
	if (r == 0)
		r = object_backend_init(&ab->object, &azure_ops, spec, engine,
					err);
	if (r < 0) {
		address_release(&ab->at);
		free(ab);
		return r;
	}
	*out = &ab->object.base;
	return 0;
}
