/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/servers/proxy/rules.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct rule rule;
	char *method;
	bool has_path, has_range;
	regex_t path, range;
	json_int_t after, times, every, seen, hits;
};

static struct entry *entries;
static size_t n_entries;
static json_t *source;
static unsigned generation;
static char problem[256];

static const char *const known[] = {
	"method", "path", "range", "after", "times", "every", "delay_ms",
	"drop", "status", "body", "ttfb_ms", "headers", "stall_ms", "stall_at",
	"rate", "cut_at", "reset_at", "short", "corrupt_at",
};

static void clear(void)
{
	for (size_t i = 0; i < n_entries; i++) {
		free(entries[i].method);
		if (entries[i].has_path)
			regfree(&entries[i].path);
		if (entries[i].has_range)
			regfree(&entries[i].range);
	}
	free(entries);
	entries = NULL;
	n_entries = 0;
	json_decref(source);
	source = NULL;
}

static bool is_known(const char *key)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i], key) == 0)
			return true;
	return false;
}

static json_int_t number(const json_t *object, const char *key,
			 json_int_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return otherwise;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		snprintf(problem, sizeof(problem),
			 "%s: not a number of 0 or more", key);
	return json_integer_value(value);
}

static uint64_t offset(const json_t *object, const char *key)
{
	return json_object_get(object, key) ?
		       (uint64_t)number(object, key, 0) : RULE_NO_OFFSET;
}

static bool compile(const json_t *object, const char *key, regex_t *out)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!json_object_get(object, key))
		return false;
	if (!text || regcomp(out, text, REG_EXTENDED | REG_NOSUB) != 0) {
		snprintf(problem, sizeof(problem),
			 "%s: not a regular expression", key);
		return false;
	}
	return true;
}

static void parse_rule(struct entry *e, json_t *object)
{
	const char *method = json_string_value(json_object_get(object, "method"));
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
		if (!is_known(key))
			snprintf(problem, sizeof(problem), "%s: no such member",
				 key);
	e->method = method ? strdup(method) : NULL;
	e->has_path = compile(object, "path", &e->path);
	e->has_range = compile(object, "range", &e->range);
	e->after = number(object, "after", 0);
	e->times = number(object, "times", -1);
	e->every = number(object, "every", 1);
	e->rule = (struct rule){
		.delay_ms = number(object, "delay_ms", 0),
		.ttfb_ms = number(object, "ttfb_ms", 0),
		.stall_ms = number(object, "stall_ms", 0),
		.rate = number(object, "rate", 0),
		.status = number(object, "status", 0),
		.stall_at = json_object_get(object, "stall_ms") ?
			(uint64_t)number(object, "stall_at", 0) : RULE_NO_OFFSET,
		.cut_at = offset(object, "cut_at"),
		.reset_at = offset(object, "reset_at"),
		.short_to = offset(object, "short"),
		.corrupt_at = offset(object, "corrupt_at"),
		.drop = json_is_true(json_object_get(object, "drop")),
		.body = json_string_value(json_object_get(object, "body")),
		.headers = json_object_get(object, "headers"),
	};
	if (e->rule.status && (e->rule.status < 200 || e->rule.status > 599))
		snprintf(problem, sizeof(problem), "status: not in 200..599");
	if (!e->every)
		snprintf(problem, sizeof(problem), "every: not in 1..");
	if (e->rule.headers && !json_is_object(e->rule.headers))
		snprintf(problem, sizeof(problem), "headers: not an object");
}

const char *rules_set(const json_t *list)
{
	clear();
	generation++;
	problem[0] = '\0';
	if (!json_is_array(list))
		return "not a list of rules";
	source = json_deep_copy(list);
	entries = calloc(json_array_size(source) + 1, sizeof(*entries));
	if (!source || !entries)
		return "no memory";
	for (size_t i = 0; i < json_array_size(source); i++) {
		json_t *object = json_array_get(source, i);

		if (!json_is_object(object))
			snprintf(problem, sizeof(problem),
				 "rule %zu: not an object", i);
		else
			parse_rule(&entries[i], object);
		entries[i].rule.index = (json_int_t)i;
		n_entries++;
	}
	if (problem[0]) {
		clear();
		return problem;
	}
	return NULL;
}

static bool is_for(const struct entry *e, const char *method,
		   const char *target, const char *range)
{
	if (e->method && strcmp(e->method, method) != 0)
		return false;
	if (e->has_path && regexec(&e->path, target, 0, NULL, 0) != 0)
		return false;
	return !e->has_range ||
	       (range && regexec(&e->range, range, 0, NULL, 0) == 0);
}

bool rules_match(struct rule *out, const char *method, const char *target,
		 const char *range)
{
	for (size_t i = 0; i < n_entries; i++) {
		struct entry *e = &entries[i];

		if (e->times >= 0 && e->hits >= e->times)
			continue;
		if (!is_for(e, method, target, range))
			continue;
		if (e->seen++ < e->after || (e->seen - e->after) % e->every)
			continue;
		e->hits++;
		*out = e->rule;
		return true;
	}
	return false;
}

unsigned rules_generation(void)
{
	return generation;
}

json_t *rules_json(void)
{
	json_t *list = source ? json_deep_copy(source) : json_array();

	for (size_t i = 0; i < n_entries; i++)
		json_object_set_new(json_array_get(list, i), "hits",
				    json_integer(entries[i].hits));
	return list;
}
