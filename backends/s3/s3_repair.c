/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_impl.h"

#include <errno.h>
#include <string.h>
#include "backends/base/digest.h"
#include "backends/base/encode.h"
#include "backends/base/log.h"
#include "backends/object/header.h"

/* What to do about it, where somebody can do something. */
static const char *advice(const struct s3_call *call,
			  const struct ruling *ruling, const char *code)
{
	switch (ruling->action) {
	case RULING_FIX_REGION:
		if (call->flavour->region)
			return "";
		if (call->sb->endpoint.is_region_fixed)
			return ": the region of the host is not the bucket's";
		return call->sb->endpoint.is_aws ?
			       ": the bucket is in another region, set region" :
			       ": the store wants another region or address, "
			       "set region or override_url (redirects are not "
			       "followed)";
	case RULING_FIX_CLOCK:
		return strcmp(code, "RequestTimeTooSkewed") ?
			       "" :
			       ": this machine's clock is wrong";
	default:
		break;
	}
	if (!strcmp(code, "NoSuchBucket"))
		return ": there is no such bucket";
	if (ruling->code == EACCES && !call->use.is_signed)
		return ": the request was not signed, as there is no "
		       "credential";
	if (!strcmp(code, "InvalidObjectState"))
		return ": the object is archived, restore it first";
	return "";
}

/*
 * The region.
 */

static bool set_region(struct s3_call *call, const char *region)
{
	struct s3_backend *sb = call->sb;

	if (!s3_region_is_valid(region) || !strcmp(region, call->region))
		return false;
	lock_take(&sb->lock);
	memcpy(sb->region, region, strlen(region) + 1);
	lock_drop(&sb->lock);
	log_info("s3", "the region is another one: %s region=%s",
		 sb->object.base.name, region);
	return true;
}

/* Somebody else has learnt it since this attempt was sent. */
static bool is_region_news(struct s3_call *call)
{
	bool is_new;

	lock_take(&call->sb->lock);
	is_new = strcmp(call->sb->region, call->region) != 0;
	lock_drop(&call->sb->lock);
	return is_new;
}

static bool take_told_region(struct s3_call *call,
			     const struct http_response *rs,
			     const char *from_body)
{
	char value[HEADER_MAX];

	if (header_get(rs, "x-amz-bucket-region", value) &&
	    set_region(call, value))
		return true;
	return *from_body && set_region(call, from_body);
}

/* True: the call may be sent again. */
static bool fix_region(struct s3_call *call, const struct http_response *rs,
		       const struct xml_error *error, const struct err *err)
{
	if (call->is_region_done || call->sb->endpoint.is_region_fixed ||
	    call->flavour->region)
		return false;
	if (is_region_news(call) ||
	    take_told_region(call, rs, error->region)) {
		call->is_region_done = true;
		return true;
	}
	if (call->is_region_asked)
		return false;
	call->is_region_asked = true;
	call->stage = S3_STAGE_REGION;
	err_copy(&call->refusal, err);
	return true;
}

enum exchange_verdict s3_region_told(struct s3_call *call,
				     const struct http_response *rs, int *out,
				     struct err *err)
{
	call->stage = S3_STAGE_CALL;
	call->is_region_done = true;
	err_copy(err, &call->refusal);
	*out = -err->code;
	return take_told_region(call, rs, "") ? EXCHANGE_AGAIN :
						EXCHANGE_DONE;
}

/*
 * A completed upload that the store does not know any more.
 */

/* As S3 and Ceph make it: MD5 over the parts' MD5s, "-", their number. */
static bool expected_etag(const struct backend_op *op,
			  char etag[BACKEND_ETAG_MAX])
{
	struct digest *digest = digest_new(DIGEST_MD5);
	uint8_t md5[MD5_SIZE];
	char hex[2 * MD5_SIZE + 1];
	bool is_md5 = op->n_parts > 0;

	for (size_t i = 0; i < op->n_parts && is_md5; i++) {
		const char *part = op->parts[i].etag;

		is_md5 = decode_hex(md5, sizeof(md5), part, strlen(part)) == 0;
		digest_add(digest, md5, sizeof(md5));
	}
	digest_finish(digest, md5);
	digest_free(digest);
	encode_hex(hex, md5, sizeof(md5));
	(void)snprintf(etag, BACKEND_ETAG_MAX, "%s-%zu", hex, op->n_parts);
	return is_md5;
}

/* Only a second try can meet the success of a first one. */
static bool may_be_completed(struct s3_call *call, const char *code)
{
	return call->op->kind == BACKEND_OP_MULTIPART_COMPLETE &&
	       !strcmp(code, "NoSuchUpload") && call->attempt > 0;
}

enum exchange_verdict s3_completed(struct s3_call *call,
				   const struct http_response *rs, int *out,
				   struct err *err)
{
	char value[HEADER_MAX], etag[BACKEND_ETAG_MAX] = "";
	char expected[BACKEND_ETAG_MAX];

	if (header_get(rs, "etag", value))
		header_etag(etag, value);
	if (rs->status == 200 && expected_etag(call->op, expected) &&
	    !strcmp(etag, expected)) {
		memcpy(call->op->info.etag, etag, sizeof(etag));
		*out = 0;
		return EXCHANGE_DONE;
	}
	err_copy(err, &call->refusal);
	*out = -err->code;
	return EXCHANGE_DONE;
}

/* True: the call may be sent again, at once. */
static bool repair(struct s3_call *call, const struct http_response *rs,
		   const struct ruling *ruling,
		   const struct xml_error *error, const struct err *err)
{
	struct identity *id = &call->sb->object.identity;
	struct identity_use *use = &call->use;

	switch (ruling->action) {
	case RULING_FIX_REGION:
		if (fix_region(call, rs, error, err))
			return true;
		/* A bodyless 400 is an expired token just as well. */
		return rs->status == 400 && !error->code[0] &&
		       identity_doubt_credential(id, use);
	case RULING_FIX_CLOCK:
		return identity_fix_clock(id, use, rs, call->sb->object.base.name) ||
		       (!error->code[0] && identity_doubt_credential(id, use));
	case RULING_FIX_CREDENTIAL:
		/*
		 * Said of a key that was replaced, and of what nobody may
		 * read; but 401 is about the credential alone.
		 */
		if (rs->status != 401 &&
		    (!error->code[0] || !strcmp(error->code, "AccessDenied")))
			return identity_doubt_credential(id, use);
		return identity_fix_credential(id, use);
	case RULING_USE_LIST_V1:
		if (call->is_list_v1 || call->op->token)
			return false;
		atomic_store(&call->sb->is_list_v1, true);
		return true;
	default:
		return false;
	}
}

enum exchange_verdict s3_refused(struct s3_call *call,
				 const struct http_response *rs,
				 const struct xml_error *error, int *out,
				 struct err *err)
{
	struct ruling ruling = s3_rule(call->op, rs->status, error->code);

	if (ruling.action == RULING_SUCCEED) {
		*out = 0;
		return EXCHANGE_DONE;
	}
	*out = answer_refused(&ruling, rs, error->code,
			      advice(call, &ruling, error->code), err);

	if (may_be_completed(call, error->code)) {
		err_copy(&call->refusal, err);
		call->stage = S3_STAGE_COMPLETED;
		return EXCHANGE_AGAIN;
	}
	if (ruling.action == RULING_RETRY)
		return EXCHANGE_RETRY;
	if (ruling.action == RULING_THROTTLED)
		return EXCHANGE_THROTTLED;
	return repair(call, rs, &ruling, error, err) ? EXCHANGE_AGAIN :
						       EXCHANGE_DONE;
}
