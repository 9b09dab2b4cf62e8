/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source that asks somebody: STS, a metadata service, a token endpoint, a
 * program.  An implementation writes fetch(), which asks once and may wait;
 * the rest is here.
 *
 * One fetch at a time runs, on a thread that lives as long as it does: however
 * many identities hang, the others do not wait behind them (up to
 * CRED_FETCHES_MAX, which bounds the threads).  It is started by whoever wants
 * the credential, so what nobody uses costs nothing:
 *
 *	nothing known, or refused	all wait (-EAGAIN) for the fetch
 *	advisory_s before the end	the old one serves while the fetch runs
 *	mandatory_s before the end	all wait for it, CRED_MANDATORY_WAIT_MS
 *					at most, then the old one serves on
 *	the end				all wait
 *
 * Both are at most a third and a sixth of what the credential lived when it
 * came, and differ by CRED_JITTER_PERCENT, so that a thousand pods do not ask
 * together.  A fetch that failed is repeated after a back-off; what is still
 * good is used meanwhile.  Where there is nothing good, "wait" becomes the
 * failure's text as -EACCES at once if it was a refusal, after
 * CRED_PATIENCE_MS if it was not.
 *
 * A refusal by the store starts a fetch at once, however often keys are
 * rotated; but where it refuses one after the other and accepts none, each is
 * asked for after a back-off, too.
 *
 * Private to auth/.
 */
#ifndef DATASETFS_AUTH_CRED_REMOTE_H
#define DATASETFS_AUTH_CRED_REMOTE_H

#include "backends/auth/cred_impl.h"
#include "backends/http/http.h"

#define CRED_FETCHES_MAX 64		/* in the process; others try again */
#define CRED_MANDATORY_WAIT_MS 5000
#define CRED_JITTER_PERCENT 10
#define CRED_PATIENCE_MS 30000
#define CRED_BACKOFF_BASE_MS 500
#define CRED_BACKOFF_MAX_MS 60000
/* Between two fetches where the first brought what was known before. */
#define CRED_SAME_WAIT_MS 30000
/* A credential of that age may be the reason of a denial. */
#define CRED_DOUBT_MS 60000
/* So many that were refused before any was accepted are fetched at once. */
#define CRED_REFUSED_FREE 3
/* Where nobody has one here, nobody is asked again for so long. */
#define CRED_ABSENT_MS 300000
/* How long an expired one of a stable source is used on, at least and most. */
#define CRED_STRETCH_MIN_S 720
#define CRED_STRETCH_MAX_S 1200

struct cred_remote_ops {
	/*
	 * Fills *out (zeroed; cred_fill()) with an expires_s, INT64_MAX where
	 * it has no end.  Each wait in it has a deadline, all of them below a
	 * minute, and ends when the engine does.  -ENOENT (ERR_AUTH): nobody
	 * here gives one (no such service, not configured), so that a chain
	 * goes on.  -EACCES (ERR_AUTH): a refusal, which repetition does not
	 * mend.  Others are failures that may pass.
	 */
	int (*fetch)(void *ctx, struct http_engine *engine, struct cred *out,
		     struct err *err);
	void (*release)(void *ctx);
	unsigned advisory_s;
	unsigned mandatory_s;
	/*
	 * Static stability (EC2's metadata service): an expired credential is
	 * used on while the service gives no better, as the store may accept
	 * it.
	 */
	bool is_stable;
};

/* AWS: botocore's windows.  Metadata services of Google and Azure cache. */
#define CRED_ADVISORY_S (15 * 60)
#define CRED_MANDATORY_S (10 * 60)
#define CRED_CACHED_ADVISORY_S (4 * 60)
#define CRED_CACHED_MANDATORY_S (2 * 60)

/*
 * Takes over ctx, after a failure too.  engine must outlive the source's
 * fetches, which http_engine_free() sees to.  name: as cred_source_name().
 */
int cred_source_remote(struct cred_source **out, const char *name,
		       const struct cred_remote_ops *ops, void *ctx,
		       struct http_engine *engine, struct err *err) MUST_CHECK;

#endif
