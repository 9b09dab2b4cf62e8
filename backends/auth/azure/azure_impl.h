/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Azure sources share.  Private to auth/azure/.
 */
#ifndef DATASETFS_AUTH_AZURE_AZURE_IMPL_H
#define DATASETFS_AUTH_AZURE_AZURE_IMPL_H

#include "backends/auth/ask.h"
#include "backends/auth/azure/azure.h"
#include "backends/auth/cred_remote.h"

/*
 * access_token with expires_on (seconds since 1970) or expires_in, each a
 * number or, as some services have it, a string of digits.
 */
int azure_token(struct cred *out, const char *who,
		const struct ask_reply *reply, struct err *err) MUST_CHECK;

/*
 * A refusal, by its "error" and the number of Azure AD in its description
 * (AADSTS7000215), never the text itself.
 */
int azure_refused(const char *who, const struct ask_reply *reply,
		  struct err *err);

#endif
