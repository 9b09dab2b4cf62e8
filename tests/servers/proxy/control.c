/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/servers/proxy/control.h"

#include "tests/servers/proxy/loop.h"
#include "tests/servers/proxy/rules.h"
#include "tests/servers/proxy/tally.h"

void control_respond(struct buf *out, int status, const char *type,
		     const char *body, bool head_only)
{
	buf_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
			"Content-Length: %zu\r\n\r\n", status,
		   status < 300 ? "OK" : "Injected", type, strlen(body));
	if (!head_only)
		buf_str(out, body);
}

bool control_is_for(const char *target)
{
	return strncmp(target, "/__", 3) == 0;
}

static void respond_json(struct buf *out, json_t *value)
{
	cleanup_free char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(value);
	control_respond(out, text ? 200 : 500, "application/json",
			text ? text : "", false);
}

static void set_rules(struct buf *out, const char *body, size_t len)
{
	json_error_t why;
	json_t *list = json_loadb(body ? body : "", len, JSON_REJECT_DUPLICATES,
				  &why);
	const char *problem = list ? rules_set(list) : why.text;

	json_decref(list);
	if (problem)
		control_respond(out, 400, "text/plain", problem, false);
	else
		respond_json(out, rules_json());
}

static void set_latency(struct buf *out, const char *body)
{
	char *end;
	long ms = strtol(body ? body : "", &end, 10);

	if (!body || end == body || ms < 0 || ms > 60000) {
		control_respond(out, 400, "text/plain",
				"milliseconds: a number of 0..60000", false);
		return;
	}
	loop_latency_ms = ms;
	respond_json(out, json_integer(ms));
}

static void reset(struct buf *out)
{
	json_t *none = json_array();

	(void)rules_set(none);
	json_decref(none);
	tally_reset();
	loop_latency_ms = 0;
	respond_json(out, json_true());
}

void control_answer(struct buf *out, const char *method, const char *target,
		    const char *body, size_t body_len)
{
	bool sets = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;

	if (strcmp(target, "/__fault") == 0 && sets)
		set_rules(out, body, body_len);
	else if (strcmp(target, "/__fault") == 0)
		respond_json(out, rules_json());
	else if (strcmp(target, "/__latency") == 0 && sets)
		set_latency(out, body);
	else if (strcmp(target, "/__stats") == 0)
		respond_json(out, tally_json(""));
	else if (strncmp(target, "/__stats?prefix=", 16) == 0)
		respond_json(out, tally_json(target + 16));
	else if (strcmp(target, "/__log") == 0)
		respond_json(out, tally_log_json());
	else if (strcmp(target, "/__reset") == 0 && sets)
		reset(out);
	else
		control_respond(out, 404, "text/plain", "no such control",
				false);
}
