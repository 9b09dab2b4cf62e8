/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that waits for an answer from below.  It is answered exactly once:
 * by the callback, or with EINTR when the kernel interrupts it; whoever claims
 * it first replies.  The callback always comes, exactly once, and ends with
 * parked_free() whoever replied.
 *
 * It is the first member of a struct from malloc(), which parked_free() frees.
 */
#ifndef DATASETFS_MOUNT_PARKED_H
#define DATASETFS_MOUNT_PARKED_H

#include "fs/mount/fuse/fs.h"

struct parked;
/* Makes the answer come soon, if that can be done; may run the callback. */
typedef void (*parked_cancel_fn)(struct parked *p);

struct parked {
	fuse_req_t req;
	parked_cancel_fn cancel;	/* NULL: the answer comes when it comes */
	unsigned state;			/* atomic */
};

/*
 * Before the call that will bring the answer.  False when the request was
 * interrupted already: it is answered and *p freed then, and the call must not
 * be made.
 */
bool parked_begin(struct parked *p, fuse_req_t req, parked_cancel_fn cancel)
	MUST_CHECK;

/* In the callback: true when the reply is the caller's to give. */
bool parked_claim(struct parked *p) MUST_CHECK;

/* The last thing that the callback does. */
void parked_free(struct parked *p);

#endif
