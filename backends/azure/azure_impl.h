/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure's blob service, azure://ACCOUNT/CONTAINER/PATH.  One call is one
 * exchange: azure_prepare() builds and signs an attempt, azure_judge() says
 * what its answer means.
 *
 * The endpoint is override_url, which a connection string gives
 * (azure_connection.h), else https://ACCOUNT.blob.core.windows.net.  Its path
 * stands in front of the container: an emulator's is the account, which so
 * comes twice into what is signed.
 *
 * Repairs, each at most once a call: the clock (the Date of a refusal) and the
 * credential (read again).  A redirect is never followed.
 *
 * A conditional deletion of what is not there is 412, like one of another
 * content: a HEAD tells, and nothing there is success (backend.h).
 *
 * The service takes '\' in a name for '/'.
 *
 * An upload is blocks of one length of id, which no other upload's are, and
 * the list of them.  Beginning one asks nothing.  Nor does giving it up: what
 * was not committed is no object, and the service drops it after a week, or
 * when the blob is written.  So an upload that was given up could be completed
 * still; who gave it up does not.  A second writer of the same blob makes the
 * blocks of the first go, whose completion then is -ENOENT.
 *
 * A page is sorted, and so is a list, but for accounts with a hierarchical
 * namespace: there '/' sorts before all other bytes.
 */
#ifndef DATASETFS_AZURE_IMPL_H
#define DATASETFS_AZURE_IMPL_H

#include "backends/azure/azure_xml.h"
#include "backends/object/address.h"
#include "backends/object/answer.h"
#include "backends/object/object_backend.h"

#define AZURE_VERSION "2023-11-03"	/* x-ms-version */
#define AZURE_LIST_KEYS_MAX 5000
#define AZURE_PARTS_MAX 50000
#define AZURE_UPLOAD_ID_LEN 16		/* hexadecimal digits */

struct azure_backend {
	struct object_backend object;
	struct address at;
};

enum azure_stage {
	AZURE_STAGE_CALL,	/* the operation itself */
	AZURE_STAGE_DELETED,	/* HEAD of the key: is it gone? */
};

struct azure_call {
	struct backend_op *op;
	struct azure_backend *ab;
	enum azure_stage stage;
	struct buf reply;	/* a body that is parsed or may be large */
	struct buf body;	/* of a request that we make up */
	struct identity_use use;
	struct err refusal;	/* what the stage beside the call is about */
};

int azure_prepare(void *ctx, unsigned attempt, struct http_request *rq,
		  struct err *err);
enum exchange_verdict azure_judge(void *ctx, int r, struct http_response *rs,
				  int *out, struct err *err);

/* The base64 of "UPLOAD-00001": what a part's etag is to our caller. */
#define AZURE_BLOCK_ID_SIZE 33
void azure_block_id(char out[AZURE_BLOCK_ID_SIZE], const char *upload_id,
		    unsigned number);

/*
 * What a refusal means, a pure function.  code: x-ms-error-code, "" where
 * there was none.
 */
struct ruling azure_rule(const struct backend_op *op, int status,
			 const char *code);

#endif
