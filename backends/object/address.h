/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The web address of a store, as a setting or a URI gives it: scheme, host
 * with port, a path in front of everything.  It holds no credential: what
 * looks like one is refused.
 */
#ifndef DATASETFS_OBJECT_ADDRESS_H
#define DATASETFS_OBJECT_ADDRESS_H

#include <stdbool.h>
#include "backends/base/err.h"
#include "backends/uri.h"

struct address {
	bool is_https;
	char *authority;	/* host[:port] as sent: no default port */
	char *base_path;	/* "" or "/base": not encoded, no "/" behind */
};

/*
 * "https://HOST[:PORT][/BASE]"; without a scheme it is https.  what names the
 * setting in the text of a refusal (ERR_USAGE), which quotes nothing in front
 * of an '@'.  *out is empty then.
 */
int address_parse(struct address *out, const char *what, const char *url,
		  struct err *err) MUST_CHECK;
/* https:// and the URI's host, which may have a port. */
int address_of_host(struct address *out, const struct uri *uri, struct err *err)
	MUST_CHECK;
void address_release(struct address *address);

/* The authority is an IP address, not a name. */
bool address_is_number(const char *authority);

#endif
