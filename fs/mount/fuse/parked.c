/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libfuse (3.14, lib/fuse_lowlevel.c) runs the interrupt function with the
 * request's own lock held.  From find_interrupted() it holds a reference to
 * the request, so the function may reply; from fuse_req_interrupt_func()
 * itself it holds none, and a reply would free the lock that is about to be
 * dropped.  The second case is told apart by a thread-local flag.
 */
#include <config.h>

#include "fs/mount/fuse/parked.h"

#include <errno.h>

#include "fs/mount/fuse/reply.h"

#define PARKED_CLAIMED 1u	/* somebody gives the reply */
#define PARKED_INTERRUPTING 2u	/* the interrupt function still uses *p */
#define PARKED_OVER 4u		/* the callback is done with *p */

static _Thread_local bool is_registering;
static _Thread_local bool came_at_once;

static bool claim(struct parked *p, unsigned bits)
{
	unsigned free_state = 0;

	return __atomic_compare_exchange_n(&p->state, &free_state,
					   PARKED_CLAIMED | bits, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void parked_interrupt(fuse_req_t req, void *data)
{
	struct parked *p = data;
	unsigned old;

	if (is_registering) {
		came_at_once = true;
		return;
	}
	if (!claim(p, PARKED_INTERRUPTING))
		return;
	/* The callback may run now, here or elsewhere: it leaves *p to us. */
	if (p->cancel)
		p->cancel(p);
	reply_error(req, EINTR);
	old = __atomic_fetch_and(&p->state, ~PARKED_INTERRUPTING,
				 __ATOMIC_ACQ_REL);
	if (old & PARKED_OVER)
		free(p);
}

bool parked_begin(struct parked *p, fuse_req_t req, parked_cancel_fn cancel)
{
	p->req = req;
	p->cancel = cancel;
	p->state = 0;
	came_at_once = false;
	is_registering = true;
	fuse_req_interrupt_func(req, parked_interrupt, p);
	is_registering = false;
	if (!came_at_once)
		return true;
	/* The flag of the request is set for good; nobody else will come. */
	fuse_req_interrupt_func(req, NULL, NULL);
	if (claim(p, 0))
		reply_error(req, EINTR);
	parked_free(p);
	return false;
}

bool parked_claim(struct parked *p)
{
	if (!claim(p, 0))
		return false;
	/* Waits for an interrupt function that is running with *p. */
	fuse_req_interrupt_func(p->req, NULL, NULL);
	return true;
}

void parked_free(struct parked *p)
{
	unsigned old = __atomic_fetch_or(&p->state, PARKED_OVER,
					 __ATOMIC_ACQ_REL);

	if (!(old & PARKED_INTERRUPTING))
		free(p);
}
