/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/azure/azure.h"

#include <errno.h>
#include <strings.h>
#include "backends/base/env.h"

static const struct {
	const char *name;
	int (*make)(struct cred_source **out, struct http_engine *engine,
		    struct err *err);
} order[] = {
	{ "EnvironmentCredential", cred_source_azure_secret },
	{ "WorkloadIdentityCredential", cred_source_azure_federated },
	{ "ManagedIdentityCredential", cred_source_azure_managed },
};
/* And unsigned. */
#define CHAIN_MAX (ARRAY_SIZE(order) + 1)

/* AZURE_TOKEN_CREDENTIALS; NULL: all of them. */
static int choose_only(const char **only, struct err *err)
{
	*only = env_get("AZURE_TOKEN_CREDENTIALS");
	if (*only && !strcasecmp(*only, "prod"))
		*only = NULL;
	for (size_t i = 0; *only && i < ARRAY_SIZE(order); i++)
		if (!strcasecmp(*only, order[i].name))
			return 0;
	if (!*only)
		return 0;
	return err_set(err, ERR_USAGE, EINVAL,
		       "AZURE_TOKEN_CREDENTIALS is prod, %s, %s or %s",
		       order[0].name, order[1].name, order[2].name);
}

int cred_source_azure(struct cred_source **out, struct http_engine *engine,
		      struct err *err)
{
	struct cred_source *sources[CHAIN_MAX];
	const char *only;
	size_t n = 0;
	int r = choose_only(&only, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(order); i++) {
		struct cred_source *src = NULL;

		if (only && strcasecmp(only, order[i].name) != 0)
			continue;
		r = order[i].make(&src, engine, err);
		if (r == 0 && src)
			sources[n++] = src;
	}
	if (r == 0)
		r = cred_source_anonymous(&sources[n], err);
	if (r == 0)
		return cred_source_chain(out, sources, n + 1, err);
	while (n > 0)
		cred_source_put_ref(sources[--n]);
	return r;
}
