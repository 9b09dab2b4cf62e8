/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/profile.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include "backends/auth/cred_impl.h"

/* Bytes of the text that is parsed. */
struct span {
	const char *p;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct span trim(struct span s)
{
	while (s.len && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

static bool is_name(struct span s, const char *name)
{
	return s.len == strlen(name) && !strncasecmp(s.p, name, s.len);
}

static bool is_word(struct span s, const char *word)
{
	return s.len == strlen(word) && !memcmp(s.p, word, s.len);
}

void profile_release(struct profile *profile)
{
	cred_wipe_free(profile->access_key_id);
	cred_wipe_free(profile->secret_key);
	cred_wipe_free(profile->session_token);
	for (size_t i = 0; i < PROFILE_SETTINGS; i++)
		cred_wipe_free(profile->settings[i]);
	memset(profile, 0, sizeof(*profile));
}

/* inside: what stands between the brackets. */
static bool is_section(struct span inside, enum profile_file kind,
		       const char *name)
{
	static const char prefix[] = "profile";
	size_t n = sizeof(prefix) - 1;

	inside = trim(inside);
	if (kind == PROFILE_CREDENTIALS)
		return is_word(inside, name);
	if (is_word(inside, "default"))
		return !strcmp(name, "default");
	if (inside.len <= n || memcmp(inside.p, prefix, n) ||
	    !is_blank(inside.p[n]))
		return false;
	inside = trim((struct span){ inside.p + n, inside.len - n });
	if (inside.len >= 2 && inside.p[0] == '"' &&
	    inside.p[inside.len - 1] == '"')
		inside = (struct span){ inside.p + 1, inside.len - 2 };
	return is_word(inside, name);
}

static const char *const setting_names[PROFILE_SETTINGS] = {
	"role_arn",
	"source_profile",
	"credential_source",
	"web_identity_token_file",
	"credential_process",
	"external_id",
	"role_session_name",
	"duration_seconds",
	"mfa_serial",
	"region",
	"sso_session",
	"sso_start_url",
};

static int keep(char **slot, struct span value, struct err *err)
{
	cred_wipe_free(*slot);
	*slot = value.len ? strndup(value.p, value.len) : NULL;
	return value.len && !*slot ? err_nomem(err) : 0;
}

static int take_setting(struct profile *out, struct span name,
			struct span value, struct err *err)
{
	if (is_name(name, "aws_access_key_id"))
		return keep(&out->access_key_id, value, err);
	if (is_name(name, "aws_secret_access_key"))
		return keep(&out->secret_key, value, err);
	if (is_name(name, "aws_session_token"))
		return keep(&out->session_token, value, err);
	for (size_t i = 0; i < PROFILE_SETTINGS; i++)
		if (is_name(name, setting_names[i]))
			return keep(&out->settings[i], value, err);
	return 0;
}

static int bad_line(unsigned long line_no, const char *why, struct err *err)
{
	return err_set(err, ERR_USAGE, EINVAL, "line %lu: %s", line_no, why);
}

struct parser {
	struct profile *out;
	enum profile_file kind;
	const char *name;
	unsigned long line_no;
	bool is_ours;		/* inside the wanted section */
	bool is_in_section;
	bool has_setting;	/* an indented line may follow */
};

static int parse_section(struct parser *p, struct span line, struct err *err)
{
	const char *end = memchr(line.p, ']', line.len);

	if (!end)
		return bad_line(p->line_no, "a section without \"]\"", err);
	p->is_in_section = true;
	p->has_setting = false;
	p->is_ours = is_section((struct span){ line.p + 1,
					       (size_t)(end - line.p) - 1 },
				p->kind, p->name);
	if (p->is_ours)
		p->out->is_present = true;
	return 0;
}

static int parse_line(struct parser *p, struct span line, struct err *err)
{
	bool is_indented = line.len && is_blank(line.p[0]);
	const char *equals;
	struct span name;
	struct span value;

	if (line.len > PROFILE_LINE_MAX)
		return bad_line(p->line_no, "longer than the limit", err);
	if (memchr(line.p, '\0', line.len))
		return bad_line(p->line_no, "a NUL byte", err);
	line = trim(line);
	if (!line.len || line.p[0] == '#' || line.p[0] == ';')
		return 0;
	if (is_indented && p->has_setting)
		return 0;
	if (line.p[0] == '[')
		return parse_section(p, line, err);
	equals = memchr(line.p, '=', line.len);
	if (!equals || equals == line.p)
		return bad_line(p->line_no, "not NAME = VALUE", err);
	if (!p->is_in_section)
		return bad_line(p->line_no, "a setting before any section",
				err);
	p->has_setting = true;
	if (!p->is_ours)
		return 0;
	name = trim((struct span){ line.p, (size_t)(equals - line.p) });
	value = trim((struct span){ equals + 1,
				    line.len - (size_t)(equals - line.p) - 1 });
	return take_setting(p->out, name, value, err);
}

int profile_parse(struct profile *out, const char *text, size_t len,
		  enum profile_file kind, const char *name, struct err *err)
{
	static const char bom[] = { '\xef', '\xbb', '\xbf' };
	struct parser p = { .out = out, .kind = kind, .name = name };

	if (len >= sizeof(bom) && !memcmp(text, bom, sizeof(bom))) {
		text += sizeof(bom);
		len -= sizeof(bom);
	}
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t line_len = end ? (size_t)(end - text) : len;
		size_t used = end ? line_len + 1 : line_len;
		int r;

		p.line_no++;
		r = parse_line(&p, (struct span){ text, line_len }, err);
		if (r < 0)
			return r;
		text += used;
		len -= used;
	}
	return 0;
}
