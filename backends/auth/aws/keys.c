/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/aws/aws_impl.h"

#include <errno.h>
#include <jansson.h>
#include "backends/auth/ask.h"
#include "backends/base/clock.h"

int aws_keys(struct cred *out, const char *who, const json_t *object,
	     const char *token_name, struct err *err)
{
	const char *end = ask_json_string(object, "Expiration");
	int r = cred_fill(out, who, ask_json_string(object, "AccessKeyId"),
			  ask_json_string(object, "SecretAccessKey"),
			  ask_json_string(object, token_name), err);

	if (r < 0 || !end || !*end)
		return r;
	if (clock_parse_iso(end, &out->expires_s, NULL) == 0)
		return 0;
	cred_release(out);
	return err_set(err, ERR_CORRUPT, EBADMSG,
		       "%s: an Expiration that is no date", who);
}
